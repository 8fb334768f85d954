//! Opening, checking and migrating the file.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::fault::Fault;
use crate::ledger::engine::Durability;
use crate::ledger::{LedgerError, StorageProblem};

/// The file is made of whole pages, of the size that `SQLite` gives to new databases.
const PAGE: u64 = 4096;

/// How long another connection (a copy for the backup, an `sqlite3` shell) may hold the file.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// Step N brings a database from version N to N + 1; steps that were released never change.
const MIGRATIONS: &[&str] = &[include_str!("migrations/1.sql"), include_str!("migrations/2.sql")];

pub(super) fn open(file: &Path) -> Result<Connection, LedgerError> {
    create(file).map_err(|error| storage_error(file, &error))?;
    check(file)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let named = |error: rusqlite::Error| Fault::from(error).into_error(file);
    let mut connection = Connection::open_with_flags(file, flags).map_err(named)?;
    prepare(&connection).map_err(named)?;
    migrate(&mut connection, MIGRATIONS).map_err(named)?;
    create_instance(&connection).map_err(named)?;
    Ok(connection)
}

/// A new database for a copy: of this version, and without syncing, because it is only a step on the way.
pub(super) fn open_new(file: &Path) -> Result<Connection, Fault> {
    create(file).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    // Without the right to create files: a database that is attached and not there must not appear.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "OFF")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    migrate(&mut connection, MIGRATIONS)?;
    Ok(connection)
}

/// Makes folder and file with their modes before `SQLite` sees them; the log files beside it inherit the file's mode.
fn create(file: &Path) -> std::io::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        restrict(folder, 0o700)?;
    }
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file)?;
    restrict(file, 0o600)
}

fn restrict(path: &Path, mode: u32) -> std::io::Result<()> {
    let permissions = std::fs::metadata(path)?.permissions();
    if permissions.mode() & 0o777 & !mode == 0 {
        return Ok(());
    }
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}

fn storage_error(file: &Path, error: &std::io::Error) -> LedgerError {
    use std::io::ErrorKind;
    let problem = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StorageProblem::Full,
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => StorageProblem::ReadOnly,
        _ => StorageProblem::CannotOpen,
    };
    LedgerError::Storage { file: file.to_owned(), problem, cause: error.to_string() }
}

/// Looks at the file through a connection that cannot write, because one that can would fold the write-ahead log into a
/// damaged file when it closes.
fn check(file: &Path) -> Result<(), LedgerError> {
    let connection = open_known(file)?;
    let named = |error: rusqlite::Error| Fault::from(error).into_error(file);
    let damaged = |cause| LedgerError::Storage { file: file.to_owned(), problem: StorageProblem::Corrupt, cause };
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(named)?;
    if verdict != "ok" {
        return Err(damaged(verdict));
    }
    if version(&connection).map_err(named)? > 0 && has_strayed(&connection).map_err(named)? {
        return Err(damaged("a claim and the index of claims disagree".to_owned()));
    }
    Ok(())
}

/// The length of a file that was cut off within a page. `SQLite` would write over one without a whole first page, and read zeros
/// at the end of another one; only what is still in the log makes good what a full disk kept from the file.
fn cut_off(file: &Path) -> Option<u64> {
    let length = |file: &Path| std::fs::metadata(file).map_or(0, |metadata| metadata.len());
    let of_file = length(file);
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let has_log = length(Path::new(&log)) > 0;
    let is_cut = (1..PAGE).contains(&of_file) || !of_file.is_multiple_of(PAGE) && !has_log;
    is_cut.then_some(of_file)
}

/// Opens a database of this version or an earlier one for reading only.
pub(super) fn open_known(file: &Path) -> Result<Connection, LedgerError> {
    if let Some(length) = cut_off(file) {
        let (problem, cause) = (StorageProblem::Corrupt, format!("it is cut off after {length} bytes"));
        return Err(LedgerError::Storage { file: file.to_owned(), problem, cause });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let named = |error: rusqlite::Error| Fault::from(error).into_error(file);
    let connection = Connection::open_with_flags(file, flags).map_err(named)?;
    connection.busy_timeout(BUSY).map_err(named)?;
    let found = version(&connection).map_err(named)?;
    let known = latest(MIGRATIONS);
    if found > known {
        return Err(LedgerError::NewerVersion { file: file.to_owned(), found, known });
    }
    Ok(connection)
}

/// Whether a claim is not where its slot is looked for: that slot would be taken a second time. The check above reads no
/// contents; this costs a third of it.
fn has_strayed(connection: &Connection) -> rusqlite::Result<bool> {
    let query = "SELECT EXISTS (SELECT 1 FROM claims AS kept NOT INDEXED WHERE NOT EXISTS (
        SELECT 1 FROM claims INDEXED BY sqlite_autoindex_claims_2
        WHERE task = kept.task AND account = kept.account AND slot = kept.slot AND id = kept.id))";
    connection.query_row(query, [], |row| row.get(0))
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    keep(connection, Durability::Synced)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // After a burst the log is cut back to this when it is folded in.
    connection.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
    Ok(())
}

/// With a write-ahead log, `NORMAL` writes every commit and syncs only before the log is folded in.
pub(super) fn keep(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    let synchronous = match durability {
        Durability::Written => "NORMAL",
        Durability::Synced => "FULL",
    };
    connection.pragma_update(None, "synchronous", synchronous)
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn latest(migrations: &[&str]) -> i64 {
    i64::try_from(migrations.len()).unwrap_or(i64::MAX)
}

/// Brings the database up to the last of `migrations`, each in a transaction of its own.
fn migrate(connection: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    let done = usize::try_from(version(connection)?).unwrap_or(0);
    for (step, statements) in migrations.iter().enumerate().skip(done) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(statements)?;
        transaction.pragma_update(None, "user_version", latest(&migrations[..=step]))?;
        transaction.commit()?;
    }
    Ok(())
}

/// Draws what identifies this data directory, once.
fn create_instance(connection: &Connection) -> rusqlite::Result<()> {
    let random = |bytes: &mut [u8]| {
        getrandom::fill(bytes).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
    };
    let (mut seed, mut secret) = ([0; 32], [0; 32]);
    random(&mut seed)?;
    random(&mut secret)?;
    connection.execute(
        "INSERT INTO instance (only_row, id, install_seed, random_id_secret) VALUES (1, ?1, ?2, ?3)
         ON CONFLICT DO NOTHING",
        (uuid::Uuid::new_v4().to_string(), seed, secret),
    )?;
    Ok(())
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
