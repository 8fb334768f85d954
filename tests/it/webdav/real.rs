//! The same against real servers.

use std::path::PathBuf;

use tgsignd::backup::remote::{Creation, Level, Problem, Progress, Remote};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::round_trip::everything;
use super::{content, remote, settings};
use crate::kit::webdav_servers::{Kind, WebdavServer};

fn expected(kind: Kind) -> Level {
    match kind {
        Kind::Apache => Level::Guarded,
        Kind::Wsgidav => Level::GuardedCoarse,
        Kind::Nginx | Kind::NginxTls | Kind::Rclone => Level::CreateOnly,
        Kind::Dufs => Level::DetectOnly,
    }
}

/// All files below a folder.
fn files(folder: PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let list = if path.is_dir() { &mut folders } else { &mut found };
            list.push(path);
        }
    }
    found
}

#[tokio::test]
async fn every_server_gets_its_level_and_understands_everything() {
    for kind in Kind::ALL {
        let Some(server) = WebdavServer::start(kind).await else { continue };
        println!("{kind:?}");
        everything(&remote(&server.url())).await;
        let report = remote(&server.url()).probe().await.unwrap();
        let level = report.level();
        // Two writes may fall into two seconds.
        let coarse = kind == Kind::Wsgidav && level == Level::Guarded;
        assert!(level == expected(kind) || coarse, "{kind:?} is {level}: {:#?}", report.findings);
        assert_eq!(files(server.root()), Vec::<PathBuf>::new(), "{kind:?}");
    }
}

#[tokio::test]
async fn every_server_refuses_a_wrong_password_and_is_not_asked_again() {
    for kind in Kind::ALL {
        let Some(server) = WebdavServer::start(kind).await else { continue };
        let wrong = tgsignd::config::secret::Secret::new("guess".to_owned());
        let settings = super::RemoteSettings { password: wrong, ..settings(&server.url()) };
        let remote = Remote::new(settings.check().unwrap()).unwrap();
        for _ in 0..2 {
            let problem = remote.ensure_directory().await.unwrap_err().problem;
            assert!(matches!(problem, Problem::RefusedCredentials { .. }), "{kind:?}: {problem}");
        }
        assert_eq!(remote.answers().values().sum::<u64>(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_server_killed_in_the_middle_of_an_upload_keeps_all_that_was_there() {
    for kind in Kind::ALL {
        let Some(mut server) = WebdavServer::start(kind).await else { continue };
        let remote = remote(&server.url());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, content(2_000_000)).unwrap();
        remote.ensure_directory().await.unwrap();
        remote.put("m-1.json", b"manifest".to_vec(), Creation::Plain).await.unwrap();
        remote.upload("b-1.age", &file, &Progress::silent()).await.unwrap();

        let address = server.url().replace("http://", "").replace('/', "");
        let mut half = TcpStream::connect(&address).await.unwrap();
        let head = format!(
            "PUT /backup/tgsignd/b-2.age HTTP/1.1\r\nhost: {address}\r\nauthorization: Basic YWxpY2U6aHVudGVyMg==\r\n\
             content-length: 2000000\r\n\r\n"
        );
        half.write_all(head.as_bytes()).await.unwrap();
        half.write_all(&content(1_000_000)).await.unwrap();
        server.kill_and_restart().await;
        drop(half);

        assert_eq!(remote.get("m-1.json", 100).await.unwrap().bytes, b"manifest", "{kind:?}");
        let copy = folder.path().join("copy");
        remote.download("b-1.age", &copy, 2_000_000, &Progress::silent()).await.unwrap();
        assert_eq!(std::fs::read(&copy).unwrap(), content(2_000_000), "{kind:?}");
        remote.upload("b-3.age", &file, &Progress::silent()).await.unwrap();
        assert_eq!(remote.head("b-3.age").await.unwrap().length, Some(2_000_000), "{kind:?}");
    }
}
