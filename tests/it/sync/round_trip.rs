//! There and back.

use tgsignd::backup::log::Survey;
use tgsignd::backup::manifest::Generation;
use tgsignd::backup::place::Only;
use tgsignd::backup::sync::{Level, Outcome, RestoreOrder, SyncError};
use webdav_sim::Server;

use super::{Host, KEY, commit, commit_more, new_generation, profiles, server};
use crate::kit::webdav_servers::{Kind, WebdavServer};

const ALL: RestoreOrder = RestoreOrder { generation: None, to: None, only: Only::ALL };

/// Commits, looks, verifies and restores.
async fn everything(url: &str) {
    let mut host = Host::used(url);
    assert_eq!(host.engine.survey().await.unwrap(), Survey::Empty);
    let first = new_generation(commit(&mut host).await);
    assert!(first.bytes > 0 && first.left_out.is_empty() && first.tidying.is_none(), "{first:?}");
    assert_eq!(commit(&mut host).await.unwrap(), Outcome::Unchanged);
    host.restart();
    assert_eq!(commit(&mut host).await.unwrap(), Outcome::Unchanged, "also after a restart");

    host.sign_in("bob", 1002);
    let second = new_generation(commit_more(&mut host).await);
    assert_eq!(second.generation.manifest.generation.number(), 2);
    for _ in 0..2 {
        let check = host.engine.head_check().await.unwrap();
        assert!(matches!(check.survey, Survey::Head(_)) && !check.disagreed, "{check:?}");
    }
    let verified = host.reader().verify(Level::Decrypted).await.unwrap();
    let levels: Vec<_> = verified.into_iter().map(|one| one.result).collect();
    assert_eq!(levels, [Ok(Level::Decrypted), Ok(Level::Ciphertext)]);

    let mut other = Host::empty(url, KEY);
    let restored = other.engine.restore(&ALL).await.unwrap();
    assert_eq!((restored.head.name, restored.report.sessions.len()), (second.generation.name, 2));
    assert_eq!((other.sessions(), other.runs()), (host.sessions(), host.runs()));
    let workdir = std::fs::read(other.datadir().join("workdir/tgsignd.toml")).unwrap();
    assert_eq!(workdir, b"version = 1\n");
    other.restart();
    assert_eq!(commit(&mut other).await.unwrap(), Outcome::Unchanged, "what was restored is what is there");
    assert_eq!(new_generation(commit_more(&mut other).await).generation.manifest.generation.number(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_directory_goes_there_and_back_on_every_profile() {
    for profile in profiles() {
        println!("{}", profile.name);
        let server = Server::start(profile).await.unwrap();
        everything(&server.url()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_on_every_real_server() {
    for kind in Kind::ALL {
        let Some(server) = WebdavServer::start(kind).await else { continue };
        println!("{kind:?}");
        everything(&server.url()).await;
    }
}

#[tokio::test]
async fn a_server_that_cannot_list_is_refused_before_anything_is_sent_there() {
    let server = Server::start(webdav_sim::profiles::NGINX_STOCK).await.unwrap();
    let mut host = Host::used(&server.url());
    let error = commit(&mut host).await.unwrap_err();
    assert!(error.to_string().contains("dav-ext"), "{error}");
    assert_eq!(server.files(), Vec::<String>::new());
}

#[tokio::test]
async fn an_unchanged_tick_sends_nothing() {
    let server = server().await;
    let mut host = Host::used(&server.url());
    new_generation(commit(&mut host).await);
    server.forget_requests();
    let before = host.engine.traffic().sent;
    assert_eq!(commit(&mut host).await.unwrap(), Outcome::Unchanged);
    assert_eq!((server.requests().len(), host.engine.traffic().sent - before), (0, 0));
    host.engine.head_check().await.unwrap();
    let methods: Vec<String> = server.requests().into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["PROPFIND", "GET"]);
}

#[tokio::test]
async fn retention_leaves_what_is_to_be_kept_and_traffic_is_counted() {
    let server = server().await;
    let mut host = Host::used(&server.url());
    new_generation(commit(&mut host).await);
    for _ in 0..5 {
        assert_eq!(new_generation(commit_more(&mut host).await).tidying, None);
    }
    let left: Vec<u64> =
        host.engine.generations().await.unwrap().iter().map(|listed| listed.generation.number()).collect();
    assert_eq!(left, [6, 5, 4]);
    // Three cores and the history that all of them share.
    assert_eq!(server.files().iter().filter(|name| name.contains("-b-")).count(), 4);
    let month = host.engine.notebook().month;
    assert!(month.sent > 0 && month.received > month.sent / 2, "{month:?}");
}

#[tokio::test]
async fn an_older_generation_and_a_part_come_back_on_demand() {
    let server = server().await;
    let mut host = Host::used(&server.url());
    new_generation(commit(&mut host).await);
    new_generation(commit_more(&mut host).await);
    let first = Generation::FIRST;
    host.engine.restore(&RestoreOrder { generation: Some(first), ..ALL }).await.unwrap();
    assert_eq!(host.runs(), 1);
    host.restart();
    host.sign_in("carol", 1003);
    assert_eq!(new_generation(commit(&mut host).await).generation.manifest.generation.number(), 3);

    host.sign_in("bob", 1002);
    let only = Only { sessions: true, ledger: false, workdir: false };
    let runs = host.runs();
    host.engine.restore(&RestoreOrder { only, ..ALL }).await.unwrap();
    assert_eq!((host.sessions().len(), host.runs()), (3, runs), "a session that the backup does not know stays");

    let missing = first.next().and_then(Generation::next).and_then(Generation::next);
    let error = host.engine.restore(&RestoreOrder { generation: missing, ..ALL }).await.unwrap_err();
    assert!(matches!(error, SyncError::NoSuchGeneration(_)), "{error}");
}
