#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use serde_json::Value;

use super::*;
use crate::ledger::contract::claim_of;
use crate::ledger::{ClaimResult, Ledger, NotRun, RunRecord};
use crate::script::Outcome;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn finish(ledger: &mut SqliteLedger, hour: i64, outcome: Outcome) {
    let claim = claim_of("task", hour);
    ledger.claim(&claim).unwrap();
    let record = RunRecord {
        run_id: claim.run_id.clone(),
        key: claim.key.clone(),
        trigger: claim.trigger,
        fire_at: claim.fire_at,
        claimed_at: claim.claimed_at,
        started_at: Some(claim.claimed_at),
        ended_at: claim.claimed_at + TimeDelta::minutes(1),
        attempt: 1,
        outcome,
        reason: String::new(),
        evidence: Value::Null,
        failed_step: None,
        resume_at: None,
    };
    ledger.finish(&record).unwrap();
}

fn all_runs(ledger: &mut SqliteLedger) -> Vec<RunRecord> {
    let filter = crate::ledger::RunFilter { task: None, account: None, since: None, limit: usize::MAX };
    ledger.runs(&filter).unwrap()
}

#[test]
fn a_copy_of_a_database_that_is_being_written_is_whole() {
    let place = Place::new();
    let source = place.file("state.db");
    drop(SqliteLedger::open(&source).unwrap());
    let (stop, claimed) = (AtomicBool::new(false), std::sync::atomic::AtomicI64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut ledger = SqliteLedger::open(&source).unwrap();
            let mut hour = 0;
            while !stop.load(Ordering::SeqCst) {
                finish(&mut ledger, hour, Outcome::Succeeded);
                hour += 1;
                claimed.store(hour, Ordering::SeqCst);
            }
        });
        for number in 0..8 {
            // Every round begins with claims that only the write-ahead log holds.
            let before = claimed.load(Ordering::SeqCst);
            while claimed.load(Ordering::SeqCst) < before + 5 {
                std::thread::yield_now();
            }
            let least = claimed.load(Ordering::SeqCst);
            let copy = place.file(&format!("copy-{number}.db"));
            SqliteLedger::copy_into(&source, &copy).unwrap();
            let runs = all_runs(&mut SqliteLedger::open(&copy).unwrap()).len();
            assert!(i64::try_from(runs).unwrap() >= least, "{runs} of {least}");
        }
        stop.store(true, Ordering::SeqCst);
    });
}

#[test]
fn copies_of_the_same_rows_have_the_same_bytes() {
    let place = Place::new();
    let source = place.file("state.db");
    let mut ledger = SqliteLedger::open(&source).unwrap();
    for hour in 0..50 {
        finish(&mut ledger, hour, Outcome::Succeeded);
    }
    let since = claim_of("task", 40).key.slot.instant();
    let copies: Vec<Vec<u8>> = ["a", "b"]
        .map(|name| {
            SqliteLedger::copy_into(&source, &place.file(name)).unwrap();
            std::fs::read(place.file(name)).unwrap()
        })
        .into();
    let recent: Vec<Vec<u8>> = ["c", "d"]
        .map(|name| {
            SqliteLedger::copy_recent_into(&source, &place.file(name), since).unwrap();
            std::fs::read(place.file(name)).unwrap()
        })
        .into();
    assert!(copies[0] == copies[1] && recent[0] == recent[1]);
    let left: Vec<_> =
        std::fs::read_dir(place.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 4 + 3, "{left:?}");
    assert_eq!(std::fs::metadata(place.file("c")).unwrap().permissions().mode() & 0o777, 0o600);
    // A second copy to the same place is refused, and the first one stays.
    assert!(SqliteLedger::copy_into(&source, &place.file("a")).is_err());
    assert_eq!(std::fs::read(place.file("a")).unwrap(), copies[0]);
}

#[test]
fn a_recent_copy_knows_what_is_needed_to_go_on() {
    let place = Place::new();
    let source = place.file("state.db");
    let mut ledger = SqliteLedger::open(&source).unwrap();
    finish(&mut ledger, 0, Outcome::Succeeded);
    ledger.claim(&claim_of("open", 1)).unwrap();
    for hour in 2..100 {
        finish(&mut ledger, hour, Outcome::Failed);
    }
    ledger.keep_deadline_alarm(&claim_of("task", 50).key).unwrap();
    let since = claim_of("task", 90).key.slot.instant();
    SqliteLedger::copy_recent_into(&source, &place.file("recent.db"), since).unwrap();
    let mut recent = SqliteLedger::open(&place.file("recent.db")).unwrap();
    let (before, after) = (ledger.positions().unwrap(), recent.positions().unwrap());
    assert_eq!(recent.open_claims(), ledger.open_claims());
    assert_eq!(recent.instance(), ledger.instance());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(
            (&before.last, before.last_slot, before.last_success_at, before.deadline_alarm),
            (&after.last, after.last_slot, after.last_success_at, after.deadline_alarm)
        );
    }
    assert_eq!(all_runs(&mut recent).len(), 10 + 1, "those of the window, and the last success");
    for hour in 90..100 {
        assert!(matches!(recent.claim(&claim_of("task", hour)), Ok(ClaimResult::Taken { .. })));
    }
}

#[test]
fn merging_brings_yesterdays_copy_up_to_date() {
    let place = Place::new();
    let source = place.file("state.db");
    let mut ledger = SqliteLedger::open(&source).unwrap();
    for hour in 0..20 {
        finish(&mut ledger, hour, Outcome::Succeeded);
    }
    ledger.claim(&claim_of("task", 20)).unwrap();
    ledger.keep_deadline_alarm(&claim_of("task", 10).key).unwrap();
    SqliteLedger::copy_into(&source, &place.file("whole.db")).unwrap();
    ledger.keep_deadline_alarm(&claim_of("task", 20).key).unwrap();
    finish(&mut ledger, 20, Outcome::Failed);
    finish(&mut ledger, 21, Outcome::Succeeded);
    let missed = claim_of("task", 22);
    ledger.record_without_run(&missed.key, NotRun::Missed, "was off", missed.claimed_at).unwrap();
    let since = claim_of("task", 19).key.slot.instant();
    SqliteLedger::copy_recent_into(&source, &place.file("recent.db"), since).unwrap();

    SqliteLedger::merge(&place.file("whole.db"), &place.file("recent.db")).unwrap();
    assert!(!place.file("whole.db-wal").exists() && !place.file("recent.db-wal").exists());
    SqliteLedger::check(&place.file("whole.db")).unwrap();
    let mut merged = SqliteLedger::open(&place.file("whole.db")).unwrap();
    assert_eq!(all_runs(&mut merged), all_runs(&mut ledger));
    assert_eq!(merged.positions(), ledger.positions());
    assert_eq!(merged.open_claims(), Ok(vec![]));
}

#[test]
fn what_is_no_ledger_is_refused() {
    let place = Place::new();
    for bytes in [&b""[..], b"no database at all"] {
        std::fs::write(place.file("bad.db"), bytes).unwrap();
        assert!(SqliteLedger::check(&place.file("bad.db")).is_err());
    }
    let missing = SqliteLedger::copy_recent_into(&place.file("none.db"), &place.file("copy.db"), DateTime::UNIX_EPOCH);
    assert!(missing.is_err() && !place.file("none.db").exists());
}
