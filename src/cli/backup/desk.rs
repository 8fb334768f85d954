//! Configuration, lock and engine, ready for a command.

use chrono::Utc;

use super::bars;
use crate::backup::place;
use crate::backup::sync::{Access, Engine, History, Inputs, Places, Remedy, SyncError};
use crate::cli::{Cli, CliError, Exit, workdir};
use crate::config::{self, Backup, FileContent, SETTINGS_FILE, Snapshot, Sources};
use crate::daemon::backup_setup::{self, SetupError};
use crate::daemon::datadir::{self, DatadirError};
use crate::daemon::workdir as reader;
use crate::kernel::record::Instance;
use crate::ledger::{DirectoryLock, SqliteLedger};

/// Everything a command on the backup needs.
pub(in crate::cli) struct Desk {
    pub(in crate::cli) engine: Engine,
    pub(in crate::cli) sources: Sources,
    pub(in crate::cli) snapshot: Snapshot,
    places: Places,
    _lock: Option<DirectoryLock>,
}

impl Desk {
    /// For a command that only looks: a daemon may be running.
    pub(in crate::cli) fn look(cli: &Cli) -> Result<Self, CliError> {
        Self::open(cli, None)
    }

    /// For a command that changes something here: nobody else may.
    pub(in crate::cli) fn own(cli: &Cli) -> Result<Self, CliError> {
        let path = workdir::datadir(cli);
        let failed = |error: DatadirError| {
            let exit = if matches!(error, DatadirError::Locked(_)) { Exit::TryAgain } else { Exit::Failure };
            CliError::new(exit, error.to_string())
        };
        datadir::prepare(&path).map_err(failed)?;
        let lock = DirectoryLock::acquire(&datadir::lock_file(&path)).map_err(|error| failed(error.into()))?;
        place::recover(&path).map_err(|error| CliError::new(Exit::Failure, error.to_string()))?;
        Self::open(cli, Some(lock))
    }

    fn open(cli: &Cli, lock: Option<DirectoryLock>) -> Result<Self, CliError> {
        let (sources, snapshot) = configuration(cli)?;
        let settings = settings(&snapshot)?;
        let places = Places { datadir: workdir::datadir(cli), workdir: workdir::path(cli) };
        let access = if lock.is_some() { Access::Owner } else { Access::Reader };
        let instance = instance(&places);
        let mut engine =
            backup_setup::open(settings, places.clone(), access, instance.as_ref()).map_err(|error| setup(&error))?;
        engine.watch(bars::watcher());
        Ok(Self { engine, sources, snapshot, places, _lock: lock })
    }

    /// What a commit takes along.
    pub(in crate::cli) fn inputs(&self, history: History) -> Inputs {
        backup_setup::inputs(&self.sources, self.snapshot.longest_window(), history, Utc::now())
    }

    /// After a restore the ledger is another one.
    pub(super) fn reread_instance(&mut self) -> Result<(), CliError> {
        match instance(&self.places) {
            Some(instance) => self.engine.become_instance(&instance).map_err(|error| explain(&error)),
            None => Ok(()),
        }
    }

    /// A commit needs a ledger.
    pub(super) fn must_have_ledger(&self) -> Result<(), CliError> {
        let database = datadir::database(&self.places.datadir);
        if database.exists() {
            return Ok(());
        }
        let path = self.places.datadir.display();
        let message =
            format!("there is nothing to back up in {path}: start the daemon once, or `tgsignd backup restore`");
        Err(CliError::new(Exit::Failure, message))
    }
}

fn instance(places: &Places) -> Option<Instance> {
    SqliteLedger::read_instance(&datadir::database(&places.datadir))
}

/// The configuration. A host that has nothing yet but variables is one that wants its backup restored.
pub(super) fn configuration(cli: &Cli) -> Result<(Sources, Snapshot), CliError> {
    let mut sources = if workdir::path(cli).exists() {
        workdir::sources(cli)?
    } else {
        Sources { files: [].into(), environment: reader::process_environment() }
    };
    let has_text = sources.files.contains_key(SETTINGS_FILE) || sources.environment.contains_key("TGSIGND_CONFIG");
    if !has_text {
        sources.files.insert(SETTINGS_FILE.to_owned(), FileContent::Bytes(b"version = 1\n".to_vec()));
    }
    let loaded = config::load(&sources).map_err(|findings| {
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        CliError::new(Exit::Configuration, format!("the workdir has errors\n{}", lines.join("\n")))
    })?;
    if !has_text {
        sources.files.remove(SETTINGS_FILE);
    }
    Ok((sources, loaded.snapshot))
}

fn settings(snapshot: &Snapshot) -> Result<&Backup, CliError> {
    snapshot.backup.as_ref().ok_or_else(|| {
        let message = "there is no backup: write a table [backup] with url and keys into tgsignd.toml (`tgsignd backup key` \
                       makes a key), or set TG_SIGNER_BACKUP_WEBDAV_URL and TG_SIGNER_BACKUP_ENCRYPTION_KEY";
        CliError::new(Exit::Configuration, message)
    })
}

/// An error as the process ends with it.
pub(in crate::cli) fn explain(error: &SyncError) -> CliError {
    let exit = match error.remedy() {
        Remedy::Wait => Exit::TryAgain,
        Remedy::Configure => Exit::Configuration,
        Remedy::Decide | Remedy::NothingThere | Remedy::Repair => Exit::Failure,
    };
    CliError::new(exit, error.to_string())
}

fn setup(error: &SetupError) -> CliError {
    match error {
        SetupError::Sync(error) => explain(error),
        other => CliError::new(Exit::Configuration, other.to_string()),
    }
}
