//! Servers in trouble: what is tried again, what is told at once, and in which words.

use std::time::Duration;

use tgsignd::backup::remote::{Capabilities, Creation, Problem, Progress, Remote, Timeouts};
use webdav_sim::{Fault, Server, profiles};

use super::{QUICK, content, directory, remote, settings};

const SILENT: fn() -> Progress = Progress::silent;

fn a_file(folder: &tempfile::TempDir, length: usize) -> std::path::PathBuf {
    let file = folder.path().join("file");
    std::fs::write(&file, content(length)).unwrap();
    file
}

#[tokio::test]
async fn what_passes_is_waited_for() {
    let (server, remote) = directory(profiles::NGINX).await;
    let folder = tempfile::tempdir().unwrap();
    let file = a_file(&folder, 100_000);
    server.write("backup/tgsignd/a", b"content");
    for (status, wait) in
        [(503, Some("0")), (423, None), (425, None), (429, Some("Sun, 06 Nov 1994 08:49:37 GMT")), (502, None)]
    {
        server.fail(Fault::Status(status, wait).on_all().times(2));
        assert_eq!(remote.get("a", 100).await.unwrap().bytes, b"content", "{status}");
        server.fail(Fault::Status(status, wait).on_all().times(2));
        assert_eq!(remote.list().await.unwrap().entries.len(), 1, "{status}");
        server.fail(Fault::Status(status, wait).on_all().times(2));
        remote.upload("b", &file, &SILENT()).await.unwrap();
        assert_eq!(server.read("backup/tgsignd/b").unwrap(), content(100_000), "{status}");
        server.fail(Fault::Status(status, wait).on_all().times(2));
        remote.delete("b").await.unwrap();
    }
    server.fail(Fault::Status(502, None).on_all().times(100));
    server.forget_requests();
    assert_eq!(remote.list().await.unwrap_err().problem, Problem::ServerTrouble(502));
    assert_eq!(server.requests().len(), QUICK.attempts as usize);
}

#[tokio::test]
async fn a_long_wait_is_left_to_the_next_interval() {
    let (server, remote) = directory(profiles::JIANGUOYUN).await;
    server.fail(Fault::Status(503, Some("1800")).on_all());
    let error = remote.list().await.unwrap_err();
    assert_eq!(error.problem, Problem::Throttled { status: 503, wait: Some(Duration::from_mins(30)) });
    let again = remote.get("a", 9).await.unwrap_err();
    assert!(matches!(again.problem, Problem::Throttled { status: 503, wait: Some(_) }), "{again}");
    assert_eq!(server.requests().len(), 1, "until then nothing is sent");
}

#[tokio::test]
async fn refused_credentials_are_told_and_not_tried_again() {
    let (server, _) = directory(profiles::APACHE).await;
    let wrong = tgsignd::config::secret::Secret::new("guess".to_owned());
    let remote =
        Remote::new(super::RemoteSettings { password: wrong, ..settings(&server.url()) }.check().unwrap()).unwrap();
    for _ in 0..5 {
        let error = remote.list().await.unwrap_err();
        assert!(matches!(error.problem, Problem::RefusedCredentials { .. }), "{error}");
        assert!(error.to_string().contains("app password") && !error.to_string().contains("guess"), "{error}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn what_waiting_does_not_cure_is_told_at_once() {
    let (server, remote) = directory(profiles::NEXTCLOUD).await;
    let folder = tempfile::tempdir().unwrap();
    let file = a_file(&folder, 10);
    for (status, problem) in [(403, Problem::Forbidden), (507, Problem::Full), (413, Problem::RefusedSize)] {
        server.forget_requests();
        server.fail(Fault::Status(status, None).on("PUT").times(9));
        assert_eq!(remote.upload("b", &file, &SILENT()).await.unwrap_err().problem, problem);
        assert_eq!(remote.put("m", Vec::new(), Creation::Plain).await.unwrap_err().problem, problem);
        assert_eq!(server.requests().len(), 2);
        server.heal();
    }
}

#[tokio::test]
async fn a_full_disk_is_told_or_seen_in_the_length_on_every_server() {
    let folder = tempfile::tempdir().unwrap();
    let file = a_file(&folder, 12_000);
    for profile in super::round_trip::usable() {
        let (server, remote) = directory(profile).await;
        server.leave_free(Some(5_000));
        match remote.upload("b", &file, &SILENT()).await {
            Err(error) => assert!(
                matches!(error.problem, Problem::Full | Problem::ServerTrouble(500) | Problem::RefusedWrite(405)),
                "{}: {error}",
                profile.name
            ),
            Ok(sent) => {
                assert_eq!(profile.full.status, None, "{}", profile.name);
                assert_ne!(remote.head("b").await.unwrap().length, Some(sent.length));
            }
        }
    }
}

#[tokio::test]
async fn unreachable_missing_and_empty_are_three_answers() {
    let (server, remote_here) = directory(profiles::LIGHTTPD).await;
    assert!(remote_here.list().await.unwrap().entries.is_empty());
    server.remove("backup/tgsignd");
    let missing = remote_here.list().await.unwrap_err();
    assert!(missing.is_missing() && missing.to_string().contains("the server answers"), "{missing}");
    let closed = {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let unreachable = remote(&closed).list().await.unwrap_err();
    assert!(matches!(unreachable.problem, Problem::Unreachable(_)), "{unreachable}");
    assert!(unreachable.is_transient() && !unreachable.is_missing());
}

#[tokio::test]
async fn what_is_no_webdav_is_not_an_empty_directory() {
    let (server, remote) = directory(profiles::NGINX_STOCK).await;
    assert_eq!(remote.list().await.unwrap_err().problem, Problem::NotWebDav(405));
    for status in [200, 204, 207] {
        server.fail(Fault::Status(status, None).on("PROPFIND").times(9));
        let error = remote.list().await.unwrap_err();
        assert!(!error.is_missing() && !error.is_transient(), "{status}: {error}");
        server.heal();
    }
}

#[tokio::test]
async fn a_listing_that_stops_at_a_page_is_refused() {
    let (server, remote) = directory(profiles::JIANGUOYUN).await;
    for number in 0..760 {
        server.write(&format!("backup/tgsignd/{number}"), b"");
    }
    assert_eq!(remote.list().await.unwrap_err().problem, Problem::ListingTruncated { entries: 750 });
}

#[tokio::test]
async fn torn_answers_are_read_again() {
    let (server, remote) = directory(profiles::LIGHTTPD).await;
    server.write("backup/tgsignd/a", b"content");
    server.fail(Fault::TornAnswer(3).on("GET").times(2));
    assert_eq!(remote.get("a", 100).await.unwrap().bytes, b"content");
    server.fail(Fault::TornAnswer(200).on("PROPFIND").times(2));
    assert_eq!(remote.list().await.unwrap().entries.len(), 1);
    server.fail(Fault::TornAnswer(3).on("GET").times(100));
    assert!(matches!(remote.get("a", 100).await.unwrap_err().problem, Problem::BrokenOff(_)));
}

#[tokio::test]
async fn a_cut_upload_is_not_repeated_under_its_name_and_its_reason_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = a_file(&folder, 1_000_000);
    for profile in super::round_trip::usable() {
        let (server, remote) = directory(profile).await;
        server.fail(Fault::CutUpload(300_000).on("PUT").times(9));
        let error = remote.upload("b", &file, &SILENT()).await.unwrap_err();
        assert!(matches!(error.problem, Problem::BrokenOff(_)), "{}: {error}", profile.name);
        assert_eq!(server.requests().iter().filter(|request| request.method == "PUT").count(), 1, "{}", profile.name);
        server.fail(Fault::Status(507, None).on("PROPFIND"));
        assert_eq!(remote.upload("b", &file, &SILENT()).await.unwrap_err().problem, Problem::Full, "{}", profile.name);
    }
}

#[tokio::test]
async fn a_directory_that_went_away_is_named_whatever_the_server_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = a_file(&folder, 10);
    for profile in super::round_trip::usable() {
        let (server, remote) = directory(profile).await;
        server.remove("backup");
        let uploaded = remote.upload("b", &file, &SILENT()).await;
        if profile.missing_parent == webdav_sim::MissingParent::Made {
            uploaded.unwrap();
        } else {
            assert_eq!(uploaded.unwrap_err().problem, Problem::MissingDirectory, "{}", profile.name);
            let put = remote.put("m", Vec::new(), Creation::Plain).await;
            assert_eq!(put.unwrap_err().problem, Problem::MissingDirectory, "{}", profile.name);
        }
    }
}

#[tokio::test]
async fn storing_that_only_pretends_is_seen_afterwards() {
    let (server, remote) = directory(profiles::SABRE).await;
    let folder = tempfile::tempdir().unwrap();
    let file = a_file(&folder, 1000);
    server.fail(Fault::StoresNothing.on("PUT"));
    remote.upload("b", &file, &SILENT()).await.unwrap();
    assert!(remote.head("b").await.unwrap_err().is_missing());
    server.fail(Fault::StoresPart(10).on("PUT"));
    remote.upload("c", &file, &SILENT()).await.unwrap();
    assert_eq!(remote.head("c").await.unwrap().length, Some(10));
}

#[tokio::test]
async fn a_lost_answer_to_a_guarded_write_is_not_taken_for_another_writer() {
    let (server, remote) = directory(profiles::LIGHTTPD).await;
    remote.apply(&Capabilities { if_none_match: true, ..Capabilities::default() });
    server.fail(Fault::LostAnswer.on("PUT"));
    remote.put("m", b"mine".to_vec(), Creation::OnlyNew).await.unwrap();
    assert_eq!(server.requests().iter().filter(|request| request.header("if-none-match") == Some("*")).count(), 2);
    let error = remote.put("m", b"other".to_vec(), Creation::OnlyNew).await.unwrap_err();
    assert_eq!(error.problem, Problem::Exists);
    assert_eq!(server.read("backup/tgsignd/m").unwrap(), b"mine");
}

#[tokio::test]
async fn conditions_are_sent_only_where_they_were_proven() {
    let (server, remote) = directory(profiles::NGINX).await;
    let report = remote.probe().await.unwrap();
    remote.apply(&report.capabilities);
    server.forget_requests();
    remote.put("m", b"mine".to_vec(), Creation::OnlyNew).await.unwrap();
    assert_eq!(server.requests()[0].header("if-none-match"), None);
}

#[tokio::test]
async fn redirects_are_followed_only_for_reading_and_never_with_the_password_elsewhere() {
    let (server, remote) = directory(profiles::LIGHTTPD).await;
    let other = Server::start(profiles::LIGHTTPD).await.unwrap();
    server.write("backup/tgsignd/b", b"content");
    let elsewhere = format!("{}x?sign=secret", other.url());
    for method in ["PUT", "DELETE", "GET", "PROPFIND"] {
        server.fail(Fault::Redirect(307, elsewhere.clone()).on(method));
    }
    let refused = [
        remote.put("a", Vec::new(), Creation::Plain).await.unwrap_err(),
        remote.delete("a").await.unwrap_err(),
        remote.get("a", 9).await.unwrap_err(),
        remote.list().await.unwrap_err(),
    ];
    for error in refused {
        assert!(matches!(&error.problem, Problem::Redirected(to) if !to.contains("secret")), "{error}");
    }
    assert!(other.requests().is_empty());
    server.fail(Fault::Redirect(302, "b".to_owned()).on("GET").at("/a"));
    assert_eq!(remote.get("a", 9).await.unwrap().bytes, b"content");
    server.fail(Fault::Redirect(302, "a".to_owned()).on("GET").times(99));
    assert!(matches!(remote.get("a", 9).await.unwrap_err().problem, Problem::Redirected(_)));
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_and_one_that_thinks_after_an_upload_is_not() {
    let server = Server::start(profiles::LIGHTTPD).await.unwrap();
    server.make_directory("backup/tgsignd");
    let timeouts = Timeouts {
        connect: Duration::from_millis(100),
        idle: Duration::from_millis(100),
        answer: Duration::from_mins(1),
    };
    let remote = Remote::new(super::RemoteSettings { timeouts, ..settings(&server.url()) }.check().unwrap()).unwrap();
    server.fail(Fault::Hang.on("PROPFIND"));
    assert!(matches!(remote.list().await.unwrap_err().problem, Problem::Idle(_)));
    let folder = tempfile::tempdir().unwrap();
    let file = a_file(&folder, 1000);
    server.fail(Fault::Slow(Duration::from_millis(500)).on("PUT"));
    remote.upload("b", &file, &SILENT()).await.unwrap();
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_sent_is_no_upload() {
    let (server, remote) = directory(profiles::LIGHTTPD).await;
    let folder = tempfile::tempdir().unwrap();
    let file = a_file(&folder, 1_000_000);
    let progress = Progress::new({
        let file = file.clone();
        move |_| std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(10).unwrap()
    });
    let error = remote.upload("b", &file, &progress).await.unwrap_err();
    assert!(matches!(&error.problem, Problem::LocalFile(cause) if cause.contains("shorter")), "{error}");
    assert_eq!(server.read("backup/tgsignd/b"), None);
    let missing = remote.upload("b", &folder.path().join("missing"), &SILENT()).await.unwrap_err();
    assert!(matches!(missing.problem, Problem::LocalFile(_)), "{missing}");
}
