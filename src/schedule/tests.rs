//! Slots around the transitions of real zones, and against a reference that looks at every minute.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;

use super::*;

/// Those entries, without jitter, stagger or a missed-run window.
pub(super) fn timing(entries: &[&str], zone: Tz) -> Timing {
    Timing {
        zone,
        schedule: Schedule::parse(entries).unwrap(),
        jitter: Duration::ZERO,
        stagger: Duration::ZERO,
        missed: MissedPolicy::Skip,
        deadline: None,
    }
}

pub(super) fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The slots in `from..until`, written in the zone.
fn local_slots(entries: &[&str], zone: Tz, from: &str, until: &str) -> Vec<String> {
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
        let slots = local_slots(&entries, chrono_tz::Europe::Berlin, night[0], night[1]);
        assert_eq!(slots, ["2027-03-28T03:00:00+02:00"], "{entries:?}");
    }
    let slots = local_slots(&["0 1-4 * * *"], chrono_tz::Europe::Berlin, night[0], night[1]);
    assert_eq!(slots, ["2027-03-28T01:00:00+01:00", "2027-03-28T03:00:00+02:00", "2027-03-28T04:00:00+02:00"]);
}

#[test]
fn a_named_time_that_happens_twice_runs_in_the_first_pass() {
    let night = ["2027-10-31T00:30:00+02:00", "2027-10-31T04:00:00+01:00"];
    let slots = local_slots(&["29 0-3 * * *"], chrono_tz::Europe::Berlin, night[0], night[1]);
    assert_eq!(slots, ["2027-10-31T01:29:00+02:00", "2027-10-31T02:29:00+02:00", "2027-10-31T03:29:00+01:00"]);
}

#[test]
fn hours_with_a_star_follow_real_time() {
    let spring = ["2027-03-28T00:00:00+01:00", "2027-03-28T04:30:00+02:00"];
    let slots = local_slots(&["30 * * * *"], chrono_tz::Europe::Berlin, spring[0], spring[1]);
    assert_eq!(slots, ["2027-03-28T00:30:00+01:00", "2027-03-28T01:30:00+01:00", "2027-03-28T03:30:00+02:00"]);
    let autumn = ["2027-10-31T01:00:00+02:00", "2027-10-31T03:30:00+01:00"];
    let slots = local_slots(&["0 */2 * * *"], chrono_tz::Europe::Berlin, autumn[0], autumn[1]);
    assert_eq!(slots, ["2027-10-31T02:00:00+02:00", "2027-10-31T02:00:00+01:00"]);
    let slots = local_slots(&["*/30 * * * *"], chrono_tz::Europe::Berlin, autumn[0], autumn[1]);
    let expected =
        ["01:00:00+02", "01:30:00+02", "02:00:00+02", "02:30:00+02", "02:00:00+01", "02:30:00+01", "03:00:00+01"]
            .map(|time| format!("2027-10-31T{time}:00"));
    assert_eq!(slots, expected);
}
