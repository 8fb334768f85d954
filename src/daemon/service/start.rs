//! From a folder to a running daemon.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::Utc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::Service;
use super::backup::Link;
use super::boot::{Boot, Booted, Owned, boot};
use super::front::Front;
use super::turn::Stopped;
use crate::ai::Budget;
use crate::config::Snapshot;
use crate::daemon::account::{self, Shared};
use crate::daemon::backup::{self, BackupHandle, BootError, Orders};
use crate::daemon::datadir::{self, Datadir, DatadirError};
use crate::daemon::given_up::GivenUp;
use crate::daemon::logging::LogControl;
use crate::daemon::reload::{self, Accepted, Reader, Rejected};
use crate::daemon::ticker::Ticker;
use crate::daemon::watcher::Watcher;
use crate::daemon::{control, forgotten, last_good, systemd};
use crate::http;
use crate::kernel::record::RunFilter;
use crate::kernel::status::{Build, Status};
use crate::kernel::{Kernel, Seeds};
use crate::names::AccountName;
use crate::schedule::Seed;
use crate::telegram::network::Network;

/// What `run` was asked for.
#[derive(Debug)]
pub struct Options {
    /// The folder of TOML files.
    pub workdir: PathBuf,
    /// The folder of state.
    pub datadir: PathBuf,
    /// Watches that folder.
    pub watcher: Watcher,
    /// What was read there.
    pub reader: Reader,
    /// As it was found.
    pub first: Result<Accepted, Rejected>,
    /// Never start from the last good configuration.
    pub strict: bool,
    /// Where connections to Telegram are opened.
    pub network: Network,
    /// Variables of the process that are configuration.
    pub environment: BTreeMap<String, String>,
    /// What whoever starts the daemon knows about the backup.
    pub backup: Orders,
}

/// Why the daemon does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The workdir has errors and there is nothing to fall back on.
    #[error("the configuration has errors; `tgsignd check` shows the same:\n{}", .0.join("\n"))]
    Configuration(Vec<String>),
    /// The data directory.
    #[error(transparent)]
    Datadir(#[from] DatadirError),
    /// The health and metrics listener.
    #[error(transparent)]
    Listener(#[from] http::BindError),
    /// The control socket.
    #[error("the control socket {path}: {error}")]
    Control {
        /// The socket.
        path: PathBuf,
        /// In the words of the operating system.
        error: std::io::Error,
    },
    /// The ledger, after it had been opened.
    #[error(transparent)]
    Ledger(#[from] crate::ledger::LedgerError),
    /// The backup's server, its key, or what is there.
    #[error(transparent)]
    Backup(#[from] BootError),
    /// Signals cannot be received.
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
}

/// Runs until SIGTERM or SIGINT and the end of what that leaves to do. `log` is the level of the log, to be changed by reloads.
pub async fn run(options: Options, log: Option<LogControl>) -> Result<(), StartError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(StartError::Signals)?;
    let mut options = options;
    options.watcher.tell_trouble();
    let mut engine = None;
    let booted = tokio::select! {
        booted = boot(&mut options, &mut engine) => booted.map(Some),
        () = told_to_end(&mut terminate, &mut interrupt) => Ok(None),
    };
    if let Some(engine) = engine {
        backup::let_go(engine).await;
    }
    let Booted { datadir, accepted, refused, front, backup, uncertain_until } = match booted? {
        Some(Boot::Ready(booted)) => *booted,
        Some(Boot::Superseded(front)) => {
            // To end would be to be started again by whatever keeps containers alive, and to take over in turn.
            systemd::ready();
            idle(&front, &mut terminate, &mut interrupt).await;
            return Ok(());
        }
        None => {
            info!("stopped before it began");
            return Ok(());
        }
    };
    let forgotten = forgotten::up_to(&datadir, accepted.snapshot.history.runs).await?;
    let uncertain_until = uncertain_until.max(forgotten);
    let before = in_force_before(&options.datadir, &accepted.snapshot, &options.environment);
    let backup = backup.map(|Owned { engine, settings, restored }| {
        let (handle, reports) = BackupHandle::start(engine, &settings, restored, datadir.ledger.clone());
        Link { handle, reports }
    });
    let (mut service, control_server) =
        assemble(options, log, datadir, &accepted.snapshot, &front, uncertain_until, backup).await?;
    service.make_up_for(before).await?;
    service.begin(accepted, refused).await?;
    info!(metrics = %front.address, workdir = %service.workdir.display(), "ready");
    systemd::ready();
    service.tell_systemd();

    let stopped = service.turn_until_stopped(&mut terminate, &mut interrupt, &mut hangup).await;
    if !matches!(stopped, Stopped::Superseded) {
        systemd::stopping();
    }
    let told = service.drain(&stopped, &mut terminate, &mut interrupt).await;
    if !told {
        idle(&front, &mut terminate, &mut interrupt).await;
    }
    control_server.abort();
    front.close().await;
    if let Err(error) = std::fs::remove_file(control::path(&service.datadir.path)) {
        warn!(%error, "the control socket could not be removed");
    }
    service.datadir.ledger.close().await?;
    info!("stopped");
    Ok(())
}

/// Another process signs in.
async fn idle(front: &Front, terminate: &mut Signal, interrupt: &mut Signal) {
    info!("this process signs nothing in any more, and waits for its end");
    front.while_alive(told_to_end(terminate, interrupt)).await;
    systemd::stopping();
}

async fn told_to_end(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Everything the loop owns, and the task that serves the control socket.
pub(super) async fn assemble(
    options: Options,
    log: Option<LogControl>,
    datadir: Datadir,
    snapshot: &Snapshot,
    front: &Front,
    uncertain_until: Option<chrono::DateTime<Utc>>,
    backup: Option<Link>,
) -> Result<(Service, JoinHandle<()>), StartError> {
    let Options { workdir, datadir: datadir_path, watcher, reader, network, environment, .. } = options;
    let socket = control::bind(&datadir_path)
        .map_err(|error| StartError::Control { path: control::path(&datadir_path), error })?;
    let status = front.publisher.borrow().as_ref().clone();
    let seeds = Seeds {
        seed: Seed(datadir.instance.install_seed),
        positions: datadir.ledger.positions().await?,
        open: datadir.ledger.open_claims().await?,
        starts: recent_starts(&datadir, snapshot).await?,
    };
    let (stop, stopped) = watch::channel(false);
    let (events_in, events) = mpsc::unbounded_channel();
    let (calls_in, calls) = mpsc::channel(16);
    let (wake, wakes) = mpsc::channel(4);
    let shared = Shared {
        datadir: datadir_path.clone(),
        ledger: datadir.ledger.clone(),
        instance: datadir.instance.clone(),
        events: events_in,
        stop: stopped,
        uncertain_until,
        ownership: backup.as_ref().map(|link| link.handle.ownership()),
        model_calls: Arc::new(Budget::kept(
            snapshot.ai.as_ref().map_or(0, |ai| ai.daily_limit),
            &datadir::model_calls(&datadir.path),
        )),
        network,
        look_every: account::LOOK_EVERY,
        places: Arc::new(Semaphore::new(account::PLACES)),
    };
    let shared = Arc::new(shared);
    let control_server = tokio::spawn(control::serve(socket, calls_in));

    let (given_up, recorder) = GivenUp::new();
    let mut chores = JoinSet::new();
    chores.spawn(recorder.run(Arc::clone(&shared)));
    let (keep, kept) = watch::channel(None);
    chores.spawn(last_good::keep_newest(datadir_path.clone(), kept));
    let service = Service {
        workdir,
        environment,
        kernel: Kernel::new(seeds, status),
        shared,
        accounts: BTreeMap::new(),
        actors: JoinSet::new(),
        actor_names: BTreeMap::new(),
        chores,
        given_up: Some(given_up),
        events,
        calls,
        ticker: Ticker::start(wake),
        wakes,
        watcher,
        reader,
        keep: Some(keep),
        log,
        status: front.publisher.clone(),
        backup,
        published: Instant::now(),
        dirty: true,
        stop,
        removal: None,
        started_with: None,
        datadir,
    };
    Ok((service, control_server))
}

/// When attempts began that still count for the budget of an account.
async fn recent_starts(
    datadir: &Datadir,
    snapshot: &Snapshot,
) -> Result<Vec<(AccountName, chrono::DateTime<Utc>)>, StartError> {
    let mut starts = Vec::new();
    for account in snapshot.accounts.values() {
        let Some(budget) = account.at_most else { continue };
        let since = Some(Utc::now() - budget.per);
        let filter = RunFilter { task: None, account: Some(account.name.clone()), since, limit: usize::MAX };
        let began = datadir.ledger.runs(filter).await?.into_iter().filter_map(|run| run.started_at);
        starts.extend(began.map(|at| (account.name.clone(), at)));
    }
    Ok(starts)
}

/// The configuration that was in force when the last process ended, if it is another one than now.
fn in_force_before(datadir: &Path, now: &Snapshot, environment: &BTreeMap<String, String>) -> Option<Snapshot> {
    let sources = last_good::load(datadir, environment.clone()).ok()??;
    let before = reload::accept(Ok(sources)).ok()?.snapshot;
    (before.digest != now.digest).then_some(before)
}

/// The workdir's configuration, or with errors there the last good one.
pub(super) fn first_configuration(
    first: Result<Accepted, Rejected>,
    datadir: &Path,
    strict: bool,
    environment: &BTreeMap<String, String>,
) -> Result<(Accepted, Option<Rejected>), StartError> {
    let mut rejected = match first {
        Ok(accepted) => return Ok((accepted, None)),
        Err(rejected) => rejected,
    };
    let kept = if strict { None } else { last_good::load(datadir, environment.clone()).transpose() };
    match kept.map(reload::accept) {
        Some(Ok(accepted)) => {
            error!("the workdir has errors; the configuration that was accepted last is used until they are mended");
            Ok((accepted, Some(rejected)))
        }
        kept => {
            if let Some(Err(Rejected(errors))) = kept {
                let place = last_good::folder(datadir);
                rejected
                    .0
                    .push(format!("the configuration that was accepted last, in {}, is damaged too:", place.display()));
                rejected.0.extend(errors);
            }
            Err(StartError::Configuration(rejected.0))
        }
    }
}

/// The status of a process that has done nothing yet.
pub(super) fn new_status() -> Status {
    Status::new(build(), Utc::now())
}

fn build() -> Build {
    Build {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: option_env!("TGSIGND_REVISION").map(str::to_owned),
        rustc: option_env!("TGSIGND_RUSTC").map(str::to_owned),
    }
}
