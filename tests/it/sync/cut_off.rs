//! Real servers that get half an upload, or die over it.

use tgsignd::backup::place::Only;
use tgsignd::backup::sync::{Level, Outcome, RestoreOrder, SyncError};

use super::{Host, KEY, commit, commit_more, new_generation};
use crate::kit::relay::Relay;
use crate::kit::webdav_servers::{Kind, WebdavServer};

const ALL: RestoreOrder = RestoreOrder { generation: None, to: None, only: Only::ALL };

/// Of an archive and of a manifest.
const PASSES: [(&str, usize); 2] = [("tgsignd-b-", 200), ("tgsignd-m-", 100)];

/// A manifest is sent once more where the server was proven to guard it.
fn names_the_cause(ended: Result<Outcome, SyncError>) {
    let Err(error) = ended else { return };
    let error = error.to_string();
    println!("{error}");
    let known = ["the connection broke off", "cannot be reached", "was the upload cut off"];
    assert!(known.iter().any(|words| error.contains(words)), "{error}");
}

/// Nothing of what was good is lost, and the next commit succeeds.
async fn goes_on(host: &mut Host, url: &str) {
    let survey = host.engine.survey().await.unwrap();
    assert!(survey.is_in_order(host.engine.position()), "{survey:?}");
    new_generation(commit_more(host).await);
    let mut other = Host::empty(url, KEY);
    other.engine.restore(&ALL).await.unwrap();
    assert_eq!((other.runs(), other.sessions()), (host.runs(), host.sessions()));
    let verified = host.reader().verify(Level::Decrypted).await.unwrap();
    assert!(verified.iter().all(|one| one.result.is_ok()), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_cut_off_on_a_real_server_loses_nothing() {
    for kind in Kind::ALL {
        let Some(server) = WebdavServer::start(kind).await else { continue };
        println!("{kind:?}");
        let relay = Relay::before(&server.url()).await;
        let mut host = Host::used(&relay.url());
        new_generation(commit(&mut host).await);
        for (count, (part, passes)) in (1..).zip(PASSES) {
            relay.cut(part, passes);
            let ended = commit_more(&mut host).await;
            relay.has_caught(count).await;
            names_the_cause(ended);
            goes_on(&mut host, &server.url()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_server_killed_over_half_an_upload_loses_nothing() {
    for kind in Kind::ALL {
        let Some(mut server) = WebdavServer::start(kind).await else { continue };
        println!("{kind:?}");
        let relay = Relay::before(&server.url()).await;
        let mut host = Host::used(&relay.url());
        new_generation(commit(&mut host).await);
        for (count, (part, passes)) in (1..).zip(PASSES) {
            relay.hold(part, passes);
            let killed = async {
                relay.has_caught(count).await;
                server.kill_and_restart().await;
            };
            let (ended, ()) = tokio::join!(commit_more(&mut host), killed);
            names_the_cause(ended);
            goes_on(&mut host, &server.url()).await;
        }
    }
}
