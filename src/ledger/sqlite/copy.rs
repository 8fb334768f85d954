//! Consistent copies of a database that is in use, for the backup, and the way back.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags};

use super::column::from_instant;
use super::fault::Fault;
use super::{SqliteLedger, open};
use crate::ledger::{LedgerError, StorageProblem};
use crate::names::Slot;

/// Of claims that are not recent those stay that say where a task and account stand; see [`crate::ledger::Ledger::prune`].
const COPY_RECENT: &str = "
    BEGIN;
    DELETE FROM main.instance;
    INSERT INTO main.instance SELECT * FROM live.instance;
    INSERT INTO main.claims SELECT * FROM live.claims WHERE slot >= ?1 OR closed_at IS NULL OR closed_at >= ?2 OR id IN (
        SELECT id FROM (SELECT id, MAX(closed_at) FROM live.claims GROUP BY task, account)
        UNION SELECT id FROM (SELECT id, MAX(closed_at) FROM live.claims
            WHERE outcome IN ('succeeded', 'already_done', 'delivered') GROUP BY task, account)
        UNION SELECT id FROM (SELECT id, MAX(slot) FROM live.claims WHERE trigger <> 'manual' GROUP BY task, account));
    INSERT INTO main.attempts SELECT attempts.* FROM main.claims JOIN live.attempts ON claim = claims.id;
    INSERT INTO main.journal SELECT journal.* FROM main.claims JOIN live.journal ON claim = claims.id;
    INSERT INTO main.active SELECT * FROM live.active;
    INSERT INTO main.deadline_alarms SELECT * FROM live.deadline_alarms;
    COMMIT;";

const MERGE: &str = "
    BEGIN IMMEDIATE;
    INSERT OR REPLACE INTO main.instance SELECT * FROM recent.instance;
    DELETE FROM main.claims WHERE id IN (SELECT id FROM recent.claims);
    INSERT OR REPLACE INTO main.claims SELECT * FROM recent.claims;
    INSERT INTO main.attempts SELECT * FROM recent.attempts;
    INSERT OR REPLACE INTO main.journal SELECT * FROM recent.journal;
    DELETE FROM main.active;
    INSERT INTO main.active SELECT * FROM recent.active;
    INSERT OR REPLACE INTO main.deadline_alarms SELECT * FROM recent.deadline_alarms;
    COMMIT;";

impl SqliteLedger {
    /// Writes a consistent, compact copy of `source`, which may be in use, to `target`, which must not exist (0600). Copies of
    /// the same rows have the same bytes. Blocks; writers of `source` are not held up.
    pub fn copy_into(source: &Path, target: &Path) -> Result<(), LedgerError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let copy = || -> Result<(), Fault> {
            let connection = Connection::open_with_flags(source, flags)?;
            connection.busy_timeout(open::BUSY)?;
            vacuum_into(&connection, target)
        };
        copy().map_err(|fault| fault.into_error(source))?;
        Self::check(target)
    }

    /// Like [`SqliteLedger::copy_into`], with those claims only that are open, whose slot is at or after `since` or that ended
    /// since then, and of every task and account those that say where it stands.
    pub fn copy_recent_into(source: &Path, target: &Path, since: DateTime<Utc>) -> Result<(), LedgerError> {
        let building = Unfinished::beside(target);
        let copy = || -> Result<(), Fault> {
            let connection = open::open_new(&building.0)?;
            attach(&connection, source, "live")?;
            let (slot, instant) = (Slot::at(since).unix_seconds(), from_instant(since));
            let statements = COPY_RECENT.replace("?1", &slot.to_string()).replace("?2", &instant.to_string());
            connection.execute_batch(&statements)?;
            vacuum_into(&connection, target)
        };
        copy().map_err(|fault| fault.into_error(source))?;
        Self::check(target)
    }

    /// Reads a whole database that nobody else has open and says whether everything in it fits together.
    pub fn check(file: &Path) -> Result<(), LedgerError> {
        let connection = open::open_known(file)?;
        let verdict = || -> Result<Option<String>, Fault> {
            let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
            let dangling = connection.prepare("PRAGMA foreign_key_check")?.exists([])?;
            super::history::instance(&connection)?;
            Ok(Some(verdict)
                .filter(|verdict| verdict != "ok")
                .or(dangling.then(|| "rows without their claim".to_owned())))
        };
        match verdict().map_err(|fault| fault.into_error(file))? {
            None => Ok(()),
            Some(cause) => Err(LedgerError::Storage { file: file.to_owned(), problem: StorageProblem::Corrupt, cause }),
        }
    }

    /// Brings `whole` up to date with `recent`, a later copy of the same ledger made by [`SqliteLedger::copy_recent_into`]. Nobody
    /// else may have them open; afterwards both are single files.
    pub fn merge(whole: &Path, recent: &Path) -> Result<(), LedgerError> {
        // Either may come from an earlier version; opening brings it up to date.
        drop(open::open(recent)?);
        let connection = open::open(whole)?;
        let merge = || -> Result<(), Fault> {
            attach(&connection, recent, "recent")?;
            connection.execute_batch(MERGE)?;
            connection.execute_batch("DETACH recent")?;
            Ok(connection.pragma_update(None, "journal_mode", "DELETE")?)
        };
        merge().map_err(|fault| fault.into_error(whole))
    }
}

fn attach(connection: &Connection, file: &Path, name: &str) -> Result<(), Fault> {
    connection.execute(&format!("ATTACH ?1 AS {name}"), [text(file)?])?;
    Ok(())
}

fn vacuum_into(connection: &Connection, target: &Path) -> Result<(), Fault> {
    // An empty file is accepted, and has the mode that it was made with.
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(target)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    connection.execute("VACUUM INTO ?1", [text(target)?])?;
    Ok(())
}

fn text(path: &Path) -> Result<&str, Fault> {
    path.to_str().ok_or_else(|| Fault::Unreadable {
        what: path.display().to_string(),
        cause: "paths of databases have to be UTF-8".to_owned(),
    })
}

/// A database that is removed with its log when it is no longer needed.
struct Unfinished(PathBuf);

impl Unfinished {
    fn beside(target: &Path) -> Self {
        let unfinished = Self(with_suffix(target, ".building"));
        unfinished.remove();
        unfinished
    }

    fn remove(&self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let _ = std::fs::remove_file(with_suffix(&self.0, suffix));
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.remove();
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
#[path = "copy_tests.rs"]
mod tests;
