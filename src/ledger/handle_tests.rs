//! The thread, its groups and its end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::ledger::contract::{claim_of, record_of};
use crate::ledger::{NotRun, SqliteLedger, StorageProblem};
use crate::script::Outcome;

/// A real engine that waits for a sign in its first group, counts groups, and fails or panics on demand.
struct Watched {
    engine: SqliteLedger,
    go: Option<std::sync::mpsc::Receiver<()>>,
    groups: Arc<AtomicUsize>,
    durability: Arc<Mutex<Option<Durability>>>,
    trouble: Trouble,
}

#[derive(PartialEq)]
enum Trouble {
    None,
    LosesCommits,
    Panics,
}

impl Engine for Watched {
    fn group(&mut self, durability: Durability, work: &mut dyn FnMut(&mut dyn Ledger)) -> Result<(), LedgerError> {
        self.groups.fetch_add(1, Ordering::SeqCst);
        if let Some(go) = self.go.take() {
            go.recv().unwrap();
        }
        assert!(self.trouble != Trouble::Panics, "the test asked for this");
        *self.durability.lock().unwrap() = Some(durability);
        self.engine.group(durability, work)?;
        if self.trouble == Trouble::LosesCommits { Err(lost()) } else { Ok(()) }
    }
}

fn lost() -> LedgerError {
    LedgerError::Storage { file: "state.db".into(), problem: StorageProblem::Full, cause: "commit".to_owned() }
}

struct Fixture {
    handle: LedgerHandle,
    go: std::sync::mpsc::Sender<()>,
    groups: Arc<AtomicUsize>,
    /// Of the last group.
    durability: Arc<Mutex<Option<Durability>>>,
    folder: tempfile::TempDir,
}

fn start(trouble: Trouble) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    let (go, wait) = std::sync::mpsc::channel();
    let (groups, durability) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
    let engine = SqliteLedger::open(&file).unwrap();
    let watched = Watched { engine, go: Some(wait), groups: groups.clone(), durability: durability.clone(), trouble };
    Fixture { handle: LedgerHandle::start(watched, &file).unwrap(), go, groups, durability, folder }
}

#[tokio::test]
async fn five_hundred_claims_at_once_are_a_handful_of_commits_and_all_durable() {
    let fixture = start(Trouble::None);
    let busy = tokio::spawn({
        let handle = fixture.handle.clone();
        async move { handle.sizes().await }
    });
    while fixture.groups.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let mut claims = tokio::task::JoinSet::new();
    for slot in 0..500 {
        let handle = fixture.handle.clone();
        claims.spawn(async move { handle.claim(claim_of("task", slot)).await });
    }
    while fixture.handle.messages.max_capacity() - fixture.handle.messages.capacity() < 500 {
        tokio::task::yield_now().await;
    }
    fixture.go.send(()).unwrap();
    while let Some(claimed) = claims.join_next().await {
        assert_eq!(claimed.unwrap(), Ok(ClaimResult::New));
    }
    busy.await.unwrap().unwrap();
    assert_eq!(fixture.groups.load(Ordering::SeqCst), 2, "one for the request before, one for all claims");
    fixture.handle.close().await.unwrap();
    let mut again = SqliteLedger::open(&fixture.folder.path().join("state.db")).unwrap();
    assert_eq!(again.open_claims().unwrap().len(), 500);
}

#[tokio::test]
async fn what_comes_before_a_command_and_how_it_ended_is_synced() {
    let fixture = start(Trouble::None);
    fixture.go.send(()).unwrap();
    let claim = claim_of("a", 1);
    let run_id = claim.run_id.clone();
    let last = || fixture.durability.lock().unwrap().unwrap();
    fixture.handle.claim(claim.clone()).await.unwrap();
    assert_eq!(last(), Durability::Written);
    let begun = JournalMark::Begun { step: 0, date: 0, message: None, memory: crate::script::Memory::default() };
    let sent = JournalMark::Sent { step: 0, message_id: 1, date: 0 };
    for (mark, durability) in [(begun, Durability::Synced), (sent, Durability::Written)] {
        let entry = JournalEntry { at: DateTime::UNIX_EPOCH, attempt: 1, mark, random_id: None };
        fixture.handle.journal(run_id.clone(), entry).await.unwrap();
        assert_eq!(last(), durability);
    }
    fixture.handle.finish(record_of(&claim, 1, Outcome::Succeeded, None)).await.unwrap();
    assert_eq!(last(), Durability::Synced);
}

#[tokio::test]
async fn a_commit_that_fails_is_everybodys_answer() {
    let fixture = start(Trouble::LosesCommits);
    fixture.go.send(()).unwrap();
    let (first, second) =
        tokio::join!(fixture.handle.claim(claim_of("a", 1)), fixture.handle.run(claim_of("b", 1).run_id));
    assert_eq!(first, Err(lost()));
    assert_eq!(second, Err(lost()));
}

#[tokio::test]
async fn one_callers_failure_is_not_the_others() {
    let fixture = start(Trouble::None);
    fixture.go.send(()).unwrap();
    let unknown = claim_of("unknown", 1).run_id;
    let entry = JournalEntry {
        at: DateTime::UNIX_EPOCH,
        attempt: 1,
        mark: crate::script::JournalMark::Done { step: 0, date: 0 },
        random_id: None,
    };
    let (failed, worked) =
        tokio::join!(fixture.handle.journal(unknown.clone(), entry), fixture.handle.claim(claim_of("a", 1)));
    assert_eq!(failed, Err(LedgerError::UnknownRun(unknown)));
    assert_eq!(worked, Ok(ClaimResult::New));
}

#[tokio::test]
async fn a_dead_thread_is_an_error_and_never_a_hang() {
    let fixture = start(Trouble::Panics);
    fixture.go.send(()).unwrap();
    for _ in 0..3 {
        let error = fixture.handle.sizes().await.unwrap_err();
        assert!(matches!(error, LedgerError::Stopped { .. }), "{error}");
    }
    fixture.handle.ended().await;
    assert!(fixture.handle.close().await.is_err());
}

#[tokio::test]
async fn closing_answers_what_was_asked_before_and_refuses_the_rest() {
    let fixture = start(Trouble::None);
    fixture.go.send(()).unwrap();
    let (claimed, closed) = tokio::join!(fixture.handle.claim(claim_of("a", 1)), fixture.handle.close());
    assert_eq!((claimed, closed), (Ok(ClaimResult::New), Ok(())));
    assert!(matches!(fixture.handle.sizes().await, Err(LedgerError::Stopped { .. })));
}

#[tokio::test]
async fn pruning_goes_on_until_nothing_is_left_to_remove() {
    let fixture = start(Trouble::None);
    fixture.go.send(()).unwrap();
    let count = i64::try_from(PRUNE_STEP).unwrap() + 20;
    let skipped = |slot| {
        let Claim { key, fire_at: at, .. } = claim_of("task", slot);
        SlotNotRun { key, what: NotRun::Skipped, reason: String::new(), at }
    };
    fixture.handle.record_all_without_run((0..count).map(skipped).collect()).await.unwrap();
    let end = claim_of("task", count).key.slot.instant();
    assert_eq!(fixture.handle.prune(end, end).await, Ok(PRUNE_STEP + 19));
}
