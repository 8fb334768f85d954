//! The data directory: its folders, its one owner, its ledger.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::backup::place::{Recovered, RestoreError, recover};
use crate::kernel::record::Instance;
use crate::ledger::{DirectoryLock, LedgerError, LedgerHandle, LockError, SqliteLedger};

/// The data directory when neither `--datadir` nor `TGSIGND_DATADIR` names one.
pub const DEFAULT: &str = "/var/lib/tgsignd";

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatadirError {
    /// A folder cannot be made or read.
    #[error("the data directory {}: {error}; create it for the user that runs tgsignd, or name another one with --datadir or TGSIGND_DATADIR", .path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// In the words of the operating system.
        error: io::Error,
    },
    /// Sessions are as good as the accounts: nobody else may write here.
    #[error("the data directory {} can be written by others; run chmod 700 on it", .0.display())]
    Exposed(PathBuf),
    /// Another process owns it.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The database.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A restore that was stopped.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

/// A data directory that this process owns.
#[derive(Debug)]
pub struct Datadir {
    /// Its path.
    pub path: PathBuf,
    /// Its database.
    pub ledger: LedgerHandle,
    /// What was drawn when it was created.
    pub instance: Instance,
    lock: DirectoryLock,
}

/// The lock file of a data directory.
pub fn lock_file(path: &Path) -> PathBuf {
    path.join("state").join("lock")
}

/// The database of a data directory.
pub fn database(path: &Path) -> PathBuf {
    path.join("state").join("state.db")
}

/// How often models were asked today.
pub fn model_calls(path: &Path) -> PathBuf {
    path.join("state").join("model-calls.json")
}

/// Makes the folders that are missing and checks who may write.
pub fn prepare(path: &Path) -> Result<(), DatadirError> {
    let folders =
        [path.to_owned(), path.join("sessions"), path.join("state"), path.join("logs"), path.join("logs/runs")];
    for folder in folders {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|error| DatadirError::Folder { path: folder, error })?;
    }
    let mode =
        fs::metadata(path).map_err(|error| DatadirError::Folder { path: path.to_owned(), error })?.permissions().mode();
    if mode & 0o022 != 0 {
        return Err(DatadirError::Exposed(path.to_owned()));
    }
    if mode & 0o055 != 0 {
        warn!(path = %path.display(), "the data directory can be read by others; chmod 700 is recommended");
    }
    Ok(())
}

/// A data directory that this process owns and whose ledger is not open.
#[derive(Debug)]
pub struct LockedDatadir {
    path: PathBuf,
    lock: DirectoryLock,
}

impl LockedDatadir {
    /// Takes the data directory for this process. What an interrupted restore left is finished or removed.
    pub fn take(path: &Path) -> Result<Self, DatadirError> {
        prepare(path)?;
        let lock = DirectoryLock::acquire(&lock_file(path))?;
        match recover(path)? {
            Recovered::Nothing => {}
            Recovered::Discarded => {
                warn!("a restore had been stopped before it changed anything; its files were removed")
            }
            Recovered::Finished => warn!("a restore had been stopped in the middle, and was finished"),
        }
        Ok(Self { path: path.to_owned(), lock })
    }

    /// Opens its ledger.
    pub async fn open(self) -> Result<Datadir, DatadirError> {
        let Self { path, lock } = self;
        // A restore may have brought less than there has to be.
        prepare(&path)?;
        let file = database(&path);
        let engine = SqliteLedger::open(&file)?;
        let ledger =
            LedgerHandle::start(engine, &file).map_err(|error| DatadirError::Folder { path: path.clone(), error })?;
        let instance = ledger.instance().await?;
        Ok(Datadir { path, ledger, instance, lock })
    }
}

impl Datadir {
    /// Takes the data directory for this process and opens its ledger.
    pub async fn open(path: &Path) -> Result<Self, DatadirError> {
        LockedDatadir::take(path)?.open().await
    }

    /// Closes the ledger and keeps the data directory.
    pub async fn close(self) -> Result<LockedDatadir, LedgerError> {
        self.ledger.close().await?;
        Ok(LockedDatadir { path: self.path, lock: self.lock })
    }
}
