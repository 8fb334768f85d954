//! Accounts: one order at a time, the nearest deadline first, quiet hours, budget, catching up.

use crate::kernel::status::{DelayedReason, SkippedReason};

use super::*;

fn alice(keys: &str, tasks: &str) -> String {
    format!("[accounts.alice]\n{keys}\n{tasks}")
}

#[test]
fn an_account_does_one_thing_at_a_time_the_most_urgent_first() {
    let tables = "[tasks.a]\nschedule = '06:00'\n[tasks.b]\nschedule = '06:00'\ndeadline = '20:00'\n\
                  [tasks.c]\nschedule = '06:00'\ndeadline = '07:00'\n[tasks.first]\nschedule = '05:59'\n";
    let mut stage = Stage::new("22T00:00:00", tables);
    stage.until("22T06:00:00");
    let mut order = stage.order();
    assert_eq!(stage.kernel.status().accounts["alice"].queue_length, 3);
    for expected in ["c", "b", "a"] {
        stage.end(&order, Outcome::Succeeded);
        order = stage.order();
        assert_eq!(order.key.task.as_str(), expected);
    }
    stage.end(&order, Outcome::Succeeded);
    assert!(stage.kernel.is_idle() && stage.orders.is_empty());
}

#[test]
fn what_waits_longer_than_its_window_is_missed_with_an_alarm() {
    let tables = "[tasks.a]\nschedule = '06:00'\nmissed = { within = '1h' }\n[tasks.b]\nschedule = '06:00'\n";
    let mut stage = Stage::new("22T00:00:00", &format!("{tables}deadline = '06:30'\n"));
    stage.until("22T08:00:00");
    let order = stage.order();
    assert_eq!(order.key.task.as_str(), "a");
    stage.end(&order, Outcome::Succeeded);
    let order = stage.order();
    stage.end(&order, Outcome::Succeeded);
    let mut stage = Stage::new("22T00:00:00", tables.replace("[tasks.b]", "[tasks.0]").as_str());
    stage.until("22T08:00:00");
    let order = stage.order();
    stage.end(&order, Outcome::Succeeded);
    assert_eq!(stage.missed(), ["a/alice@22T06:00 Missed"]);
    assert_eq!(stage.alarms, ["a/alice@22T06:00 missed"]);
}

#[test]
fn a_newer_slot_takes_the_place_of_one_that_still_waits() {
    let tables = "[tasks.long]\nschedule = '05:59'\n[tasks.t]\nschedule = '0 6-8 * * *'\n";
    let mut stage = Stage::new("22T00:00:00", tables);
    stage.until("22T07:30:00");
    let order = stage.order();
    assert_eq!(stage.missed(), ["t/alice@22T06:00 Missed"]);
    stage.end(&order, Outcome::Succeeded);
    assert_eq!(stage.ordered(), ["t/alice@22T07:00 scheduled"]);
    assert!(stage.alarms.is_empty());
}

/// The ledger's latest slot tells the next process where to go on: nothing may be recorded before what is older.
#[test]
fn no_slot_is_given_up_before_an_older_one_that_still_waits() {
    let task = "[tasks.long]\nschedule = '05:59'\n[tasks.t]\nschedule = '0 6-12 * * *'\nmissed = { policy = 'skip' }\n";
    let mut stage = Stage::new("22T00:00:00", task);
    stage.until("22T06:30:00");
    // The machine sleeps.
    stage.jump("22T09:30:00");
    assert_eq!(stage.missed(), [6, 7, 8, 9].map(|hour| format!("t/alice@22T{hour:02}:00 Missed")));
    assert_eq!(stage.alarms, ["t/alice@22T09:00 missed"]);
    assert_eq!(stage.task("t").counts.missed.values().sum::<u64>(), 4);
    assert_eq!(stage.kernel.status().accounts["alice"].queue_length, 0);
    stage.until("22T10:30:00");
    // A run by hand goes on as the next one comes.
    let (name, now) = ("t".parse().unwrap(), stage.now);
    let by_hand = stage.kernel.once(now, &name, None).unwrap();
    stage.until("22T11:00:00");
    assert_eq!(stage.missed(), ["t/alice@22T10:00 Skipped", "t/alice@22T11:00 Skipped"]);
    assert_eq!(by_hand.len(), 1);
}

#[test]
fn a_changed_schedule_gives_up_what_waits_before_what_is_newer() {
    let tables = |schedule: &str| {
        format!("[tasks.long]\nschedule = '05:59'\n[tasks.t]\nschedule = '{schedule}'\njitter = '50m'\n")
    };
    let mut stage = Stage::new("22T00:00:00", &tables("0 6-12 * * *"));
    stage.until("22T07:00:00");
    stage.load(&tables("30 12 * * *"));
    assert_eq!(stage.missed(), ["t/alice@22T06:00 Skipped", "t/alice@22T07:00 Skipped"]);
}

#[test]
fn in_quiet_hours_nothing_begins_and_the_last_slot_of_the_night_stands_for_all() {
    let quiet = alice("quiet = ['23:00', '07:00']", "[tasks.t]\nschedule = '0 * * * *'\n");
    let mut stage = Stage::new("22T22:30:00", &quiet);
    stage.until("23T06:59:59");
    assert_eq!(stage.ordered(), Vec::<String>::new());
    stage.until("23T07:00:00");
    assert_eq!(stage.ordered(), ["t/alice@23T07:00 scheduled"]);
    assert_eq!(stage.missed().len(), 8);
    assert!(stage.alarms.is_empty());
    assert_eq!(stage.task("t").counts.skipped, [(SkippedReason::Quiet, 8)].into());
    assert_eq!(stage.task("t").counts.delayed, [].into());
}

#[test]
fn a_second_attempt_waits_for_the_end_of_the_quiet_hours() {
    let task = "[tasks.t]\nschedule = '22:55'\nretry = { attempts = 2, delay = '10m' }\n";
    let mut stage = Stage::new("22T22:00:00", &alice("quiet = ['23:00', '07:00']", task));
    stage.until("22T22:55:00");
    let order = stage.order();
    stage.end(&order, Outcome::Failed);
    stage.until("23T06:59:00");
    assert!(stage.orders.is_empty());
    stage.until("23T07:00:00");
    assert_eq!(stage.ordered(), ["t/alice@22T22:55 attempt 2"]);
}

#[test]
fn new_quiet_hours_move_what_is_planned() {
    let task = "[tasks.t]\nschedule = '06:00'\n";
    let mut stage = Stage::new("22T00:00:00", &alice("", task));
    assert_eq!(stage.next("t").as_deref(), Some("22T06:00:00"));
    stage.load(&alice("quiet = ['05:00', '08:00']", task));
    assert_eq!(stage.next("t").as_deref(), Some("22T08:00:00"));
    stage.until("22T08:00:00");
    assert_eq!(stage.ordered(), ["t/alice@22T06:00 scheduled"]);
    assert_eq!(stage.task("t").counts.delayed, [(DelayedReason::Quiet, 1)].into());
}

#[test]
fn slots_of_a_night_to_come_do_not_hide_those_of_a_new_schedule() {
    let quiet = |entries: &str| {
        alice("quiet = ['23:00', '07:00']", &format!("[tasks.t]\nschedule = {entries}\nmissed = {{ within = '3d' }}\n"))
    };
    let mut stage = Stage::new("22T12:00:00", &quiet("['0 1,2 24 * *']"));
    stage.until("22T13:00:00");
    stage.since = stage.now;
    stage.load(&quiet("['12:00']"));
    stage.until("23T12:00:00");
    assert_eq!(stage.ordered(), ["t/alice@23T12:00 scheduled"]);
}

#[test]
fn a_budget_holds_runs_back_until_there_is_room_and_misses_what_would_be_too_late() {
    let tasks: String =
        (0..5).map(|n| format!("[tasks.t{n}]\nschedule = '06:00'\nmissed = {{ within = '90m' }}\n")).collect();
    let mut stage = Stage::new("22T00:00:00", &alice("at_most = { runs = 2, per = '1h' }", &tasks));
    stage.until("22T06:00:00");
    let mut begun = Vec::new();
    for time in ["22T06:30:00", "22T07:00:00", "22T07:15:00", "22T09:00:00"] {
        while let Some(order) = stage.orders.pop() {
            begun.push(format!("{} {}", stage.now.format("%H:%M"), order.key.task));
            stage.end(&order, Outcome::Succeeded);
        }
        stage.until(time);
    }
    assert_eq!(begun, ["06:00 t0", "06:00 t1", "07:00 t2", "07:00 t3"]);
    assert_eq!((stage.missed(), stage.alarms.len()), (vec!["t4/alice@22T06:00 Missed".to_owned()], 1));
    let delayed: Vec<_> = (0..5).map(|n| stage.task(&format!("t{n}")).counts.delayed.clone()).collect();
    let by_budget = BTreeMap::from([(DelayedReason::Budget, 1)]);
    assert_eq!(delayed, [[].into(), [].into(), by_budget.clone(), by_budget.clone(), by_budget]);
}

#[test]
fn the_budget_knows_what_began_before_a_restart() {
    let start = ("alice".parse().unwrap(), at("22T05:30:00"));
    let seeds = Seeds { starts: vec![start], ..seeds([], Vec::new()) };
    let task = "[tasks.t]\nschedule = '06:00'\n";
    let mut stage = Stage::after("22T05:45:00", &alice("at_most = { runs = 1, per = '1h' }", task), seeds);
    stage.until("22T06:29:00");
    assert!(stage.orders.is_empty());
    stage.until("22T06:30:00");
    assert_eq!(stage.ordered(), ["t/alice@22T06:00 scheduled"]);
}

#[test]
fn catching_up_is_spread() {
    let tasks: String = (0..5).map(|n| format!("[tasks.t{n}]\nschedule = '06:00'\n")).collect();
    let positions = (0..5).map(|n| position(&format!("t{n}"), "21T06:00:00", None));
    let mut stage = Stage::after("22T08:00:00", &tasks, seeds(positions, Vec::new()));
    let starts: Vec<_> = (0..5).map(|n| stage.next(&format!("t{n}")).unwrap()).collect();
    assert_eq!(starts, ["22T08:00:00", "22T08:00:10", "22T08:00:20", "22T08:00:30", "22T08:00:40"]);
}

#[test]
fn an_order_that_nobody_can_take_is_missed_with_an_alarm() {
    let mut stage = Stage::new("22T00:00:00", "[tasks.t]\nschedule = '06:00'\n");
    stage.until("22T06:00:00");
    let order = stage.order();
    stage.event(Event::Undeliverable { key: order.key, reason: "no api_id".to_owned() });
    assert_eq!(stage.missed(), ["t/alice@22T06:00 Missed"]);
    assert_eq!(stage.alarms, ["t/alice@22T06:00 missed"]);
    assert!(stage.kernel.is_idle());
}
