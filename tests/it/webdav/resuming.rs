//! Downloads that break off: taken up where that is safe, begun anew where it is not.

use tgsignd::backup::remote::{Problem, Progress};
use webdav_sim::{Fault, Profile, profiles};

use super::{content, directory};

/// Downloads an object whose first answers are torn; what was asked for with `Range`.
async fn torn(profile: Profile, draw_tags: bool, times: usize) -> Vec<Option<String>> {
    let (server, remote) = directory(profile).await;
    let folder = tempfile::tempdir().unwrap();
    let whole = content(100_000);
    server.write("backup/tgsignd/b", &whole);
    if draw_tags {
        server.draw_tags();
    }
    server.fail(Fault::TornAnswer(30_000).on("GET").times(times));
    let copy = folder.path().join("copy");
    let came = remote.download("b", &copy, 100_000, &Progress::silent()).await.unwrap();
    assert_eq!((came.length, std::fs::read(&copy).unwrap()), (100_000, whole), "{}", profile.name);
    let requests = server.requests().into_iter().filter(|request| request.method == "GET");
    requests.map(|request| request.header("range").map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_strong_tag_seen_twice_carries_it_on() {
    for profile in [profiles::LIGHTTPD, profiles::NGINX, profiles::RCLONE, profiles::DUFS] {
        let asked = torn(profile, false, 2).await;
        let expected = [None, Some("bytes=30000-".to_owned()), Some("bytes=60000-".to_owned())];
        assert_eq!(asked, expected, "{}", profile.name);
    }
}

#[tokio::test]
async fn without_one_it_begins_anew() {
    for (profile, draw_tags) in
        [(profiles::APACHE, false), (profiles::NPM, false), (profiles::COPYPARTY, false), (profiles::LIGHTTPD, true)]
    {
        assert_eq!(torn(profile, draw_tags, 1).await, [None, None], "{}", profile.name);
    }
}

#[tokio::test]
async fn it_ends_when_nothing_ever_comes() {
    let (server, remote) = directory(profiles::LIGHTTPD).await;
    let folder = tempfile::tempdir().unwrap();
    server.write("backup/tgsignd/b", &content(1000));
    server.fail(Fault::TornAnswer(0).on("GET").times(100));
    let copy = folder.path().join("copy");
    let error = remote.download("b", &copy, 1000, &Progress::silent()).await.unwrap_err();
    assert!(matches!(error.problem, Problem::BrokenOff(_)), "{error}");
}
