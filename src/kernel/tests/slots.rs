//! Slots: fired once, made up for or lost, skipped, tried again, alarmed about.

use crate::kernel::status::SkippedReason;

use super::*;

const DAILY: &str = "[tasks.t]\nschedule = '06:00'\n";

fn daily(more: &str) -> String {
    format!("{DAILY}{more}\n")
}

#[test]
fn a_slot_is_ordered_once_at_its_instant() {
    let mut stage = Stage::new("22T00:00:00", DAILY);
    assert_eq!(stage.kernel.deadline(), Some(at("22T06:00:00")));
    stage.jump("22T05:59:59");
    assert!(stage.orders.is_empty());
    stage.jump("22T06:00:00");
    stage.event(Event::Tick);
    let order = stage.order();
    assert_eq!(words(&order), "t/alice@22T06:00 scheduled");
    stage.end(&order, Outcome::Succeeded);
    stage.until("24T12:00:00");
    assert_eq!(stage.ordered(), ["t/alice@23T06:00 scheduled"]);
    assert_eq!(stage.missed(), ["t/alice@24T06:00 Skipped"], "the second run never ended");
    assert!(stage.alarms.is_empty());
}

#[test]
fn what_passed_while_nobody_was_there_runs_late_once_or_is_missed_with_one_alarm() {
    for (start, policy, orders, not_run, alarms) in [
        ("22T09:00:00", "", &["t/alice@22T06:00 late"][..], &["t/alice@20T06:00", "t/alice@21T06:00"][..], &[][..]),
        (
            "22T12:00:01",
            "",
            &[],
            &["t/alice@20T06:00", "t/alice@21T06:00", "t/alice@22T06:00"],
            &["t/alice@22T06:00 missed"],
        ),
        (
            "22T06:02:00",
            "missed = { policy = 'skip' }",
            &[],
            &["t/alice@20T06:00", "t/alice@21T06:00", "t/alice@22T06:00"],
            &["t/alice@22T06:00 missed"],
        ),
    ] {
        let mut stage = Stage::after(start, &daily(policy), seeds([position("t", "19T06:00:00", None)], Vec::new()));
        stage.until("22T23:00:00");
        assert_eq!(stage.ordered(), orders, "{start}");
        let not_run: Vec<String> = not_run.iter().map(|key| format!("{key} Missed")).collect();
        assert_eq!(stage.missed(), not_run, "{start}");
        assert_eq!(stage.alarms, alarms, "{start}");
        assert_eq!(stage.next("t").as_deref(), Some("23T06:00:00"));
    }
}

#[test]
fn lost_slots_that_are_too_many_to_name_are_counted() {
    let mut stage = Stage::after(
        "22T00:00:30",
        "[tasks.t]\nschedule = '* * * * *'\nmissed = { policy = 'skip' }\n",
        seeds([position("t", "21T20:00:00", None)], Vec::new()),
    );
    // The one of midnight is on time.
    let status = &stage.kernel.status().tasks["t"];
    assert_eq!(status.counts.missed.values().sum::<u64>(), 239);
    assert_eq!(status.accounts.values().next().unwrap().consecutive_failures, 239);
    assert_eq!(stage.not_run.len(), crate::schedule::NAMED_LOST_SLOTS);
    assert_eq!(stage.alarms, ["t/alice@21T23:59 missed"]);
    stage.event(Event::Tick);
    assert_eq!(stage.ordered(), ["t/alice@22T00:00 scheduled"]);
}

#[test]
fn a_sleep_through_the_window_is_a_miss_and_a_short_one_is_made_up_for() {
    let mut stage = Stage::new("22T00:00:00", DAILY);
    stage.jump("22T06:01:00");
    assert_eq!(stage.ordered(), ["t/alice@22T06:00 scheduled"], "a minute is no lateness");
    let mut stage = Stage::new("22T00:00:00", DAILY);
    stage.jump("22T08:00:00");
    assert_eq!(stage.ordered(), ["t/alice@22T06:00 late"]);
    let mut stage = Stage::new("22T00:00:00", DAILY);
    stage.jump("22T18:00:00");
    assert_eq!((stage.missed(), stage.orders.len()), (vec!["t/alice@22T06:00 Missed".to_owned()], 0));
}

#[test]
fn a_late_run_that_is_slept_through_is_no_longer_late_but_missed() {
    let seeds = seeds([position("t", "21T06:00:00", None)], Vec::new());
    let mut stage = Stage::after("22T08:00:00", &daily("jitter = '4h'"), seeds);
    assert!(stage.orders.is_empty(), "spread as the slot was");
    stage.jump("23T02:00:00");
    assert_eq!((stage.ordered(), stage.missed()), (vec![], vec!["t/alice@22T06:00 Missed".to_owned()]));
}

#[test]
fn reloads_do_not_put_a_late_run_off() {
    let seeds = seeds([position("t", "21T06:00:00", None)], Vec::new());
    let tables = daily("jitter = '1h'");
    let mut stage = Stage::after("22T08:00:00", &tables, seeds);
    let planned = stage.next("t");
    for minute in 1..20 {
        stage.now = at("22T08:00:00") + MINUTE * minute;
        if stage.next("t") != planned {
            break;
        }
        stage.load(&format!("{tables}[tasks.u{minute}]\nschedule = '12:00'\n"));
        assert_eq!(stage.next("t"), planned);
    }
}

#[test]
fn no_slot_comes_twice_when_the_clock_is_put_back() {
    let mut stage = Stage::new("22T00:00:00", DAILY);
    stage.jump("22T06:00:00");
    let order = stage.order();
    stage.end(&order, Outcome::Succeeded);
    stage.now = at("22T05:00:00");
    stage.event(Event::Tick);
    stage.load(&daily("jitter = '1m'"));
    stage.until("22T23:00:00");
    assert_eq!(stage.ordered(), Vec::<String>::new());
    assert_eq!(stage.missed(), Vec::<String>::new());
}

#[test]
fn failures_are_tried_again_and_alarm_once_at_the_end() {
    let mut stage = Stage::new("22T00:00:00", &daily("retry = { attempts = 3, delay = '10m' }"));
    stage.until("22T06:00:00");
    for (attempt, time) in [("scheduled", "22T06:10:00"), ("attempt 2", "22T06:30:00"), ("attempt 3", "22T09:00:00")] {
        let order = stage.order();
        assert_eq!(words(&order), format!("t/alice@22T06:00 {attempt}"));
        assert!(stage.alarms.is_empty());
        stage.end(&order, Outcome::Failed);
        stage.until(time);
    }
    assert_eq!(stage.alarms, ["t/alice@22T06:00 failed"]);
    assert!(stage.orders.is_empty());
}

#[test]
fn an_unknown_outcome_is_only_looked_at_again_then_final() {
    let mut stage = Stage::new("22T00:00:00", DAILY);
    stage.until("22T06:00:00");
    let order = stage.order();
    let first = stage.end(&order, Outcome::Unknown);
    for time in ["22T06:01:00", "22T06:10:00", "22T07:00:00"] {
        stage.until(time);
        let order = stage.order();
        assert_eq!(words(&order), "t/alice@22T06:00 review");
        assert!(stage.alarms.is_empty());
        let resume_at = resume_at(&first, order.task.retry, None, true, stage.now);
        stage.event(Event::Ended { record: Box::new(RunRecord { resume_at, ..first.clone() }), messages: Vec::new() });
    }
    stage.until("22T23:00:00");
    assert!(stage.orders.is_empty());
    assert_eq!(stage.alarms, ["t/alice@22T06:00 unknown"]);
}

#[test]
fn a_new_slot_ends_what_the_one_before_still_had_to_come() {
    let tables = "[tasks.t]\nschedule = '0 * * * *'\nretry = { attempts = 9, delay = '50m' }\n";
    let mut stage = Stage::new("22T05:30:00", tables);
    stage.until("22T06:00:00");
    let order = stage.order();
    stage.now = at("22T06:20:00");
    stage.end(&order, Outcome::Failed);
    stage.until("22T07:00:00");
    assert_eq!(stage.ordered(), ["t/alice@22T07:00 scheduled"]);
    let closed = stage.closed.pop().unwrap();
    assert_eq!((closed.key.slot, closed.outcome, closed.resume_at), (order.key.slot, Outcome::Failed, None));
    assert_eq!(stage.alarms, ["t/alice@22T06:00 failed"]);
}

#[test]
fn the_deadline_alarms_once_and_only_when_the_task_is_not_done() {
    let mut stage = Stage::new("22T00:00:00", &daily("deadline = '22:00'\nretry = { attempts = 2, delay = '1h' }"));
    stage.until("22T06:00:00");
    let order = stage.order();
    stage.until("22T22:00:00");
    assert_eq!(stage.alarms, ["t/alice@22T06:00 deadline"]);
    stage.load(&daily("deadline = '22:00'\nretry = { attempts = 2, delay = '1h' }\ntimeout = '1m'"));
    stage.end(&order, Outcome::Succeeded);
    stage.until("23T06:00:00");
    let order = stage.order();
    stage.end(&order, Outcome::AlreadyDone);
    stage.until("23T23:59:00");
    assert_eq!(stage.alarms.len(), 1);
}

#[test]
fn a_reload_keeps_slots_and_a_changed_schedule_makes_new_ones() {
    let mut stage = Stage::new("22T00:00:00", &daily("jitter = '3h'"));
    let planned = stage.next("t").unwrap();
    stage.load(&daily("jitter = '3h'\ntimeout = '1m'"));
    assert_eq!(stage.next("t").unwrap(), planned);
    // The slot has come, its start has not.
    stage.until("22T06:00:01");
    stage.since = stage.now;
    stage.load("[tasks.t]\nschedule = ['06:00', '18:00']\njitter = '3h'\n");
    stage.event(Event::Tick);
    assert_eq!(stage.ordered(), ["t/alice@22T06:00 scheduled"], "the new schedule has it too");
    stage.until("23T06:00:01");
    stage.since = stage.now;
    stage.load("[tasks.t]\nschedule = '18:00'\njitter = '3h'\n");
    assert_eq!(stage.missed(), ["t/alice@22T18:00 Skipped", "t/alice@23T06:00 Skipped"]);
}

#[test]
fn once_per_day_skips_what_was_done_on_the_same_local_day() {
    let tables = "[tasks.t]\nschedule = ['06:00', '18:00', '22:30']\nonce_per = 'day'\nretry = { attempts = 1 }\n\
                  timezone = 'Asia/Shanghai'\n";
    let mut stage = Stage::new("21T20:00:00", tables);
    stage.until("21T22:00:00");
    let order = stage.order();
    assert_eq!(words(&order), "t/alice@21T22:00 scheduled", "06:00 in Shanghai");
    stage.end(&order, Outcome::Failed);
    stage.until("22T10:00:00");
    let order = stage.orders.pop().unwrap();
    assert_eq!(words(&order), "t/alice@22T10:00 scheduled");
    stage.end(&order, Outcome::Succeeded);
    stage.orders.clear();
    stage.until("22T22:00:00");
    assert_eq!(stage.missed(), ["t/alice@22T14:30 Skipped"]);
    assert_eq!(stage.task("t").counts.skipped, [(SkippedReason::Done, 1)].into());
    assert_eq!(stage.ordered(), ["t/alice@22T22:00 scheduled"]);
}

#[test]
fn a_slot_that_comes_while_the_one_before_runs_is_skipped_and_counted() {
    let mut stage = Stage::new("22T00:00:00", "[tasks.t]\nschedule = '0 * * * *'\n");
    stage.until("22T03:00:00");
    assert_eq!(stage.ordered(), ["t/alice@22T01:00 scheduled"]);
    assert_eq!(stage.missed(), ["t/alice@22T02:00 Skipped", "t/alice@22T03:00 Skipped"]);
    assert_eq!(stage.task("t").counts.skipped, [(SkippedReason::Overlap, 2)].into());
}

#[test]
fn the_interval_is_the_longest_between_the_next_slots() {
    let tasks = "[tasks.days]\nschedule = '0 6 * * MON-FRI'\n[tasks.often]\nevery = '20h'\n\
                 [tasks.off]\nschedule = '06:00'\nenabled = false\n";
    let mut stage = Stage::new("22T00:00:00", tasks);
    let hours = |name: &str, stage: &mut Stage| stage.task(name).interval.map(|interval| interval.as_secs() / 3600);
    assert_eq!(["days", "often", "off"].map(|name| hours(name, &mut stage)), [Some(72), Some(20), None]);
}

#[test]
fn a_slot_in_the_second_in_which_its_schedule_came_is_not_forgotten() {
    let mut stage = Stage::new("22T05:59:59.400", "[tasks.t]\nschedule = '06:00'\njitter = '1h'\n");
    stage.now = at("22T06:00:00.300");
    stage.load("[tasks.t]\nschedule = '18:00'\n");
    assert_eq!(stage.missed(), ["t/alice@22T06:00 Skipped"]);
    stage.now = at("22T17:59:59.900");
    stage.load("[tasks.t]\nschedule = '19:00'\n");
    assert_eq!(stage.missed(), [""; 0], "it has not come yet");
}

#[test]
fn a_period_is_counted_from_the_last_success() {
    let tables = "[tasks.t]\nevery = '20h'\nretry = { attempts = 1 }\n";
    let mut stage = Stage::new("22T00:00:00", tables);
    stage.until("22T00:00:01");
    let order = stage.order();
    stage.until("22T00:30:00");
    stage.end(&order, Outcome::Succeeded);
    assert_eq!(stage.next("t").as_deref(), Some("22T20:30:00"));
    stage.until("22T20:30:00");
    let order = stage.order();
    stage.end(&order, Outcome::Failed);
    assert_eq!(stage.next("t").as_deref(), Some("23T16:30:00"), "a failure is no reason to stop");
    let mut stage =
        Stage::after("23T01:00:00", tables, seeds([position("t", "22T00:00:01", Some("22T00:30:00"))], Vec::new()));
    stage.event(Event::Tick);
    assert_eq!(stage.ordered(), ["t/alice@22T20:30 late"]);
}

#[test]
fn ten_thousand_slots_of_one_instant_are_all_ordered() {
    let mut tables: String = (0..500).map(|n| format!("[accounts.a{n}]\n")).collect();
    for task in 0..20 {
        tables.push_str(&format!("[tasks.t{task}]\nschedule = '06:00'\naccounts = 'all'\n"));
    }
    let mut stage = Stage::new("22T00:00:00", &tables);
    stage.until("22T06:00:00");
    let mut runs = std::collections::BTreeSet::new();
    while let Some(order) = stage.orders.pop() {
        assert!(runs.insert(order.key.clone()));
        stage.end(&order, Outcome::Succeeded);
    }
    assert_eq!(runs.len(), 10_000);
}
