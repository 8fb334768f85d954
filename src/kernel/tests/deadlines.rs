//! A deadline is told once, whatever happens to the process, the clock and the configuration.

use super::*;

fn daily(deadline: &str) -> String {
    format!("[tasks.t]\nschedule = '06:00'\ndeadline = '{deadline}'\nretry = {{ attempts = 20, delay = '50m' }}\n")
}

const ALARM: &str = "t/alice@22T06:00 deadline";

/// The slot of the 22nd has failed once, and another attempt is to come.
fn failing(deadline: &str) -> (Stage, ClaimHistory) {
    let mut stage = Stage::new("22T00:00:00", &daily(deadline));
    stage.until("22T06:00:00");
    let order = stage.order();
    let failed = stage.end(&order, Outcome::Failed);
    (stage, open(&order, vec![failed]))
}

/// What the ledger has of the pair.
fn known(told: bool) -> Position {
    let position = position("t", "22T06:00:00", None);
    Position { deadline_alarm: position.last_slot.filter(|_| told), ..position }
}

#[test]
fn a_deadline_that_passes_while_nothing_runs_is_told_at_the_start() {
    let (_, claim) = failing("22:00");
    let mut stage = Stage::after("22T23:00:00", &daily("22:00"), seeds([known(false)], vec![claim]));
    stage.until("22T23:00:01");
    assert_eq!(stage.alarms, [ALARM]);
}

#[test]
fn a_deadline_that_was_told_is_not_told_again_after_a_restart() {
    let (_, claim) = failing("22:00");
    for deadline in ["22:00", "23:30"] {
        let seeds = seeds([known(true)], vec![claim.clone()]);
        let mut stage = Stage::after("22T21:00:00", &daily(deadline), seeds);
        stage.until("23T05:00:00");
        assert!(stage.alarms.is_empty(), "{:?}", stage.alarms);
    }
}

#[test]
fn a_deadline_that_is_moved_counts_where_it_is() {
    for (moved, told_at) in [("20:00", "22T20:00:00"), ("23:00", "22T23:00:00")] {
        let (mut stage, _) = failing("22:00");
        stage.load(&daily(moved));
        stage.until("22T19:59:59");
        assert!(stage.alarms.is_empty());
        while stage.alarms.is_empty() && stage.now < at("23T06:00:00") {
            stage.now = stage.kernel.deadline().unwrap().max(stage.now);
            stage.event(Event::Tick);
        }
        assert_eq!((stage.now, &*stage.alarms), (at(told_at), &[ALARM.to_owned()][..]));
        stage.load(&daily("23:50"));
        stage.until("23T05:00:00");
        assert_eq!(stage.alarms.len(), 1);
    }
}

#[test]
fn a_deadline_that_comes_with_a_reload_counts_for_the_slot_that_is_not_done() {
    let (mut stage, _) = failing("22:00");
    stage.until("22T12:00:00");
    stage.load(&daily("11:00"));
    stage.until("22T23:59:00");
    assert_eq!(stage.alarms, [ALARM]);
}

#[test]
fn what_failed_for_good_before_a_restart_still_meets_its_deadline() {
    let failed = |outcome| {
        let position = position("t", "22T06:00:00", Some("21T06:00:00"));
        let last = position.last.map(|last| LastEnded { outcome, ..last });
        seeds([Position { last, ..position }], Vec::new())
    };
    let alarms = |start: &str, outcome| {
        let mut stage = Stage::after(start, &daily("22:00"), failed(outcome));
        stage.until("23T05:00:00");
        stage.alarms
    };
    assert_eq!(alarms("22T12:00:00", Outcome::Failed), [ALARM]);
    assert!(alarms("22T12:00:00", Outcome::Skipped).is_empty());
    assert!(alarms("22T23:00:00", Outcome::Failed).is_empty(), "its end was told");
}
