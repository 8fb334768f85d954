//! What a statement can fail with, before the name of the database is known.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::ledger::{LedgerError, StorageProblem};
use crate::names::RunId;

#[derive(Debug)]
pub(super) enum Fault {
    Sql(rusqlite::Error),
    Unreadable {
        what: String,
        cause: String,
    },
    UnknownRun(RunId),
    /// `SQLite` undid the whole group by itself, after a failure of the disk.
    GroupLost,
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl Fault {
    pub(super) fn into_error(self, file: &Path) -> LedgerError {
        let file = file.to_owned();
        match self {
            Self::Sql(error) => LedgerError::Storage { file, problem: problem(&error), cause: error.to_string() },
            Self::Unreadable { what, cause } => LedgerError::Unreadable { file, what, cause },
            Self::UnknownRun(run_id) => LedgerError::UnknownRun(run_id),
            Self::GroupLost => LedgerError::Storage {
                file,
                problem: StorageProblem::InputOutput,
                cause: "the transaction was undone after another statement in it failed".to_owned(),
            },
        }
    }
}

fn problem(error: &rusqlite::Error) -> StorageProblem {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StorageProblem::Full,
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => StorageProblem::ReadOnly,
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StorageProblem::Corrupt,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            StorageProblem::Locked
        }
        Some(ErrorCode::CannotOpen) => StorageProblem::CannotOpen,
        Some(ErrorCode::SystemIoFailure) => StorageProblem::InputOutput,
        _ => StorageProblem::Internal,
    }
}
