//! Crashes, lost actors, runs by hand, and the end.

use super::*;

const DAILY: &str = "[tasks.t]\nschedule = '06:00'\nretry = { attempts = 3, delay = '10m' }\n";

/// The order of the slot of the 22nd.
fn ordered() -> (Stage, RunOrder) {
    let mut stage = Stage::new("22T00:00:00", DAILY);
    stage.until("22T06:00:00");
    let order = stage.order();
    (stage, order)
}

#[test]
fn what_a_crash_cut_off_is_taken_up_first() {
    let (_, order) = ordered();
    let seeds = seeds([position("t", "22T06:00:00", None)], vec![open(&order, Vec::new())]);
    let mut stage = Stage::after("22T06:05:00", DAILY, seeds);
    let order = stage.order();
    assert_eq!(words(&order), "t/alice@22T06:00 take up");
    stage.end(&order, Outcome::Succeeded);
    stage.until("22T23:00:00");
    assert!(stage.orders.is_empty() && stage.not_run.is_empty());
}

#[test]
fn an_attempt_to_come_comes_after_a_crash_too() {
    let (stage, order) = ordered();
    let failed = record(&order, Outcome::Failed, stage.now);
    let seeds = || seeds([position("t", "22T06:00:00", None)], vec![open(&order, vec![failed.clone()])]);
    let mut stage = Stage::after("22T06:05:00", DAILY, seeds());
    assert!(stage.orders.is_empty());
    assert_eq!(stage.last_outcome("t"), Some(Outcome::Failed), "what it waits to do again is not forgotten");
    stage.until("22T06:10:00");
    assert_eq!(stage.ordered(), ["t/alice@22T06:00 attempt 2"]);
    // The task is gone: the claim ends as its attempt did, silently, because somebody took it away.
    let stage = Stage::after("22T06:05:00", "[tasks.u]\nschedule = '06:00'\n", seeds());
    assert_eq!(
        stage.closed.iter().map(|record| (record.outcome, record.resume_at)).collect::<Vec<_>>(),
        [(Outcome::Failed, None)]
    );
    assert!(stage.alarms.is_empty());
}

#[test]
fn a_further_attempt_that_a_crash_cut_off_is_taken_up_and_not_begun_again() {
    let (stage, order) = ordered();
    let failed = record(&order, Outcome::Failed, stage.now);
    let journal = |attempt| {
        let mark = JournalMark::Begun { step: 0, date: 0, message: None, memory: Memory::default() };
        vec![JournalEntry { at: stage.now, attempt, mark, random_id: None }]
    };
    let seeds = |attempt| {
        let claim = ClaimHistory { journal: journal(attempt), ..open(&order, vec![failed.clone()]) };
        seeds([position("t", "22T06:00:00", None)], vec![claim])
    };
    assert_eq!(Stage::after("22T06:15:00", DAILY, seeds(2)).ordered(), ["t/alice@22T06:00 take up"]);
    let mut stage = Stage::after("22T06:15:00", DAILY, seeds(1));
    stage.until("22T06:16:00");
    assert_eq!(stage.ordered(), ["t/alice@22T06:00 attempt 2"]);
    // The task is gone: what a crash cut off has no other end.
    let stage = Stage::after("22T06:15:00", "[tasks.u]\nschedule = '06:00'\n", seeds(2));
    assert_eq!(stage.closed.iter().map(|it| (it.attempt, it.outcome)).collect::<Vec<_>>(), [(2, Outcome::Interrupted)]);
}

#[test]
fn of_two_claims_of_a_pair_the_older_one_ends() {
    let (stage, newer) = ordered();
    let mut older = newer.clone();
    older.key.slot = Slot::at(at("21T06:00:00"));
    let failed = record(&older, Outcome::Failed, stage.now);
    let claims = vec![open(&newer, Vec::new()), open(&older, vec![failed])];
    let mut stage = Stage::after("22T06:05:00", DAILY, seeds([position("t", "22T06:00:00", None)], claims));
    assert_eq!(stage.ordered(), ["t/alice@22T06:00 take up"]);
    assert_eq!(stage.alarms, ["t/alice@21T06:00 failed"]);
    assert_eq!(stage.closed.len(), 1);
}

#[test]
fn an_older_claim_that_ends_late_is_not_what_ended_last() {
    let (stage, newer) = ordered();
    let mut older = newer.clone();
    older.key.slot = Slot::at(at("21T06:00:00"));
    let claims = vec![
        open(&newer, vec![record(&newer, Outcome::Unknown, stage.now)]),
        open(&older, vec![record(&older, Outcome::Failed, at("21T06:00:30"))]),
    ];
    let mut stage = Stage::after("22T06:00:30", DAILY, seeds([position("t", "22T06:00:00", None)], claims));
    assert_eq!(stage.alarms, ["t/alice@21T06:00 failed"]);
    assert_eq!(stage.last_outcome("t"), Some(Outcome::Unknown));
}

#[test]
fn a_disabled_task_closes_what_it_had_to_come() {
    let (mut stage, order) = ordered();
    stage.end(&order, Outcome::Failed);
    stage.load(&format!("{DAILY}enabled = false\n"));
    assert_eq!(stage.closed.len(), 1);
    stage.until("22T23:00:00");
    assert!(stage.orders.is_empty());
}

#[test]
fn a_lost_actor_s_orders_are_given_once_more_or_taken_up() {
    let (mut stage, order) = ordered();
    let alice: AccountName = "alice".parse().unwrap();
    stage.event(Event::ActorLost { account: alice.clone() });
    assert_eq!(stage.recover, std::slice::from_ref(&alice));
    assert!(!stage.kernel.is_idle());
    // It had been claimed.
    stage.event(Event::Recovered { account: alice.clone(), open: vec![open(&order, Vec::new())] });
    assert_eq!(stage.ordered(), ["t/alice@22T06:00 take up"]);

    let (mut stage, _) = ordered();
    for round in 0..2 {
        stage.event(Event::ActorLost { account: alice.clone() });
        stage.event(Event::Recovered { account: alice.clone(), open: Vec::new() });
        let expected: &[&str] = if round == 0 { &["t/alice@22T06:00 scheduled"] } else { &[] };
        assert_eq!(stage.ordered(), expected);
    }
    assert_eq!(stage.missed(), ["t/alice@22T06:00 Missed"]);
    assert_eq!(stage.alarms, ["t/alice@22T06:00 missed"]);
}

#[test]
fn what_the_actor_dies_with_again_and_again_is_given_up() {
    let alice: AccountName = "alice".parse().unwrap();
    let dies = |stage: &mut Stage, open: &[ClaimHistory]| {
        stage.event(Event::ActorLost { account: alice.clone() });
        stage.event(Event::Recovered { account: alice.clone(), open: open.to_vec() });
        stage.ordered()
    };
    // In the middle of the first attempt.
    let (mut stage, order) = ordered();
    let claim = open(&order, Vec::new());
    assert_eq!(dies(&mut stage, std::slice::from_ref(&claim)), ["t/alice@22T06:00 take up"]);
    assert!(dies(&mut stage, &[claim]).is_empty());
    assert_eq!(stage.closed.iter().map(|record| record.outcome).collect::<Vec<_>>(), [Outcome::Interrupted]);
    assert_eq!(stage.alarms, ["t/alice@22T06:00 interrupted"]);
    assert!(stage.not_run.is_empty() && stage.kernel.is_idle());

    // The first time before the slot was claimed.
    let (mut stage, order) = ordered();
    assert_eq!(dies(&mut stage, &[]), ["t/alice@22T06:00 scheduled"]);
    assert!(dies(&mut stage, &[open(&order, Vec::new())]).is_empty());
    assert_eq!(stage.alarms, ["t/alice@22T06:00 interrupted"]);
    assert!(stage.not_run.is_empty(), "a slot that was claimed is not missed");

    // Before anything of the second attempt was kept.
    let (mut stage, order) = ordered();
    let failed = stage.end(&order, Outcome::Failed);
    let claim = open(&order, vec![failed]);
    stage.until("22T06:10:00");
    assert_eq!(stage.ordered(), ["t/alice@22T06:00 attempt 2"]);
    assert!(dies(&mut stage, std::slice::from_ref(&claim)).is_empty());
    stage.until("22T06:11:00");
    assert_eq!(stage.ordered(), ["t/alice@22T06:00 attempt 2"]);
    assert!(dies(&mut stage, &[claim]).is_empty());
    stage.until("22T23:00:00");
    assert!(stage.orders.is_empty());
    assert_eq!(stage.alarms, ["t/alice@22T06:00 failed"]);
}

#[test]
fn a_lost_actor_does_not_double_the_alarm_of_the_deadline() {
    let mut stage = Stage::new("22T00:00:00", &format!("{DAILY}deadline = '22:00'\n"));
    stage.until("22T06:00:00");
    let (order, account): (_, AccountName) = (stage.order(), "alice".parse().unwrap());
    stage.event(Event::ActorLost { account: account.clone() });
    stage.event(Event::Recovered { account, open: vec![open(&order, Vec::new())] });
    stage.until("22T23:00:00");
    assert_eq!(stage.alarms, ["t/alice@22T06:00 deadline"]);
}

#[test]
fn a_run_by_hand_is_no_slot_of_the_schedule() {
    let mut stage = Stage::new("22T00:00:00", &format!("{DAILY}once_per = 'day'\n"));
    let task: TaskName = "t".parse().unwrap();
    stage.now = at("22T05:00:00");
    let order = stage.kernel.once(stage.now, &task, None).unwrap().pop().unwrap();
    assert!(stage.kernel.once(stage.now, &task, None).is_err(), "it runs already");
    assert!(stage.kernel.once(stage.now, &"u".parse().unwrap(), None).is_err());
    assert!(stage.kernel.once(stage.now, &task, Some(&"bob".parse().unwrap())).is_err());
    stage.end(&order, Outcome::Failed);
    stage.closed.clear();
    stage.until("22T06:00:00");
    let order = stage.orders.pop().unwrap();
    assert_eq!(words(&order), "t/alice@22T06:00 scheduled");
}

#[test]
fn nothing_begins_after_the_end_was_announced() {
    let (mut stage, order) = ordered();
    stage.load(&format!("{DAILY}[tasks.u]\nschedule = '07:00'\n"));
    stage.event(Event::Stop);
    assert_eq!(stage.kernel.deadline(), None);
    assert!(!stage.kernel.is_idle());
    stage.end(&order, Outcome::Succeeded);
    stage.jump("22T08:00:00");
    assert!(stage.kernel.is_idle() && stage.orders.is_empty());
    assert!(stage.kernel.once(stage.now, &"t".parse().unwrap(), None).is_err());
}
