//! What is peculiar to one server or another, beyond the tables.

use std::sync::Arc;

use tokio::task::JoinSet;
use webdav_sim::{Server, profiles};

use crate::client::{NEW, OLD, ask, fresh};

#[tokio::test]
async fn listings_differ_in_addresses_encoding_and_what_they_hide() {
    for (profile, expected, hidden) in [
        (profiles::APACHE, "<D:href>/dav/d/a%5bb%5d%20c</D:href>", false),
        (profiles::RCLONE, "<D:href>/dav/d/a%5Bb%5D%20c</D:href>", false),
        (profiles::NGINX, "<D:href>/dav/d/a%5Bb%5D%20c</D:href>", true),
    ] {
        let server = Server::start(profile).await.unwrap();
        server.write("d/a[b] c", b"");
        server.write("d/.dot", b"");
        let listing = ask(&server, "PROPFIND", "d/", &[("depth", "1")], b"").await.text();
        assert!(listing.contains(expected), "{}: {listing}", profile.name);
        assert_eq!(!listing.contains(".dot"), hidden, "{}", profile.name);
    }
    let server = Server::start(profiles::NPM).await.unwrap();
    server.write("d/a", b"");
    let listing = ask(&server, "PROPFIND", "d/", &[("depth", "1")], b"").await.text();
    assert!(listing.contains(&format!("<D:href>{}d/a</D:href>", server.url())), "{listing}");
}

#[tokio::test]
async fn apache_and_its_tags() {
    let server = fresh(profiles::APACHE).await;
    let weak = ask(&server, "GET", "d/old", &[], b"").await.header("etag").unwrap();
    assert_eq!(ask(&server, "PUT", "d/old", &[("if-match", &weak)], NEW).await.status, 412);
    server.set_clock_ahead(std::time::Duration::from_mins(1));
    let strong = ask(&server, "GET", "d/old", &[], b"").await.header("etag").unwrap();
    assert_eq!(format!("W/{strong}"), weak);
    let mangled = ask(&server, "GET", "d/old", &[("accept-encoding", "gzip")], b"").await.header("etag").unwrap();
    assert!(mangled.ends_with("-gzip\""));
    assert_eq!(ask(&server, "PUT", "d/old", &[("if-match", &mangled)], NEW).await.status, 412);
    assert_eq!(ask(&server, "PUT", "d/old", &[("if-match", &strong)], NEW).await.status, 204);
}

#[tokio::test]
async fn jianguoyun_and_its_limits() {
    let server = Server::start(profiles::JIANGUOYUN).await.unwrap();
    assert_eq!(ask(&server, "PUT", "in-the-root", &[], NEW).await.status, 404);
    let orphan = ask(&server, "GET", "missing/file", &[], b"").await;
    assert_eq!(orphan.status, 409);
    assert!(orphan.text().contains("AncestorsNotFound"));
    server.write("d/a", NEW);
    server.write("d/b", NEW);
    let target = format!("{}d/b", server.url());
    let moved = ask(&server, "MOVE", "d/a", &[("destination", &target), ("overwrite", "T")], b"").await;
    assert_eq!(moved.status, 409);
    for number in 0..800 {
        server.write(&format!("many/{number}"), b"");
    }
    let listing = ask(&server, "PROPFIND", "many/", &[("depth", "1")], b"").await.text();
    assert_eq!(listing.matches("<D:response>").count(), 750);
    while server.requests().len() < 600 {
        ask(&server, "HEAD", "d/a", &[], b"").await;
    }
    let blocked = ask(&server, "GET", "d/a", &[], b"").await;
    assert_eq!(blocked.status, 503);
    assert!(blocked.text().contains("BlockedTemporarily"));
}

#[tokio::test]
async fn ranges_are_right_except_where_they_are_not() {
    for (profile, stale, past_the_end) in [(profiles::X_NET, 200, 416), (profiles::NPM, 206, 206)] {
        let server = fresh(profile).await;
        let part = ask(&server, "GET", "d/old", &[("range", "bytes=4-")], b"").await;
        assert_eq!((part.status, part.body.as_slice()), (206, &OLD[4..]));
        let other = ask(&server, "GET", "d/old", &[("range", "bytes=4-"), ("if-range", "\"stale\"")], b"").await;
        assert_eq!(other.status, stale, "{}", profile.name);
        let beyond = ask(&server, "GET", "d/old", &[("range", "bytes=999-")], b"").await;
        assert_eq!(beyond.status, past_the_end, "{}", profile.name);
    }
}

#[tokio::test]
async fn of_many_who_create_one_name_one_wins_or_all_do() {
    for (profile, winners) in [(profiles::LIGHTTPD, 1), (profiles::SABRE, 1), (profiles::NGINX, 8), (profiles::DUFS, 8)]
    {
        let server = Arc::new(fresh(profile).await);
        let mut writers = JoinSet::new();
        for _ in 0..8 {
            let server = Arc::clone(&server);
            writers.spawn(async move { ask(&server, "PUT", "d/new", &[("if-none-match", "*")], NEW).await.status });
        }
        let statuses = writers.join_all().await;
        let won = statuses.iter().filter(|status| **status < 300).count();
        assert_eq!(won, winners, "{}: {statuses:?}", profile.name);
    }
}
