//! `run`: the daemon.

use super::arguments::RunArgs;
use super::{Cli, CliError, Exit, workdir};
use crate::config::{Log, LogFormat};
use crate::daemon::backup::{BootError, FirstBoot, Orders};
use crate::daemon::datadir::DatadirError;
use crate::daemon::logging;
use crate::daemon::reload::{Accepted, Reader};
use crate::daemon::service::{self, Options, StartError};
use crate::daemon::watcher::Watcher;
use crate::daemon::workdir::{Reread, process_environment};
use crate::telegram::network::Network;

/// Threads for what takes its time: reading the workdir, keys, the backup.
const BLOCKING_THREADS: usize = 16;

/// Runs until a signal.
pub(super) fn run(cli: &Cli, arguments: &RunArgs) -> Result<Exit, CliError> {
    let (workdir, environment) = (workdir::path(cli), process_environment());
    let mut reader = Reader::default();
    let first = reader.read(&workdir, environment.clone(), &Reread::Everything);
    let mut watcher = Watcher::default();
    watcher.watch(reader.folders());
    let log = logging::install(&log_settings(cli, first.as_ref().ok()))
        .map_err(|error| CliError::new(Exit::Configuration, error.to_string()))?;
    let failed = |error| CliError::new(Exit::Failure, format!("cannot start: {error}"));
    let options = Options {
        workdir,
        network: Network::start().map_err(failed)?,
        watcher,
        reader,
        first,
        datadir: workdir::datadir(cli),
        strict: arguments.strict,
        environment,
        backup: backup_orders(arguments)?,
    };
    logging::log_panics();
    // `-v` is for this process and is not undone by a reload.
    let log = (cli.verbose == 0).then_some(log);
    raise_open_files();
    // Everything but grammers' connections: it is far from filling one thread, and half of a check-in's processor time went into
    // waking others.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .map_err(failed)?;
    let ended = runtime.block_on(service::run(options, log));
    runtime.shutdown_background();
    ended.map(|()| Exit::Success).map_err(|error| CliError::new(exit(&error), error.to_string()))
}

/// A run holds a socket, a lock and a transcript open: the usual soft limit of 1024 ends below 350 accounts.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // The unit has raised it already, and forbids the call.
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::debug!(%error, "the limit of open files stays");
    }
}

fn backup_orders(arguments: &RunArgs) -> Result<Orders, CliError> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let date = variable("TGSIGND_FIRST_BOOT");
    let first_boot = FirstBoot::new(arguments.first_boot, date.as_deref(), chrono::Utc::now())
        .map_err(|error| CliError::new(Exit::Configuration, error.to_string()))?;
    Ok(Orders { first_boot, resolve: variable("TGSIGND_BACKUP_RESOLVE") })
}

fn exit(error: &StartError) -> Exit {
    match error {
        StartError::Configuration(_) | StartError::Backup(BootError::Configuration(_)) => Exit::Configuration,
        StartError::Datadir(DatadirError::Locked(_)) => Exit::TryAgain,
        _ => Exit::Failure,
    }
}

/// How to log before a configuration is in force: as the workdir says if it is valid, else as usual.
fn log_settings(cli: &Cli, first: Option<&Accepted>) -> Log {
    let mut log = first
        .map_or_else(|| Log { format: LogFormat::Auto, level: "info".to_owned() }, |first| first.snapshot.log.clone());
    match cli.verbose {
        0 => {}
        1 => "info,tgsignd=debug".clone_into(&mut log.level),
        _ => "debug,tgsignd=trace".clone_into(&mut log.level),
    }
    log
}
