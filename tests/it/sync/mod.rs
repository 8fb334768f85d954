//! The engine of the backup and its commands, with real data directories, on every simulated server and the real ones.

mod actor;
mod commands;
mod cut_off;
mod host;
mod hostile;
mod inbox;
mod owners;
mod racing;
mod round_trip;
mod stores;

use host::{Host, KEY};
use tgsignd::backup::sync::{Committed, History, Outcome, Reason, SyncError};
use webdav_sim::{Profile, Server};

/// All that can keep a backup.
fn profiles() -> impl Iterator<Item = Profile> {
    webdav_sim::profiles::ALL.iter().filter(|profile| profile.name != webdav_sim::profiles::NGINX_STOCK.name).copied()
}

async fn server() -> Server {
    Server::start(webdav_sim::profiles::APACHE).await.unwrap()
}

#[track_caller]
fn new_generation(outcome: Result<Outcome, SyncError>) -> Committed {
    match outcome {
        Ok(Outcome::Committed(committed)) => *committed,
        other => panic!("no new generation: {other:?}"),
    }
}

/// A commit of whatever there is.
async fn commit(host: &mut Host) -> Result<Outcome, SyncError> {
    let inputs = host.inputs(History::WhenDue);
    host.engine.commit(&inputs, Reason::Interval).await
}

/// One more run in the ledger, and a commit.
async fn commit_more(host: &mut Host) -> Result<Outcome, SyncError> {
    host.work();
    commit(host).await
}
