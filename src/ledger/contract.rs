//! What every engine has to keep: `contract!(make)` makes one test of each rule, where `make()` gives a guard (a folder, say)
//! and a new engine.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::*;
use crate::names::{AccountName, RunId, RunKey, Slot};
use crate::script::{JournalMark, Memory, Outcome, Outgoing, Popup};

macro_rules! contract {
    ($make:ident) => {
        $crate::ledger::contract::contract!($make:
            a_slot_is_taken_once
            a_claim_comes_back_whole_after_a_crash
            a_failed_attempt_leaves_the_claim_open_for_the_next
            a_later_reading_replaces_what_was_kept
            what_was_never_claimed_is_refused
            a_slot_that_is_not_run_is_taken
            positions_tell_where_each_pair_stands
            a_manual_run_is_no_slot_of_the_schedule
            the_latest_alarm_of_a_deadline_is_kept
            a_pair_is_active_since_its_schedule_came
            runs_are_found_the_newest_first
            pruning_keeps_what_is_needed
            the_instance_never_changes
            a_version_changes_with_what_is_written_only
            a_failure_undoes_only_itself
        );
    };
    ($make:ident: $($rule:ident)+) => {
        $(
            #[test]
            fn $rule() {
                let (_guard, mut engine) = $make();
                $crate::ledger::contract::$rule(&mut engine);
            }
        )+
    };
}
pub(super) use contract;

/// Hour after hour; fine enough to see that microseconds survive.
fn at(hour: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap() + TimeDelta::hours(hour)
}

pub(super) fn claim_of(task: &str, hour: i64) -> Claim {
    let account: AccountName = "alice".parse().unwrap();
    let key = RunKey { task: task.parse().unwrap(), account, slot: Slot::at(at(hour)) };
    Claim {
        run_id: RunId::new(&key, at(hour)),
        key,
        trigger: Trigger::Scheduled,
        fire_at: at(hour),
        claimed_at: at(hour),
        script: json!({ "steps": [{ "send": "签到" }] }),
    }
}

pub(super) fn record_of(claim: &Claim, attempt: u32, outcome: Outcome, resume_at: Option<DateTime<Utc>>) -> RunRecord {
    RunRecord {
        run_id: claim.run_id.clone(),
        key: claim.key.clone(),
        trigger: claim.trigger,
        fire_at: claim.fire_at,
        claimed_at: claim.claimed_at,
        started_at: Some(claim.claimed_at),
        ended_at: claim.claimed_at + TimeDelta::minutes(attempt.into()),
        attempt,
        outcome,
        reason: format!("attempt {attempt}"),
        evidence: json!({ "text": "已签到" }),
        failed_step: Some(2),
        resume_at,
    }
}

fn perform(ledger: &mut dyn Ledger, task: &str, hour: i64, outcome: Outcome) -> Claim {
    let claim = claim_of(task, hour);
    assert_eq!(ledger.claim(&claim), Ok(ClaimResult::New));
    ledger.finish(&record_of(&claim, 1, outcome, None)).unwrap();
    claim
}

pub(super) fn a_slot_is_taken_once(ledger: &mut dyn Ledger) {
    let claim = claim_of("task", 1);
    assert_eq!(ledger.claim(&claim), Ok(ClaimResult::New));
    let again = Claim { run_id: RunId::new(&claim.key, at(9)), claimed_at: at(9), ..claim.clone() };
    let taken = |outcome| Ok(ClaimResult::Taken { run_id: claim.run_id.clone(), outcome });
    assert_eq!(ledger.claim(&again), taken(None));
    ledger.finish(&record_of(&claim, 1, Outcome::Succeeded, None)).unwrap();
    assert_eq!(ledger.claim(&again), taken(Some(Outcome::Succeeded)));
    assert_eq!(ledger.claim(&claim_of("other", 1)), Ok(ClaimResult::New));
    assert_eq!(ledger.claim(&claim_of("task", 2)), Ok(ClaimResult::New));
}

fn begin(step: usize, date: i64) -> JournalMark {
    let message = Some(Outgoing::Text { text: "/checkin".to_owned(), reply_to: None });
    let captures = [("code".to_owned(), "1234".to_owned())].into();
    JournalMark::Begun { step, date, message, memory: Memory { captures, refusals: [3].into(), known_up_to: 9 } }
}

fn begun() -> JournalEntry {
    JournalEntry { at: at(1), attempt: 1, mark: begin(0, 1), random_id: None }
}

pub(super) fn a_claim_comes_back_whole_after_a_crash(ledger: &mut dyn Ledger) {
    let claim = claim_of("task", 1);
    ledger.claim(&claim).unwrap();
    let popup = Some(Popup { text: Some("签到成功".to_owned()), alert: true, url: None });
    let marks = [
        (begin(0, 1), Some(i64::MIN)),
        (JournalMark::Sent { step: 0, message_id: 7, date: 1 }, None),
        (begin(1, 2), None),
        (JournalMark::Clicked { step: 1, message_id: 8, date: 2, popup }, None),
    ];
    let entries = marks.map(|(mark, random_id)| JournalEntry { at: at(1), attempt: 1, mark, random_id });
    for entry in &entries {
        ledger.journal(&claim.run_id, entry).unwrap();
    }
    let expected = ClaimHistory { claim: claim.clone(), resume_at: None, attempts: vec![], journal: entries.to_vec() };
    assert_eq!(ledger.open_claims(), Ok(vec![expected]));

    ledger.finish(&record_of(&claim, 1, Outcome::Interrupted, None)).unwrap();
    assert_eq!(ledger.open_claims(), Ok(vec![]));
    let kept = ledger.run(&claim.run_id).unwrap().unwrap();
    assert_eq!(kept.claim.script, Value::Null);
    assert_eq!(kept.journal, entries);
    assert_eq!(kept.attempts, [record_of(&claim, 1, Outcome::Interrupted, None)]);
    assert_eq!(ledger.run(&claim_of("none", 1).run_id), Ok(None));
}

pub(super) fn a_failed_attempt_leaves_the_claim_open_for_the_next(ledger: &mut dyn Ledger) {
    let claim = claim_of("task", 1);
    ledger.claim(&claim).unwrap();
    ledger.finish(&record_of(&claim, 1, Outcome::Failed, Some(at(2)))).unwrap();
    let open = ledger.open_claims().unwrap().pop().unwrap();
    assert_eq!((open.resume_at, open.claim), (Some(at(2)), claim.clone()));
    assert_eq!(open.attempts, [record_of(&claim, 1, Outcome::Failed, Some(at(2)))]);

    ledger.finish(&record_of(&claim, 2, Outcome::Succeeded, None)).unwrap();
    let closed = ledger.run(&claim.run_id).unwrap().unwrap();
    let attempts = [record_of(&claim, 1, Outcome::Failed, None), record_of(&claim, 2, Outcome::Succeeded, None)];
    assert_eq!((closed.resume_at, &closed.attempts[..]), (None, &attempts[..]));
    assert_eq!(ledger.open_claims(), Ok(vec![]));
}

pub(super) fn a_later_reading_replaces_what_was_kept(ledger: &mut dyn Ledger) {
    let claim = perform(ledger, "task", 1, Outcome::Unknown);
    let better = record_of(&claim, 1, Outcome::Succeeded, Some(at(5)));
    ledger.finish(&better).unwrap();
    assert_eq!(ledger.open_claims(), Ok(vec![]), "a closed claim stays closed");
    let kept = ledger.run(&claim.run_id).unwrap().unwrap();
    assert_eq!(kept.attempts, [RunRecord { resume_at: None, ..better }]);
}

pub(super) fn what_was_never_claimed_is_refused(ledger: &mut dyn Ledger) {
    let claim = claim_of("task", 1);
    let refused = Err(LedgerError::UnknownRun(claim.run_id.clone()));
    let entry = begun();
    assert_eq!(ledger.journal(&claim.run_id, &entry), refused);
    assert_eq!(ledger.finish(&record_of(&claim, 1, Outcome::Failed, None)), refused);
}

pub(super) fn a_slot_that_is_not_run_is_taken(ledger: &mut dyn Ledger) {
    let claim = claim_of("task", 1);
    assert_eq!(ledger.record_without_run(&claim.key, NotRun::Missed, "was off", at(9)), Ok(ClaimResult::New));
    let Ok(ClaimResult::Taken { run_id, outcome: Some(Outcome::Missed) }) = ledger.claim(&claim) else {
        panic!("the slot is missed");
    };
    let kept = ledger.run(&run_id).unwrap().unwrap().attempts.pop().unwrap();
    assert_eq!((kept.attempt, kept.started_at, kept.ended_at), (0, None, at(9)));
    assert_eq!(kept.reason, "was off");

    let run = perform(ledger, "task", 2, Outcome::Succeeded);
    let taken = ClaimResult::Taken { run_id: run.run_id, outcome: Some(Outcome::Succeeded) };
    assert_eq!(ledger.record_without_run(&run.key, NotRun::Missed, "no", at(9)), Ok(taken));
}

pub(super) fn positions_tell_where_each_pair_stands(ledger: &mut dyn Ledger) {
    perform(ledger, "task", 1, Outcome::Failed);
    perform(ledger, "task", 2, Outcome::AlreadyDone);
    perform(ledger, "task", 3, Outcome::Unknown);
    ledger.record_without_run(&claim_of("task", 4).key, NotRun::Skipped, "holiday", at(4)).unwrap();
    let last = perform(ledger, "task", 5, Outcome::Failed);
    let open = claim_of("task", 6);
    ledger.claim(&open).unwrap();
    ledger.finish(&record_of(&open, 1, Outcome::Failed, Some(at(7)))).unwrap();
    ledger.claim(&claim_of("untried", 1)).unwrap();

    let [task, untried] = <[Position; 2]>::try_from(ledger.positions().unwrap()).unwrap();
    let ended = record_of(&last, 1, Outcome::Failed, None);
    let expected = Position {
        task: last.key.task.clone(),
        account: last.key.account.clone(),
        last_slot: Some(open.key.slot),
        last: Some(LastEnded {
            run_id: last.run_id,
            slot: last.key.slot,
            ended_at: ended.ended_at,
            outcome: Outcome::Failed,
            reason: ended.reason,
            evidence: ended.evidence,
        }),
        last_success_at: Some(at(2) + TimeDelta::minutes(1)),
        consecutive_failures: 2,
        deadline_alarm: None,
    };
    assert_eq!(task, expected);
    assert_eq!((untried.last_slot, untried.last), (Some(Slot::at(at(1))), None));
    assert_eq!((untried.last_success_at, untried.consecutive_failures), (None, 0));
}

pub(super) fn a_manual_run_is_no_slot_of_the_schedule(ledger: &mut dyn Ledger) {
    perform(ledger, "task", 1, Outcome::Failed);
    let manual = Claim { trigger: Trigger::Manual, ..claim_of("task", 3) };
    ledger.claim(&manual).unwrap();
    ledger.finish(&record_of(&manual, 1, Outcome::Succeeded, None)).unwrap();
    let position = ledger.positions().unwrap().pop().unwrap();
    assert_eq!(position.last_slot, Some(Slot::at(at(1))));
    assert_eq!((position.last.unwrap().run_id, position.consecutive_failures), (manual.run_id, 0));
}

pub(super) fn the_latest_alarm_of_a_deadline_is_kept(ledger: &mut dyn Ledger) {
    perform(ledger, "task", 1, Outcome::Failed);
    let told = |ledger: &mut dyn Ledger| {
        let positions = ledger.positions().unwrap().into_iter();
        positions.map(|position| (position.task.to_string(), position.deadline_alarm)).collect::<Vec<_>>()
    };
    let slot = |hour| Some(Slot::at(at(hour)));
    assert_eq!(told(ledger), [("task".to_owned(), None)]);
    for hour in [5, 3] {
        ledger.keep_deadline_alarm(&claim_of("task", hour).key).unwrap();
    }
    ledger.keep_deadline_alarm(&claim_of("waiting", 2).key).unwrap();
    assert_eq!(told(ledger), [("task".to_owned(), slot(5)), ("waiting".to_owned(), slot(2))]);
}

pub(super) fn a_pair_is_active_since_its_schedule_came(ledger: &mut dyn Ledger) {
    let pair = |task: &str, schedule: &str| ActivePair {
        task: task.parse().unwrap(),
        account: "alice".parse().unwrap(),
        schedule: schedule.to_owned(),
    };
    let (a, b) = (pair("a", "daily"), pair("b", "daily"));
    assert_eq!(ledger.active_since(&Tasks::All, &[a.clone(), b.clone()], at(1)), Ok(vec![at(1), at(1)]));
    assert_eq!(ledger.active_since(&Tasks::All, &[pair("b", "hourly"), a.clone()], at(2)), Ok(vec![at(2), at(1)]));
    assert_eq!(ledger.active(), Ok(vec![(a.clone(), at(1)), (pair("b", "hourly"), at(2))]));
    let named = |task: &str| Tasks::Named(vec![task.parse().unwrap()]);
    assert_eq!(ledger.active_since(&named("b"), &[pair("b", "weekly")], at(3)), Ok(vec![at(3)]));
    assert_eq!(ledger.active_since(&named("b"), &[pair("b", "weekly")], at(4)), Ok(vec![at(3)]));
    assert_eq!(ledger.active(), Ok(vec![(a.clone(), at(1)), (pair("b", "weekly"), at(3))]));
    assert_eq!(ledger.active_since(&named("b"), &[], at(4)), Ok(vec![]));
    assert_eq!(ledger.active(), Ok(vec![(a.clone(), at(1))]));
    assert_eq!(ledger.active_since(&Tasks::All, &[], at(4)), Ok(vec![]));
    assert_eq!(ledger.active(), Ok(vec![]));
    assert_eq!(ledger.active_since(&Tasks::All, &[a], at(5)), Ok(vec![at(5)]));
}

pub(super) fn runs_are_found_the_newest_first(ledger: &mut dyn Ledger) {
    let claim = claim_of("a", 1);
    ledger.claim(&claim).unwrap();
    ledger.finish(&record_of(&claim, 1, Outcome::Failed, Some(at(1)))).unwrap();
    ledger.finish(&record_of(&claim, 2, Outcome::Failed, Some(at(2)))).unwrap();
    perform(ledger, "b", 2, Outcome::Succeeded);
    perform(ledger, "a", 3, Outcome::Succeeded);

    let all = RunFilter { task: None, account: None, since: None, limit: 10 };
    let found = |ledger: &mut dyn Ledger, filter: &RunFilter| -> Vec<(String, u32, bool)> {
        let runs = ledger.runs(filter).unwrap().into_iter();
        runs.map(|run| (run.key.task.to_string(), run.attempt, run.resume_at.is_some())).collect()
    };
    let row = |task: &str, attempt, resumed| (task.to_owned(), attempt, resumed);
    let (a3, b2, a1_second, a1) = (row("a", 1, false), row("b", 1, false), row("a", 2, true), row("a", 1, false));
    assert_eq!(found(ledger, &all), [a3.clone(), b2, a1_second.clone(), a1.clone()]);
    let of_a = RunFilter { task: Some("a".parse().unwrap()), ..all.clone() };
    assert_eq!(found(ledger, &of_a), [a3.clone(), a1_second, a1]);
    assert_eq!(found(ledger, &RunFilter { since: Some(at(3)), ..all.clone() }), std::slice::from_ref(&a3));
    assert_eq!(found(ledger, &RunFilter { limit: 1, ..all.clone() }), [a3]);
    assert_eq!(found(ledger, &RunFilter { account: Some("bob".parse().unwrap()), ..all }), []);
}

pub(super) fn pruning_keeps_what_is_needed(ledger: &mut dyn Ledger) {
    let hours = |ledger: &mut dyn Ledger| -> Vec<i64> {
        let all = RunFilter { task: None, account: None, since: None, limit: 100 };
        let runs = ledger.runs(&all).unwrap().into_iter().rev();
        runs.map(|run| (run.claimed_at - at(0)).num_hours()).collect()
    };
    perform(ledger, "task", 1, Outcome::Failed);
    perform(ledger, "task", 2, Outcome::Succeeded);
    for hour in 3..=6 {
        perform(ledger, "task", hour, Outcome::Failed);
    }
    let manual = Claim { trigger: Trigger::Manual, ..claim_of("task", 7) };
    ledger.claim(&manual).unwrap();
    ledger.finish(&record_of(&manual, 1, Outcome::Failed, None)).unwrap();
    ledger.claim(&claim_of("open", 0)).unwrap();

    assert_eq!(ledger.prune(at(4), at(9), 100), Ok(2), "1 and 3 are old; 2 was the last success");
    assert_eq!(hours(ledger), [2, 4, 5, 6, 7]);
    assert_eq!(ledger.prune(at(9), at(5), 100), Ok(1), "5 and later can still be claimed");
    assert_eq!(hours(ledger), [2, 5, 6, 7]);
    assert_eq!(ledger.prune(at(9), at(9), 0), Ok(0));
    assert_eq!(ledger.prune(at(9), at(9), 100), Ok(1), "6 is the last slot, 7 the last run");
    assert_eq!(hours(ledger), [2, 6, 7]);
    assert_eq!(ledger.open_claims().unwrap().len(), 1);
    assert_eq!(ledger.sizes().unwrap().rows["claims"], 4);
    assert_eq!(ledger.sizes().unwrap().rows["attempts"], 3);
}

pub(super) fn the_instance_never_changes(ledger: &mut dyn Ledger) {
    let instance = ledger.instance().unwrap();
    assert_eq!(ledger.instance().as_ref(), Ok(&instance));
    assert_ne!(&instance.install_seed, instance.random_id_secret.expose());
    assert!(format!("{instance:?}").contains("random_id_secret: ***"));
}

pub(super) fn a_version_changes_with_what_is_written_only(engine: &mut impl Engine) {
    let mut versions = Vec::new();
    let mut group = |work: &mut dyn FnMut(&mut dyn Ledger)| {
        engine
            .group(Durability::Synced, &mut |ledger| {
                work(ledger);
                versions.push(ledger.version().unwrap());
            })
            .unwrap();
    };
    let claim = claim_of("task", 1);
    let pair =
        ActivePair { task: claim.key.task.clone(), account: claim.key.account.clone(), schedule: "daily".to_owned() };
    group(&mut |ledger| drop(ledger.claim(&claim)));
    group(&mut |ledger| {
        // Looking, and asking for what is so already, is no change.
        assert!(matches!(ledger.claim(&claim), Ok(ClaimResult::Taken { .. })));
        assert_eq!(ledger.open_claims().unwrap().len(), 1);
        ledger.positions().unwrap();
        ledger.instance().unwrap();
        ledger.sizes().unwrap();
        assert_eq!(ledger.prune(at(0), at(0), 100), Ok(0));
    });
    group(&mut |ledger| ledger.journal(&claim.run_id, &begun()).unwrap());
    group(&mut |ledger| ledger.finish(&record_of(&claim, 1, Outcome::Succeeded, None)).unwrap());
    group(&mut |ledger| drop(ledger.active_since(&Tasks::All, std::slice::from_ref(&pair), at(2)).unwrap()));
    group(&mut |ledger| drop(ledger.active_since(&Tasks::All, std::slice::from_ref(&pair), at(3)).unwrap()));
    let changed: Vec<bool> = versions.windows(2).map(|pair| pair[0] != pair[1]).collect();
    assert_eq!(changed, [false, true, true, true, false]);
}

pub(super) fn a_failure_undoes_only_itself<E: Engine + Ledger>(engine: &mut E) {
    let claim = claim_of("task", 1);
    let mut answers = Vec::new();
    let entry = begun();
    let unknown = claim_of("unknown", 1).run_id;
    engine
        .group(Durability::Synced, &mut |ledger| {
            answers.push(ledger.claim(&claim).map(|_| ()));
            answers.push(ledger.journal(&unknown, &entry));
            answers.push(ledger.journal(&claim.run_id, &entry));
        })
        .unwrap();
    assert_eq!(answers, [Ok(()), Err(LedgerError::UnknownRun(unknown)), Ok(())]);
    assert_eq!(engine.open_claims().unwrap()[0].journal, [entry]);
}
