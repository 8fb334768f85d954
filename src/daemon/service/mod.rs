//! The running daemon: one loop that turns everything that happens into events, and the kernel's effects into work.
//!
//! | file | what it does |
//! |---|---|
//! | `start` | from a folder to a running daemon |
//! | `boot` | the state, from the backup if need be, and the right to use it |
//! | `front` | the health and metrics listener |
//! | `turn` | the loop, and its end |
//! | `backup` | what the backup's actor tells |
//! | `effects` | what the kernel asks for |
//! | `reload` | a changed workdir |
//! | `commands` | what comes over the control socket |

mod backup;
mod boot;
mod commands;
mod effects;
mod front;
mod reload;
mod start;
#[cfg(test)]
mod tests;
mod turn;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

pub use start::{Options, StartError, run};

use super::account::{AccountHandle, Shared};
use super::control::Call;
use super::given_up::GivenUp;
use super::logging::LogControl;
use super::reload::Reader;
use super::ticker::{Ticker, Wake};
use super::watcher::Watcher;
use crate::config::{Snapshot, Sources};
use crate::kernel::status::Status;
use crate::kernel::{Event, Kernel};
use crate::names::AccountName;

/// Everything the loop owns.
struct Service {
    workdir: PathBuf,
    environment: BTreeMap<String, String>,
    datadir: super::datadir::Datadir,
    kernel: Kernel,
    shared: Arc<Shared>,
    accounts: BTreeMap<AccountName, AccountHandle>,
    actors: JoinSet<()>,
    actor_names: BTreeMap<Id, AccountName>,
    /// Short work whose result nobody waits for.
    chores: JoinSet<()>,
    /// To the one task that records slots that were not run, in their order; `None` at the end.
    given_up: Option<GivenUp>,
    events: mpsc::UnboundedReceiver<Event>,
    calls: mpsc::Receiver<Call>,
    ticker: Ticker,
    wakes: mpsc::Receiver<Wake>,
    watcher: Watcher,
    reader: Reader,
    /// To the one task that keeps the newest configuration for a start with a broken workdir; `None` at the end.
    keep: Option<watch::Sender<Option<Arc<Sources>>>>,
    log: Option<LogControl>,
    backup: Option<backup::Link>,
    status: watch::Sender<Arc<Status>>,
    published: Instant,
    dirty: bool,
    stop: watch::Sender<bool>,
    /// The digest of a workdir that lacks what is there now, and since when; a later reading that agrees puts it in force.
    removal: Option<(String, Instant)>,
    /// The first configuration in force: what needs a restart is what differs from it.
    started_with: Option<Arc<Snapshot>>,
}
