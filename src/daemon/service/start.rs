//! From a folder to a running daemon.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::Utc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::Service;
use crate::ai::Budget;
use crate::daemon::account::Shared;
use crate::daemon::datadir::{Datadir, DatadirError};
use crate::daemon::logging::LogControl;
use crate::daemon::reload::{self, Accepted, Rejected};
use crate::daemon::ticker::Ticker;
use crate::daemon::watcher::Watcher;
use crate::daemon::{control, last_good, systemd};
use crate::http;
use crate::kernel::status::{Build, Status};
use crate::kernel::{Kernel, Seeds};
use crate::schedule::Seed;

/// What `run` was asked for.
#[derive(Debug)]
pub struct Options {
    /// The folder of TOML files.
    pub workdir: PathBuf,
    /// The folder of state.
    pub datadir: PathBuf,
    /// Never start from the last good configuration.
    pub strict: bool,
    /// Variables of the process that are configuration.
    pub environment: BTreeMap<String, String>,
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
    /// Signals cannot be received.
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
}

/// Runs until SIGTERM or SIGINT and the end of what that leaves to do. `log` is the level of the log, to be changed by reloads.
pub async fn run(options: Options, log: Option<LogControl>) -> Result<(), StartError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(StartError::Signals)?;
    // Watched before it is read, so that no change falls in between.
    let watcher = Watcher::start(&options.workdir);
    let datadir = Datadir::open(&options.datadir).await?;
    let (accepted, from_last_good) = first_configuration(&options)?;
    let listener = http::bind(&accepted.snapshot.http.listen).await?;
    let socket = control::bind(&options.datadir)
        .map_err(|error| StartError::Control { path: control::path(&options.datadir), error })?;

    let mut status = Status::new(build(), Utc::now());
    status.watcher = Some(watcher.status());
    let seeds = Seeds {
        seed: Seed(datadir.instance.install_seed),
        positions: datadir.ledger.positions().await?,
        open: datadir.ledger.open_claims().await?,
    };
    let (stop, stopped) = watch::channel(false);
    let (events_in, events) = mpsc::unbounded_channel();
    let (calls_in, calls) = mpsc::channel(16);
    let (wake, wakes) = mpsc::channel(4);
    let (publisher, observer) = watch::channel(Arc::new(status.clone()));
    let shared = Shared {
        datadir: options.datadir.clone(),
        ledger: datadir.ledger.clone(),
        instance: datadir.instance.clone(),
        events: events_in,
        stop: stopped,
        model_calls: Arc::new(Budget::new(accepted.snapshot.ai.as_ref().map_or(0, |ai| ai.daily_limit))),
    };
    let mut servers = JoinSet::new();
    let address = listener.address();
    let (close_listener, listener_closes) = tokio::sync::oneshot::channel::<()>();
    let guard = accepted.snapshot.http.guard.clone();
    servers.spawn(http::serve(listener, observer, guard, async move {
        let _ = listener_closes.await;
    }));
    let control_server = tokio::spawn(control::serve(socket, calls_in));

    let mut service = Service {
        workdir: options.workdir,
        environment: options.environment,
        kernel: Kernel::new(seeds, status),
        shared: Arc::new(shared),
        accounts: BTreeMap::new(),
        actors: JoinSet::new(),
        actor_names: BTreeMap::new(),
        chores: JoinSet::new(),
        events,
        calls,
        ticker: Ticker::start(wake),
        wakes,
        watcher,
        log,
        status: publisher,
        published: Instant::now(),
        dirty: true,
        stop,
        removal: None,
        started_with: None,
        datadir,
    };
    service.begin(accepted, from_last_good).await?;
    info!(metrics = %address, workdir = %service.workdir.display(), "ready");
    systemd::ready();
    systemd::status(&service.summary());

    service.turn_until_stopped(&mut terminate, &mut interrupt, &mut hangup).await;

    systemd::stopping();
    service.drain(&mut terminate, &mut interrupt).await;
    control_server.abort();
    let _ = close_listener.send(());
    servers.join_all().await;
    if let Err(error) = std::fs::remove_file(control::path(&options.datadir)) {
        warn!(%error, "the control socket could not be removed");
    }
    service.datadir.ledger.close().await?;
    info!("stopped");
    Ok(())
}

/// The workdir's configuration, or with errors there the last good one.
fn first_configuration(options: &Options) -> Result<(Accepted, Option<Rejected>), StartError> {
    let rejected = match reload::read(&options.workdir, options.environment.clone()) {
        Ok(accepted) => return Ok((accepted, None)),
        Err(rejected) => rejected,
    };
    let kept =
        if options.strict { None } else { last_good::load(&options.datadir, options.environment.clone()).transpose() };
    match kept.map(reload::accept) {
        Some(Ok(accepted)) => {
            error!("the workdir has errors; the configuration that was accepted last is used until they are mended");
            Ok((accepted, Some(rejected)))
        }
        _ => Err(StartError::Configuration(rejected.0)),
    }
}

fn build() -> Build {
    Build {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: option_env!("TGSIGND_REVISION").map(str::to_owned),
        rustc: option_env!("TGSIGND_RUSTC").map(str::to_owned),
    }
}
