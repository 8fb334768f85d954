//! The engine on one `SQLite` file, `state/state.db`.

mod claims;
mod column;
mod copy;
mod fault;
mod history;
mod open;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags};

use self::fault::Fault;
use super::LedgerError;
use super::engine::{Durability, Engine, Ledger, Tasks};
use super::record::{
    ActivePair, Claim, ClaimHistory, ClaimResult, Instance, JournalEntry, LedgerVersion, NotRun, Position, RunFilter,
    RunRecord,
};
use crate::kernel::status::LedgerSizes;
use crate::names::{RunId, RunKey};

/// The ledger on `SQLite`, with a write-ahead log that is synced at every commit, unless a group asks for less.
#[derive(Debug)]
pub struct SqliteLedger {
    connection: Connection,
    file: PathBuf,
    durability: Cell<Durability>,
    grouped: bool,
    opening: u64,
}

/// Ledgers that this process has opened.
static OPENINGS: AtomicU64 = AtomicU64::new(0);

impl SqliteLedger {
    /// Opens `file`, creates it (0600, its folder 0700) when it does not exist, and brings an older one up to date.
    ///
    /// A damaged file, or one of a newer tgsignd, is refused and left as it is.
    pub fn open(file: &Path) -> Result<Self, LedgerError> {
        let opening = OPENINGS.fetch_add(1, Ordering::Relaxed);
        let connection = open::open(file)?;
        Ok(Self {
            connection,
            file: file.to_owned(),
            durability: Cell::new(Durability::Synced),
            grouped: false,
            opening,
        })
    }

    /// The install seed of a database that another process may be using. `None` where there is none, or where it cannot be
    /// read: nothing is created and nothing is changed.
    pub fn read_seed(file: &Path) -> Option<[u8; 32]> {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
        connection.query_row("SELECT install_seed FROM instance", [], |row| row.get(0)).ok()
    }

    /// What was drawn when a database was created that another process may be using. `None` where there is none, or where it
    /// cannot be read: nothing is created and nothing is changed.
    pub fn read_instance(file: &Path) -> Option<Instance> {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
        history::instance(&connection).ok()
    }

    /// Performs `work` completely or not at all.
    fn atomic<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, LedgerError> {
        self.savepoint(work).map_err(|fault| fault.into_error(&self.file))
    }

    fn savepoint<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.grouped && self.connection.is_autocommit() {
            return Err(Fault::GroupLost);
        }
        if !self.grouped {
            self.keep(Durability::Synced)?;
        }
        // Outside a transaction a savepoint is one.
        self.connection.execute_batch("SAVEPOINT request")?;
        let result = work(&self.connection);
        let end = if result.is_ok() { "RELEASE request" } else { "ROLLBACK TO request; RELEASE request" };
        if let Err(error) = self.connection.execute_batch(end) {
            // A commit that failed has to be undone, or the connection stays in a transaction for ever.
            let _ = self.connection.execute_batch("ROLLBACK TO request; RELEASE request");
            return result.and(Err(error.into()));
        }
        result
    }

    /// Transactions from now on are this durable.
    fn keep(&self, durability: Durability) -> rusqlite::Result<()> {
        if self.durability.get() != durability {
            open::keep(&self.connection, durability)?;
            self.durability.set(durability);
        }
        Ok(())
    }

    fn commit(&self) -> Result<(), Fault> {
        if self.connection.is_autocommit() {
            return Err(Fault::GroupLost);
        }
        self.connection.execute_batch("COMMIT").map_err(|error| {
            let _ = self.connection.execute_batch("ROLLBACK");
            error.into()
        })
    }
}

impl Engine for SqliteLedger {
    fn group(&mut self, durability: Durability, work: &mut dyn FnMut(&mut dyn Ledger)) -> Result<(), LedgerError> {
        let named = |fault: Fault, file: &Path| fault.into_error(file);
        self.keep(durability).map_err(|error| named(error.into(), &self.file))?;
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| named(error.into(), &self.file))?;
        self.grouped = true;
        work(self);
        self.grouped = false;
        self.commit().map_err(|fault| named(fault, &self.file))
    }
}

impl Ledger for SqliteLedger {
    fn claim(&mut self, claim: &Claim) -> Result<ClaimResult, LedgerError> {
        self.atomic(|connection| claims::claim(connection, claim))
    }

    fn journal(&mut self, run_id: &RunId, entry: &JournalEntry) -> Result<(), LedgerError> {
        self.atomic(|connection| claims::journal(connection, run_id, entry))
    }

    fn finish(&mut self, record: &RunRecord) -> Result<(), LedgerError> {
        self.atomic(|connection| claims::finish(connection, record))
    }

    fn record_without_run(
        &mut self,
        key: &RunKey,
        what: NotRun,
        reason: &str,
        at: DateTime<Utc>,
    ) -> Result<ClaimResult, LedgerError> {
        self.atomic(|connection| claims::record_without_run(connection, key, what, reason, at))
    }

    fn open_claims(&mut self) -> Result<Vec<ClaimHistory>, LedgerError> {
        self.atomic(claims::open_claims)
    }

    fn positions(&mut self) -> Result<Vec<Position>, LedgerError> {
        self.atomic(history::positions)
    }

    fn keep_deadline_alarm(&mut self, key: &RunKey) -> Result<(), LedgerError> {
        self.atomic(|connection| history::keep_deadline_alarm(connection, key))
    }

    fn active_since(
        &mut self,
        of: &Tasks,
        pairs: &[ActivePair],
        now: DateTime<Utc>,
    ) -> Result<Vec<DateTime<Utc>>, LedgerError> {
        self.atomic(|connection| history::active_since(connection, of, pairs, now))
    }

    fn active(&mut self) -> Result<Vec<(ActivePair, DateTime<Utc>)>, LedgerError> {
        self.atomic(history::active)
    }

    fn runs(&mut self, filter: &RunFilter) -> Result<Vec<RunRecord>, LedgerError> {
        self.atomic(|connection| history::runs(connection, filter))
    }

    fn run(&mut self, run_id: &RunId) -> Result<Option<ClaimHistory>, LedgerError> {
        self.atomic(|connection| claims::run(connection, run_id))
    }

    fn prune(
        &mut self,
        before: DateTime<Utc>,
        window_start: DateTime<Utc>,
        limit: usize,
    ) -> Result<usize, LedgerError> {
        self.atomic(|connection| history::prune(connection, before, window_start, limit))
    }

    fn instance(&mut self) -> Result<Instance, LedgerError> {
        self.atomic(history::instance)
    }

    fn version(&mut self) -> Result<LedgerVersion, LedgerError> {
        let opening = self.opening;
        self.atomic(|connection| {
            let foreign = connection.pragma_query_value(None, "data_version", |row| row.get(0))?;
            Ok(LedgerVersion { opening, written: connection.total_changes(), foreign })
        })
    }

    fn touch(&mut self) -> Result<(), LedgerError> {
        self.atomic(|connection| {
            connection.execute("UPDATE instance SET id = id", [])?;
            Ok(())
        })
    }

    fn sizes(&mut self) -> Result<LedgerSizes, LedgerError> {
        self.atomic(|connection| history::sizes(connection, &self.file))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::ledger::StorageProblem;
    use crate::ledger::contract::{claim_of, contract};

    fn ledger() -> (tempfile::TempDir, SqliteLedger) {
        let folder = tempfile::tempdir().unwrap();
        let ledger = SqliteLedger::open(&folder.path().join("state/state.db")).unwrap();
        (folder, ledger)
    }

    contract!(ledger);

    #[test]
    fn what_was_answered_survives_a_crash() {
        let (folder, mut ledger) = ledger();
        let claim = claim_of("task", 1);
        ledger
            .group(Durability::Written, &mut |ledger| assert_eq!(ledger.claim(&claim), Ok(ClaimResult::New)))
            .unwrap();
        // The files as a killed process leaves them: nothing was closed or folded in.
        let after = tempfile::tempdir().unwrap();
        for name in ["state.db", "state.db-wal"] {
            std::fs::copy(folder.path().join("state").join(name), after.path().join(name)).unwrap();
        }
        let mut again = SqliteLedger::open(&after.path().join("state.db")).unwrap();
        let taken = ClaimResult::Taken { run_id: claim.run_id.clone(), outcome: None };
        assert_eq!(again.claim(&claim), Ok(taken));
        assert_eq!(again.instance(), ledger.instance());
    }

    #[test]
    fn a_full_disk_is_named_and_spares_what_was_there() {
        let (_folder, mut ledger) = ledger();
        ledger.claim(&claim_of("kept", 1)).unwrap();
        let pages: i64 = ledger.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        ledger.connection.pragma_update(None, "max_page_count", pages).unwrap();

        let mut large = claim_of("large", 2);
        large.script = serde_json::json!("x".repeat(100_000));
        let mut answers = Vec::new();
        let commit = ledger.group(Durability::Synced, &mut |ledger| {
            answers.push(ledger.claim(&large));
            answers.push(ledger.claim(&claim_of("small", 3)));
        });
        let error = answers[0].clone().unwrap_err();
        assert!(matches!(error, LedgerError::Storage { problem: StorageProblem::Full, .. }), "{error}");
        assert!(error.to_string().contains("state/state.db: no space left"), "{error}");

        ledger.connection.pragma_update(None, "max_page_count", pages + 1000).unwrap();
        let open: Vec<_> =
            ledger.open_claims().unwrap().into_iter().map(|open| open.claim.key.task.to_string()).collect();
        // SQLite may undo the whole group on its own; whatever it says is what has to be true.
        let expected = if commit.is_ok() && answers[1].is_ok() { vec!["kept", "small"] } else { vec!["kept"] };
        assert_eq!(open, expected);
        assert_eq!(ledger.claim(&large), Ok(ClaimResult::New));
    }

    #[test]
    fn only_a_group_that_says_so_is_not_synced() {
        const NORMAL: i64 = 1;
        const FULL: i64 = 2;
        let (_folder, mut ledger) = ledger();
        let synchronous = |ledger: &SqliteLedger| {
            ledger.connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0))
        };
        assert_eq!(synchronous(&ledger), Ok(FULL));
        for (durability, level) in
            [(Durability::Written, NORMAL), (Durability::Synced, FULL), (Durability::Written, NORMAL)]
        {
            ledger.group(durability, &mut |_| {}).unwrap();
            assert_eq!(synchronous(&ledger), Ok(level));
        }
        ledger.claim(&claim_of("alone", 1)).unwrap();
        assert_eq!(synchronous(&ledger), Ok(FULL));
    }

    #[test]
    fn a_database_that_is_held_is_named() {
        let (folder, mut ledger) = ledger();
        ledger.connection.busy_timeout(std::time::Duration::ZERO).unwrap();
        let other = Connection::open(folder.path().join("state/state.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let error = ledger.group(Durability::Synced, &mut |_| {}).unwrap_err();
        assert!(matches!(error, LedgerError::Storage { problem: StorageProblem::Locked, .. }), "{error}");
        other.execute_batch("ROLLBACK").unwrap();
        assert_eq!(ledger.group(Durability::Synced, &mut |_| {}), Ok(()));
    }

    #[test]
    fn what_another_connection_writes_is_another_version_and_so_is_opening_again() {
        let (folder, mut ledger) = ledger();
        let file = folder.path().join("state/state.db");
        let before = ledger.version().unwrap();
        let other = Connection::open(&file).unwrap();
        assert_eq!(other.query_row("SELECT COUNT(*) FROM claims", [], |row| row.get(0)), Ok(0));
        assert_eq!(ledger.version(), Ok(before));
        other.execute("UPDATE instance SET id = id || '-'", []).unwrap();
        let after = ledger.version().unwrap();
        assert_ne!(after, before);
        // What is not committed is not there.
        other.execute_batch("BEGIN; UPDATE instance SET id = id || '-'").unwrap();
        assert_eq!(ledger.version(), Ok(after));
        other.execute_batch("ROLLBACK").unwrap();
        assert_eq!(ledger.version(), Ok(after));
        drop(ledger);
        assert_ne!(SqliteLedger::open(&file).unwrap().version(), Ok(after));
    }

    #[test]
    fn a_row_that_was_edited_is_named() {
        let (_folder, mut ledger) = ledger();
        let claim = claim_of("task", 1);
        ledger.claim(&claim).unwrap();
        ledger.connection.execute("UPDATE claims SET trigger = 'whim'", []).unwrap();
        let error = ledger.open_claims().unwrap_err().to_string();
        assert!(
            error.contains(&format!("trigger in claims of run {} cannot be understood: whim", claim.run_id)),
            "{error}"
        );
    }
}
