//! What goes wrong on durable storage, and what to do about it.

use std::path::PathBuf;

use crate::names::RunId;

/// The ledger could not do what it was asked.
///
/// It can be cloned because one failed commit is the answer to everybody who waited for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The storage refused.
    #[error("{}: {problem}: {cause}; {}", file.display(), problem.advice())]
    Storage {
        /// The database.
        file: PathBuf,
        /// What kind of refusal.
        problem: StorageProblem,
        /// In the words of the storage.
        cause: String,
    },
    /// A newer tgsignd wrote the database.
    #[error(
        "{}: has version {found}, this tgsignd knows up to {known}; run the newer tgsignd, or restore an older data directory",
        file.display()
    )]
    NewerVersion {
        /// The database.
        file: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// A row cannot be understood.
    #[error("{}: {what} cannot be understood: {cause}; was it edited, or written by another version?", file.display())]
    Unreadable {
        /// The database.
        file: PathBuf,
        /// Which row.
        what: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A journal entry or a result for a run that was never claimed.
    #[error("run {0} was never claimed, or was pruned")]
    UnknownRun(RunId),
    /// The thread that owns the database has ended; the cause is in the log.
    #[error("{}: the ledger has stopped; restart tgsignd, the log says why", file.display())]
    Stopped {
        /// The database.
        file: PathBuf,
    },
}

/// What kind of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageProblem {
    /// No space, or over quota.
    Full,
    /// The file or its file system cannot be written.
    ReadOnly,
    /// The file is not a database, or is damaged.
    Corrupt,
    /// Another connection holds it.
    Locked,
    /// The file cannot be opened or created.
    CannotOpen,
    /// Reading or writing failed.
    InputOutput,
    /// Anything else: a fault of tgsignd.
    Internal,
}

impl StorageProblem {
    fn advice(self) -> &'static str {
        match self {
            Self::Full => "free some space, nothing was lost; sign-ins wait until it can be written",
            Self::ReadOnly => "make the file and its folder writable for the user that runs tgsignd",
            Self::Corrupt => {
                "it was left as it is: put a backup in its place, or move it away to begin with an empty one"
            }
            Self::Locked => "end the program that holds it, such as an open sqlite3 shell",
            Self::CannotOpen => "check that the folder exists and belongs to the user that runs tgsignd",
            Self::InputOutput => "check the disk and the system log",
            Self::Internal => "this is a fault of tgsignd, please report it",
        }
    }
}

impl std::fmt::Display for StorageProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full => "no space left",
            Self::ReadOnly => "not writable",
            Self::Corrupt => "not a usable database",
            Self::Locked => "held by another program",
            Self::CannotOpen => "cannot be opened",
            Self::InputOutput => "reading or writing failed",
            Self::Internal => "unexpected",
        })
    }
}
