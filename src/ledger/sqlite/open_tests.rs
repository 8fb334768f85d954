#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::ledger::contract::claim_of;
use crate::ledger::{ClaimResult, Ledger};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(connection: &Connection) -> Vec<String> {
    let mut statement = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn only_the_owner_can_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state/state.db");
    std::fs::create_dir(folder.path().join("state")).unwrap();
    restrict(&folder.path().join("state"), 0o700).unwrap();
    let connection = open(&file).unwrap();
    let log = folder.path().join("state/state.db-wal");
    assert_eq!((mode(&file), mode(&log), mode(&folder.path().join("state"))), (0o600, 0o600, 0o700));
    drop(connection);
    std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    open(&file).unwrap();
    assert_eq!(mode(&file), 0o600);
}

#[test]
fn every_commit_is_synced() {
    let folder = tempfile::tempdir().unwrap();
    let connection = open(&folder.path().join("state.db")).unwrap();
    let pragma = |name: &str| -> String {
        connection.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0)).map(text).unwrap()
    };
    assert_eq!(
        (pragma("journal_mode"), pragma("synchronous"), pragma("foreign_keys")),
        ("wal".into(), "2".into(), "1".into())
    );
}

fn text(value: rusqlite::types::Value) -> String {
    match value {
        rusqlite::types::Value::Text(text) => text,
        rusqlite::types::Value::Integer(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_newer_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    let future = latest(MIGRATIONS) + 1;
    open(&file).unwrap().pragma_update(None, "user_version", future).unwrap();
    let before = std::fs::read(&file).unwrap();
    let error = open(&file).unwrap_err();
    assert_eq!(error, LedgerError::NewerVersion { file: file.clone(), found: future, known: latest(MIGRATIONS) });
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn a_damaged_file_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    drop(open(&file).unwrap());
    let good = std::fs::read(&file).unwrap();
    let mut overwritten = good.clone();
    overwritten[4096..12288].fill(0xA5);
    let damaged =
        [b"this is no database, but it is long enough to look like one".repeat(99), good[..5000].to_vec(), overwritten];
    for (number, bytes) in damaged.into_iter().enumerate() {
        std::fs::write(&file, &bytes).unwrap();
        let error = open(&file).unwrap_err();
        assert!(matches!(error, LedgerError::Storage { problem: StorageProblem::Corrupt, .. }), "{number}: {error}");
        assert!(error.to_string().contains("state.db: not a usable database"), "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), bytes, "{number}");
    }
}

#[test]
fn a_folder_in_the_way_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
}

#[test]
fn every_version_reaches_the_last_one() {
    for released in 0..=MIGRATIONS.len() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.db");
        let mut old = Connection::open(&file).unwrap();
        migrate(&mut old, &MIGRATIONS[..released]).unwrap();
        drop(old);
        let connection = open(&file).unwrap();
        assert_eq!(version(&connection).unwrap(), latest(MIGRATIONS));
        assert_eq!(names(&connection), ["active", "attempts", "claims", "deadline_alarms", "instance", "journal"]);
    }
}

#[test]
fn a_migration_that_fails_leaves_the_version_before_it() {
    let mut connection = Connection::open_in_memory().unwrap();
    let steps = ["CREATE TABLE first (x)", "CREATE TABLE second (x)", "CREATE TABLE third (x); nonsense"];
    migrate(&mut connection, &steps[..1]).unwrap();
    assert!(migrate(&mut connection, &steps).is_err());
    assert_eq!((version(&connection).unwrap(), names(&connection)), (2, vec!["first".to_owned(), "second".to_owned()]));
    migrate(&mut connection, &steps[..2]).unwrap();
    assert_eq!(version(&connection).unwrap(), 2);
}

/// As the daemon would find out that it may begin.
fn is_free(file: &Path, slot: i64) -> Result<bool, LedgerError> {
    let mut ledger = crate::ledger::SqliteLedger::open(file)?;
    Ok(ledger.claim(&claim_of("task", slot))? == ClaimResult::New)
}

#[test]
fn no_flipped_bit_makes_a_taken_slot_free() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    assert!((0..3).all(|slot| is_free(&file, slot).unwrap()));
    let whole = std::fs::read(&file).unwrap();
    let (mut refused, mut ways) = (0, 0);
    // Zeros are free space, which nobody reads.
    for place in (0..whole.len()).filter(|place| whole[*place] != 0).step_by(5) {
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (place % 8);
        std::fs::write(&file, flipped).unwrap();
        let _ = std::fs::remove_file(folder.path().join("state.db-wal"));
        match (0..3).map(|slot| is_free(&file, slot)).collect::<Result<Vec<_>, _>>() {
            Ok(free) => assert_eq!(free, [false; 3], "byte {place}"),
            Err(_) => refused += 1,
        }
        ways += 1;
    }
    assert!(refused > ways / 10, "{refused} of {ways}");
}
