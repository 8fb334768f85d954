//! Slots around the transitions of real zones, and against a reference that looks at every minute.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use chrono::{DateTime, SecondsFormat, Utc};

use super::*;

/// Those entries, without jitter, stagger or a missed-run window.
pub(super) fn timing(entries: &[&str], zone: Zone) -> Timing {
    Timing {
        zone,
        schedule: Schedule::parse(entries).unwrap(),
        jitter: Duration::ZERO,
        stagger: Duration::ZERO,
        window_end: None,
        missed: MissedPolicy::Skip,
        deadline: None,
    }
}

pub(super) fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

pub(super) fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The slots in `from..until`, written in the zone.
fn local_slots(entries: &[&str], zone: Zone, from: &str, until: &str) -> Vec<String> {
    let schedule = Schedule::parse(entries).unwrap();
    schedule
        .slots_between(zone, utc(from), utc(until))
        .map(|slot| slot.instant().with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, true))
        .collect()
}

#[test]
fn a_named_time_in_a_gap_runs_at_its_end_in_lists_and_ranges_too() {
    let night = ["2027-03-28T00:00:00+01:00", "2027-03-28T04:30:00+02:00"];
    for entries in [["30 2 * * *"], ["02:30"], ["17 2,14 * * *"], ["5-50/15 2 * * *"], ["*/10 2 * * *"]] {
        let slots = local_slots(&entries, zone("Europe/Berlin"), night[0], night[1]);
        assert_eq!(slots, ["2027-03-28T03:00:00+02:00"], "{entries:?}");
    }
    let slots = local_slots(&["0 1-4 * * *"], zone("Europe/Berlin"), night[0], night[1]);
    assert_eq!(slots, ["2027-03-28T01:00:00+01:00", "2027-03-28T03:00:00+02:00", "2027-03-28T04:00:00+02:00"]);
}

#[test]
fn a_named_time_that_happens_twice_runs_in_the_first_pass() {
    let night = ["2027-10-31T00:30:00+02:00", "2027-10-31T04:00:00+01:00"];
    let slots = local_slots(&["29 0-3 * * *"], zone("Europe/Berlin"), night[0], night[1]);
    assert_eq!(slots, ["2027-10-31T01:29:00+02:00", "2027-10-31T02:29:00+02:00", "2027-10-31T03:29:00+01:00"]);
}

#[test]
fn hours_with_a_star_follow_real_time() {
    let spring = ["2027-03-28T00:00:00+01:00", "2027-03-28T04:30:00+02:00"];
    let slots = local_slots(&["30 * * * *"], zone("Europe/Berlin"), spring[0], spring[1]);
    assert_eq!(slots, ["2027-03-28T00:30:00+01:00", "2027-03-28T01:30:00+01:00", "2027-03-28T03:30:00+02:00"]);
    let autumn = ["2027-10-31T01:00:00+02:00", "2027-10-31T03:30:00+01:00"];
    let slots = local_slots(&["0 */2 * * *"], zone("Europe/Berlin"), autumn[0], autumn[1]);
    assert_eq!(slots, ["2027-10-31T02:00:00+02:00", "2027-10-31T02:00:00+01:00"]);
    let slots = local_slots(&["*/30 * * * *"], zone("Europe/Berlin"), autumn[0], autumn[1]);
    let expected =
        ["01:00:00+02", "01:30:00+02", "02:00:00+02", "02:30:00+02", "02:00:00+01", "02:30:00+01", "03:00:00+01"]
            .map(|time| format!("2027-10-31T{time}:00"));
    assert_eq!(slots, expected);
}

#[test]
fn every_zone_s_own_kind_of_change() {
    let day = |entry: &str, zone: Zone, day: &str| {
        let from: chrono::NaiveDate = day.parse().unwrap();
        let slots = local_slots(
            &[entry],
            zone,
            &format!("{from}T00:00:00Z"),
            &format!("{}T23:59:59Z", from + chrono::Days::new(1)),
        );
        slots.join(" ")
    };
    // New York, both ways.
    assert_eq!(
        day("30 2 * * *", zone("America/New_York"), "2027-03-14"),
        "2027-03-14T03:00:00-04:00 2027-03-15T02:30:00-04:00"
    );
    assert_eq!(
        day("30 1 * * *", zone("America/New_York"), "2027-11-07"),
        "2027-11-07T01:30:00-04:00 2027-11-08T01:30:00-05:00"
    );
    // London's gap begins at 01:00.
    assert_eq!(
        day("15 1 * * *", zone("Europe/London"), "2027-03-28"),
        "2027-03-28T02:00:00+01:00 2027-03-29T01:15:00+01:00"
    );
    // Lord Howe moves by half an hour at 02:00.
    assert_eq!(
        day("0,15,30 2 * * *", zone("Australia/Lord_Howe"), "2027-10-02"),
        "2027-10-03T02:30:00+11:00 2027-10-04T02:00:00+11:00 2027-10-04T02:15:00+11:00 2027-10-04T02:30:00+11:00"
    );
    assert_eq!(
        day("15,45 1 * * *", zone("Australia/Lord_Howe"), "2027-04-03"),
        "2027-04-04T01:15:00+11:00 2027-04-04T01:45:00+11:00 2027-04-05T01:15:00+10:30 2027-04-05T01:45:00+10:30"
    );
    assert_eq!(
        day("45 */12,1 * * *", zone("Australia/Lord_Howe"), "2027-04-03")
            .split(' ')
            .skip(1)
            .take(3)
            .collect::<Vec<_>>(),
        ["2027-04-04T00:45:00+11:00", "2027-04-04T01:45:00+11:00", "2027-04-04T01:45:00+10:30"]
    );
    // Apia had no 30 December 2011: its runs fall on the first instant of the 31st, which has its own too.
    assert_eq!(
        day("0 6,17 * * *", zone("Pacific/Apia"), "2011-12-30"),
        "2011-12-29T17:00:00-10:00 2011-12-31T00:00:00+14:00 2011-12-31T06:00:00+14:00 2011-12-31T17:00:00+14:00 2012-01-01T06:00:00+14:00"
    );
    // Shanghai has not changed since 1991, when it still had summer time (from 15 April at 02:00).
    assert_eq!(
        day("0 2 * * *", zone("Asia/Shanghai"), "2027-03-27"),
        "2027-03-28T02:00:00+08:00 2027-03-29T02:00:00+08:00"
    );
    assert_eq!(
        day("30 2 * * *", zone("Asia/Shanghai"), "1991-04-13"),
        "1991-04-14T03:00:00+09:00 1991-04-15T02:30:00+09:00"
    );
}

#[test]
fn entries_of_one_instant_are_one_slot() {
    let slots = local_slots(
        &["06:00", "0 6 * * *", "０６：００", "0 0 6 * * MON-SUN"],
        Zone::UTC,
        "2026-01-01T06:00:00Z",
        "2026-01-03T06:00:00Z",
    );
    assert_eq!(slots, ["2026-01-01T06:00:00Z", "2026-01-02T06:00:00Z"]);
    let gap = local_slots(
        &["02:10", "02:50", "03:00"],
        zone("Europe/Berlin"),
        "2027-03-28T00:00:00Z",
        "2027-03-29T00:00:00Z",
    );
    assert_eq!(gap, ["2027-03-28T03:00:00+02:00"]);
}

#[test]
fn the_end_is_not_part_of_a_range_and_fractions_do_not_hide_a_slot() {
    let schedule = Schedule::parse(&["* * * * * *"]).unwrap();
    let next = |after| schedule.next_after(Zone::UTC, utc(after)).unwrap().to_string();
    assert_eq!(next("2026-01-01T00:00:00Z"), "2026-01-01T00:00:01Z");
    assert_eq!(next("2026-01-01T00:00:00.999Z"), "2026-01-01T00:00:01Z");
    assert_eq!(next("1969-12-31T23:59:58.5Z"), "1969-12-31T23:59:59Z");
    let count = |from, until| schedule.slots_between(Zone::UTC, utc(from), utc(until)).count();
    assert_eq!(count("2026-01-01T00:00:00Z", "2026-01-01T00:00:02Z"), 2);
    assert_eq!(count("2026-01-01T00:00:00.5Z", "2026-01-01T00:00:02.5Z"), 2);
    assert_eq!(count("2026-01-01T00:00:02Z", "2026-01-01T00:00:00Z"), 0);
}

#[test]
fn all_entries_with_mistakes_are_told_at_once() {
    let errors = Schedule::parse(&["06:00", "25:00", "0 0 30 2 *", "0 0 31 4,6 *"]).unwrap_err();
    assert_eq!(errors.iter().map(|error| error.entry).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(errors[1].to_string(), "this day never comes: check the day of the month against the months");
    assert_eq!(Schedule::parse(&[""; 0]).unwrap_err().len(), 1);
    assert!(Schedule::parse(&["0 0 29 2 *", "0 0 * 2 MON#5"]).is_ok());
}

#[test]
fn either_day_field_makes_a_day_fit() {
    let slots = local_slots(&["30 4 1,15 * 5"], Zone::UTC, "2026-11-22T00:00:00Z", "2026-12-12T00:00:00Z");
    assert_eq!(slots, ["2026-11-27T04:30:00Z", "2026-12-01T04:30:00Z", "2026-12-04T04:30:00Z", "2026-12-11T04:30:00Z"]);
}

#[test]
fn days_counted_from_the_ends_of_a_month() {
    let days = |entry| {
        let slots = local_slots(&[entry], Zone::UTC, "2027-02-01T00:00:00Z", "2027-04-01T00:00:00Z");
        slots.iter().map(|slot| slot[5..10].to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(days("0 0 L * *"), "02-28 03-31");
    assert_eq!(days("0 0 LW * *"), "02-26 03-31");
    assert_eq!(days("0 0 28W * *"), "02-26 03-29");
    assert_eq!(days("0 0 * * FRI#2"), "02-12 03-12");
    assert_eq!(days("0 0 * * SUNL,7#1"), "02-07 02-28 03-07 03-28");
}

#[test]
fn the_deadline_is_the_first_such_local_time_after_the_slot() {
    let at = |zone, time: &str, slot: &str| {
        let timing = Timing { deadline: Some(time.parse().unwrap()), ..timing(&["@daily"], zone) };
        timing.deadline_for(Slot::at(utc(slot))).unwrap().with_timezone(&zone).to_rfc3339()
    };
    let berlin = zone("Europe/Berlin");
    assert_eq!(at(berlin, "22:00:00", "2026-11-22T06:00:00+01:00"), "2026-11-22T22:00:00+01:00");
    assert_eq!(at(berlin, "06:00:00", "2026-11-22T06:00:00+01:00"), "2026-11-23T06:00:00+01:00");
    assert_eq!(at(berlin, "02:30:00", "2027-03-27T06:00:00+01:00"), "2027-03-28T03:00:00+02:00");
    assert_eq!(at(berlin, "02:30:00", "2027-10-31T02:40:00+02:00"), "2027-11-01T02:30:00+01:00");
    assert_eq!(at(zone("Pacific/Apia"), "12:00:00", "2011-12-29T13:00:00-10:00"), "2011-12-31T00:00:00+14:00");
}

#[test]
fn the_last_slot_is_found_to_the_second() {
    let schedule = Schedule::parse(&["7,8,31 * * * * *"]).unwrap();
    let from = utc("2026-11-22T00:00:00Z");
    for seconds in 0..1_000 {
        let now = from + chrono::TimeDelta::seconds(seconds);
        let slots = schedule.slots_between(Zone::UTC, from, now + chrono::TimeDelta::seconds(1));
        assert_eq!(schedule.last_at_or_before(Zone::UTC, now, from), slots.last(), "{now}");
    }
}

#[test]
fn no_instant_is_too_far() {
    let schedule = Schedule::parse(&["* * * * *", "30 2 * * *"]).unwrap();
    for zone in [Zone::UTC, zone("Pacific/Kiritimati"), zone("Pacific/Apia")] {
        let next = |after| schedule.next_after(zone, after);
        assert_eq!((next(DateTime::<Utc>::MIN_UTC), next(DateTime::<Utc>::MAX_UTC)), (None, None));
        assert!(next(utc("0001-01-01T00:00:00Z")).is_some());
        assert!(next(utc("5000-01-01T12:00:00Z")).is_none());
        let all = schedule.last_at_or_before(zone, DateTime::<Utc>::MAX_UTC, utc("2026-11-22T00:00:00Z"));
        assert!(all.is_some_and(|slot| slot.instant() > utc("4999-12-30T00:00:00Z")));
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[*0-9,/#?LWHa-cMON@: +-]{0,24}", at in -60_000_000_000_i64..90_000_000_000) {
        if let Ok(schedule) = Schedule::parse(&[text]) {
            let after = DateTime::from_timestamp(at, 0).unwrap();
            if let Some(next) = schedule.next_after(zone("Europe/Dublin"), after) {
                proptest::prop_assert!(next.instant() > after);
            }
        }
    }

    #[test]
    fn fields_that_are_read_never_loop(
        fields in proptest::collection::vec("(\\*|[0-9]{1,2}(-[0-9]{1,2})?(,[0-9]{1,2})?)(/[0-9]{1,2})?|L|LW|[0-9]{1,2}W|[0-7]#[1-6L]", 5..7),
        at in -60_000_000_000_i64..90_000_000_000,
    ) {
        if let Ok(schedule) = Schedule::parse(&[fields.join(" ")]) {
            let after = DateTime::from_timestamp(at, 0).unwrap();
            let next = schedule.next_after(zone("America/Santiago"), after).unwrap();
            proptest::prop_assert!(next.instant() > after);
            proptest::prop_assert_eq!(schedule.last_at_or_before(zone("America/Santiago"), next.instant(), after), Some(next));
        }
    }
}

mod reference;
