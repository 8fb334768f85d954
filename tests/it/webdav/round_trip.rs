//! Everything that is said to a directory, on every server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};
use tgsignd::backup::remote::{Answers, Conditional, Creation, Deleted, Ensured, Problem, Progress, Remote};
use webdav_sim::{Profile, Server, profiles};

use super::{content, remote};

/// All that can list.
pub(super) fn usable() -> impl Iterator<Item = Profile> {
    profiles::ALL.iter().copied().filter(|profile| profile.lists)
}

/// Makes the directory, and stores, lists, reads, asks and deletes in it.
pub(super) async fn everything(remote: &Remote) {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(remote.list().await.unwrap_err().problem, Problem::MissingDirectory);
    assert_eq!(remote.ensure_directory().await.unwrap(), Ensured::Made);
    assert_eq!(remote.ensure_directory().await.unwrap(), Ensured::Existed);
    assert!(remote.list().await.unwrap().entries.is_empty());
    assert_eq!(remote.get("m-1.json", 100).await.unwrap_err().problem, Problem::Missing);
    assert_eq!(remote.head("m-1.json").await.unwrap_err().problem, Problem::Missing);
    assert_eq!(remote.delete("m-1.json").await.unwrap(), Deleted::WasMissing);

    remote.put("m-1.json", b"manifest".to_vec(), Creation::OnlyNew).await.unwrap();
    let read = remote.get("m-1.json", 8).await.unwrap();
    assert_eq!(read.bytes, b"manifest");
    assert_eq!(remote.get("m-1.json", 7).await.unwrap_err().problem, Problem::TooLarge { limit: 7 });
    match remote.get_conditional("m-1.json", 8, &read.validators).await.unwrap() {
        Conditional::Unchanged => {}
        Conditional::Changed(again) => assert_eq!(again.bytes, read.bytes),
    }

    let whole = content(300_001);
    let file = folder.path().join("archive");
    std::fs::write(&file, &whole).unwrap();
    let told = Arc::new(AtomicU64::new(0));
    let progress = Progress::new({
        let told = Arc::clone(&told);
        move |done| told.store(done, Ordering::Relaxed)
    });
    let sent = remote.upload("b-1.age", &file, &progress).await.unwrap();
    assert_eq!((sent.length, sent.sha256), (300_001, Sha256::digest(&whole).into()));
    assert_eq!(told.load(Ordering::Relaxed), 300_001);
    assert_eq!(remote.head("b-1.age").await.unwrap().length, Some(300_001));

    let listing = remote.list().await.unwrap();
    let listed: Vec<_> = listing.entries.iter().map(|entry| (entry.name.as_str(), entry.length)).collect();
    assert_eq!(listed, [("b-1.age", Some(300_001)), ("m-1.json", Some(8))]);

    let copy = folder.path().join("copy");
    let came = remote.download("b-1.age", &copy, 300_001, &progress).await.unwrap();
    assert_eq!((came.length, came.sha256), (sent.length, sent.sha256));
    assert_eq!(std::fs::read(&copy).unwrap(), whole);
    let refused = remote.download("b-1.age", &copy, 300_000, &progress).await.unwrap_err();
    assert_eq!(refused.problem, Problem::TooLarge { limit: 300_000 });

    for name in ["b-1.age", "m-1.json"] {
        assert_eq!(remote.delete(name).await.unwrap(), Deleted::Removed);
    }
    assert!(remote.list().await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn every_server_is_spoken_to_in_a_way_it_understands() {
    for profile in usable() {
        println!("{}", profile.name);
        let server = Server::start(profile).await.unwrap();
        everything(&remote(&server.url())).await;
        for request in server.requests() {
            assert_eq!(request.header("accept-encoding"), Some("identity"), "{request:?}");
            assert!(request.authorised, "{request:?}");
            assert!(request.method != "PUT" || request.header("content-length").is_some(), "{request:?}");
            assert!(request.header("if").is_none() && request.header("transfer-encoding").is_none(), "{request:?}");
        }
    }
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again_where_the_server_says_so() {
    for (profile, saves) in
        [(profiles::LIGHTTPD, true), (profiles::APACHE, true), (profiles::COPYPARTY, true), (profiles::NPM, false)]
    {
        let (server, remote) = super::directory(profile).await;
        server.write("backup/tgsignd/head", b"manifest");
        let known = remote.get("head", 100).await.unwrap().validators;
        let again = remote.get_conditional("head", 100, &known).await.unwrap();
        assert_eq!(again == Conditional::Unchanged, saves, "{}", profile.name);
        server.set_clock_ahead(std::time::Duration::from_secs(5));
        server.write("backup/tgsignd/head", b"another");
        let Conditional::Changed(changed) = remote.get_conditional("head", 100, &known).await.unwrap() else {
            panic!("{}: the change was not seen", profile.name);
        };
        assert_eq!(changed.bytes, b"another");
    }
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused_before_anything_is_sent() {
    let (server, remote) = super::directory(profiles::LIGHTTPD).await;
    for name in ["", ".", "..", "a/b", "../x", "a\nb"] {
        assert_eq!(remote.delete(name).await.unwrap_err().problem, Problem::BadName, "{name:?}");
    }
    assert!(server.requests().is_empty());
    remote.put("a b#c?%41", b"x".to_vec(), Creation::Plain).await.unwrap();
    assert_eq!(server.files(), ["backup/tgsignd/a b#c?%41"]);
    assert!(remote.list().await.unwrap().get("a b#c?%41").is_some());
}

#[tokio::test]
async fn bytes_and_requests_are_counted() {
    let (_server, remote) = super::directory(profiles::LIGHTTPD).await;
    let before = (remote.traffic(), remote.answers());
    remote.put("a", content(1000), Creation::Plain).await.unwrap();
    remote.clone().get("a", 1000).await.unwrap();
    remote.get("missing", 1000).await.unwrap_err();
    let after = remote.traffic();
    assert_eq!((after.sent - before.0.sent, after.received - before.0.received), (1000, 1000));
    let expected = [(("GET", Some(200)), 1), (("GET", Some(404)), 1), (("PUT", Some(201)), 1)];
    let expected = expected.map(|((method, status), count)| ((method.to_owned(), status), count));
    assert_eq!((before.1, remote.answers()), (Answers::new(), expected.into()));
}
