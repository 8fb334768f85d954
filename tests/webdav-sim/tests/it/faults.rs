//! Faults hit what they name, as often as they say.

use webdav_sim::{Fault, Server, profiles};

use crate::client::ask;

#[tokio::test]
async fn faults_hit_the_requests_they_name_and_are_used_up() {
    let server = Server::start(profiles::LIGHTTPD).await.unwrap();
    server.write("d/a", b"content");
    server.fail(Fault::Status(503, Some("7")).on("GET").at("d/a").times(2));
    for expected in [503, 503, 200] {
        assert_eq!(ask(&server, "GET", "d/a", &[], b"").await.status, expected);
    }
    server.fail(Fault::Status(401, None).on_all());
    assert_eq!(ask(&server, "HEAD", "d/a", &[], b"").await.status, 401);
    server.fail(Fault::StoresNothing.on("PUT"));
    assert_eq!(ask(&server, "PUT", "d/b", &[], b"x").await.status, 201);
    assert_eq!(server.read("d/b"), None);
    server.fail(Fault::StoresPart(2).on("PUT"));
    assert_eq!(ask(&server, "PUT", "d/b", &[], b"xyz").await.status, 201);
    assert_eq!(server.read("d/b").unwrap(), b"xy");
    server.fail(Fault::LostAnswer.on("PUT"));
    assert_eq!(ask(&server, "PUT", "d/c", &[], b"xyz").await.status, 0);
    assert_eq!(server.read("d/c").unwrap(), b"xyz");
    server.fail(Fault::TornAnswer(3).on("GET"));
    let torn = ask(&server, "GET", "d/a", &[], b"").await;
    assert_eq!((torn.header("content-length").as_deref(), torn.body.as_slice()), (Some("7"), &b"con"[..]));
    server.fail(Fault::Redirect(302, "https://elsewhere/".to_owned()).on("GET"));
    assert_eq!(ask(&server, "GET", "d/a", &[], b"").await.header("location").unwrap(), "https://elsewhere/");
}

#[tokio::test]
async fn listings_lag_and_lose_and_tags_are_drawn() {
    let server = Server::start(profiles::LIGHTTPD).await.unwrap();
    server.write("d/a", b"");
    server.lag_listings();
    server.write("d/b", b"");
    let listed = async || ask(&server, "PROPFIND", "d/", &[("depth", "1")], b"").await.text();
    assert!(!listed().await.contains("d/b"));
    server.list_anew();
    assert!(listed().await.contains("d/b"));
    server.fail(Fault::HalfListing.on("PROPFIND"));
    let half = listed().await;
    assert!(half.contains("/dav/d/<") && half.contains("d/b") && !half.contains("d/a"), "{half}");
    server.draw_tags();
    let tag = async || ask(&server, "HEAD", "d/a", &[], b"").await.header("etag");
    assert_ne!(tag().await, tag().await);
}

#[tokio::test]
async fn files_are_altered_behind_the_servers_back_and_requests_are_logged_without_passwords() {
    let server = Server::start(profiles::LIGHTTPD).await.unwrap();
    server.write("d/a", b"content");
    let before = ask(&server, "HEAD", "d/a", &[], b"").await.header("etag");
    server.damage("d/a", |bytes| bytes[0] ^= 1);
    assert_eq!(ask(&server, "HEAD", "d/a", &[], b"").await.header("etag"), before);
    assert_eq!(server.read("d/a").unwrap(), b"bontent");
    assert_eq!(server.files(), ["d/a"]);
    let requests = server.requests();
    assert!(requests.iter().all(|request| request.authorised && request.header("authorization").is_none()));
    assert_eq!((requests.len(), requests[0].method.as_str(), requests[0].path.as_str()), (2, "HEAD", "d/a"));
}
