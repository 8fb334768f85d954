//! What commands do when no daemon runs: the same kernel and the same actors, for one task.

use std::path::Path;
use std::sync::Arc;

use chrono::Utc;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::account::{self, AccountHandle, Job, RunReply, Shared};
use super::datadir::{self, Datadir, DatadirError};
use super::given_up::Before;
use super::rehearsal::Rehearsal;
use super::reload;
use crate::ai::Budget;
use crate::config::Snapshot;
use crate::kernel::status::{Build, Status};
use crate::kernel::{Event, Kernel, OnceError, Seeds};
use crate::names::{AccountName, TaskName};
use crate::schedule::Seed;
use crate::telegram::network::Network;

/// Why a task could not be run without a daemon.
#[derive(Debug, thiserror::Error)]
pub enum AloneError {
    /// The data directory, or another process that owns it.
    #[error(transparent)]
    Datadir(#[from] DatadirError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] crate::ledger::LedgerError),
    /// The task or the account.
    #[error(transparent)]
    Once(#[from] OnceError),
}

/// A kernel with what the ledger knows and this configuration in force; nothing it asks for is carried out.
async fn kernel(datadir: &Datadir, snapshot: Arc<Snapshot>) -> Result<Kernel, AloneError> {
    let seeds = Seeds {
        seed: Seed(datadir.instance.install_seed),
        positions: datadir.ledger.positions().await?,
        open: Vec::new(),
        starts: Vec::new(),
    };
    let build = Build { version: env!("CARGO_PKG_VERSION").to_owned(), revision: None, rustc: None };
    let now = Utc::now();
    let mut kernel = Kernel::new(seeds, Status::new(build, now));
    // Nothing is missed by a command: slots before now belong to the daemon.
    kernel.handle(now, Event::Loaded { snapshot, active_since: std::collections::BTreeMap::new() });
    Ok(kernel)
}

/// Runs a task on its accounts, at the same time, and returns what came of each. Owns the data directory meanwhile.
pub async fn once(
    datadir: &Path,
    snapshot: Arc<Snapshot>,
    task: &TaskName,
    account: Option<&AccountName>,
) -> Result<Vec<(AccountName, RunReply)>, AloneError> {
    let datadir = Datadir::open(datadir).await?;
    let mut kernel = kernel(&datadir, Arc::clone(&snapshot)).await?;
    let orders = kernel.once(Utc::now(), task, account)?;
    let (events, _unheard) = mpsc::unbounded_channel();
    let (_going_on, stop) = watch::channel(false);
    let shared = shared(&datadir, &snapshot, events, stop);
    let mut actors = JoinSet::new();
    let mut waiting = Vec::new();
    for order in orders {
        let name = order.key.account.clone();
        let reach = snapshot.accounts.get(&name).and_then(|account| reload::reach(&snapshot, account));
        let Some(reach) = reach else { continue };
        let (handle, _) = AccountHandle::start(name.clone(), reach, Arc::clone(&shared), &mut actors);
        let (reply, answer) = mpsc::channel(1);
        let _ = handle.give(Job::Run { order: Box::new(order), after: Before::default(), reply: Some(reply) });
        waiting.push((name, handle, answer));
    }
    let mut replies = Vec::new();
    for (name, handle, mut answer) in waiting {
        let reply =
            answer.recv().await.unwrap_or_else(|| RunReply::Refused("an internal error ended the run".to_owned()));
        replies.push((name, reply));
        drop(handle);
    }
    actors.join_all().await;
    datadir.ledger.close().await?;
    Ok(replies)
}

/// What a task would do on its accounts. Owns the data directory meanwhile.
pub async fn rehearse(
    datadir: &Path,
    snapshot: Arc<Snapshot>,
    task: &TaskName,
    account: Option<&AccountName>,
) -> Result<Vec<(AccountName, Result<Rehearsal, String>)>, AloneError> {
    let datadir = Datadir::open(datadir).await?;
    let (task, accounts) = kernel(&datadir, Arc::clone(&snapshot)).await?.find(task, account)?;
    let (events, _unheard) = mpsc::unbounded_channel();
    let (_going_on, stop) = watch::channel(false);
    let shared = shared(&datadir, &snapshot, events, stop);
    let mut actors = JoinSet::new();
    let mut told = Vec::new();
    for name in accounts {
        let reach = snapshot.accounts.get(&name).and_then(|account| reload::reach(&snapshot, account));
        let Some(reach) = reach else { continue };
        let (handle, _) = AccountHandle::start(name.clone(), reach, Arc::clone(&shared), &mut actors);
        let (reply, mut answer) = mpsc::channel(1);
        let _ = handle.give(Job::Rehearse { task: Arc::clone(&task), reply });
        let lost = || Err("an internal error ended it".to_owned());
        told.push((name, answer.recv().await.unwrap_or_else(lost)));
    }
    actors.join_all().await;
    drop(shared);
    datadir.ledger.close().await?;
    Ok(told)
}

fn shared(
    datadir: &Datadir,
    snapshot: &Snapshot,
    events: mpsc::UnboundedSender<Event>,
    stop: watch::Receiver<bool>,
) -> Arc<Shared> {
    let limit = snapshot.ai.as_ref().map_or(0, |ai| ai.daily_limit);
    Arc::new(Shared {
        datadir: datadir.path.clone(),
        ledger: datadir.ledger.clone(),
        instance: datadir.instance.clone(),
        events,
        stop,
        uncertain_until: None,
        ownership: None,
        model_calls: Arc::new(Budget::kept(limit, &datadir::model_calls(&datadir.path))),
        network: Network::here(),
        look_every: account::LOOK_EVERY,
        places: Arc::new(Semaphore::new(account::PLACES)),
    })
}

/// The status as a daemon that starts now would see it.
pub async fn status(datadir: &Path, snapshot: Arc<Snapshot>) -> Result<Status, AloneError> {
    let datadir = Datadir::open(datadir).await?;
    let mut kernel = kernel(&datadir, snapshot).await?;
    let status = kernel.status().clone();
    datadir.ledger.close().await?;
    Ok(status)
}
