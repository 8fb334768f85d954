//! What becomes of slots that passed unhandled.

use chrono::{DateTime, TimeDelta, Utc};

use super::{MissedPolicy, Timing};
use crate::names::Slot;

/// How many lost slots are named one by one.
pub const NAMED_LOST_SLOTS: usize = 32;
/// Where counting lost slots ends.
pub const COUNTED_LOST_SLOTS: usize = 1_000;

/// What becomes of the slots since the last one that was handled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missed {
    /// The slot to run now, late: the newest, when the policy's window reaches back to it.
    pub run_late: Option<Slot>,
    /// The slots that will never run.
    pub lost: LostSlots,
}

/// Slots that passed and will never run, bounded however long the daemon was away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LostSlots {
    /// The newest, at most [`NAMED_LOST_SLOTS`], in ascending order.
    pub newest: Vec<Slot>,
    /// How many there are in total, or [`COUNTED_LOST_SLOTS`] when there are at least that many.
    pub count: usize,
}

/// Sorts the slots after `handled` and up to `now`.
///
/// `handled` is the last slot that was claimed or recorded or, for a task that has none, the instant it became active. The
/// slot at `now` itself counts as passed. The work is bounded by the two constants, not by the time that passed.
pub fn missed(timing: &Timing, handled: DateTime<Utc>, now: DateTime<Utc>) -> Missed {
    let after = Slot::at(handled).instant() + TimeDelta::seconds(1);
    let Some(newest) = timing.last_at_or_before(now, after) else {
        return Missed::default();
    };
    let late = now - newest.instant();
    let run_late = match timing.missed {
        MissedPolicy::Skip => None,
        MissedPolicy::RunOnce { within } => late.to_std().is_ok_and(|late| late <= within).then_some(newest),
    };
    let until = if run_late.is_some() { newest.instant() } else { newest.instant() + TimeDelta::seconds(1) };
    Missed { run_late, lost: LostSlots::between(timing, after, until) }
}

impl LostSlots {
    fn between(timing: &Timing, from: DateTime<Utc>, until: DateTime<Utc>) -> Self {
        let mut slots: Vec<Slot> = timing.slots_between(from, until).take(COUNTED_LOST_SLOTS).collect();
        let count = slots.len();
        if count < COUNTED_LOST_SLOTS {
            slots.drain(..count.saturating_sub(NAMED_LOST_SLOTS));
            return Self { newest: slots, count };
        }
        let before = |instant: DateTime<Utc>| timing.last_at_or_before(instant - TimeDelta::seconds(1), from);
        let mut newest: Vec<Slot> =
            std::iter::successors(before(until), |slot| before(slot.instant())).take(NAMED_LOST_SLOTS).collect();
        newest.reverse();
        Self { newest, count }
    }

    /// Whether nothing was lost.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::time::Duration;

    use super::*;
    use crate::schedule::tests::{timing, utc};

    const SIX_HOURS: MissedPolicy = MissedPolicy::RunOnce { within: Duration::from_hours(6) };

    fn daily(missed: MissedPolicy) -> Timing {
        Timing { missed, ..timing(&["0 6 * * *"], chrono_tz::Asia::Shanghai) }
    }

    fn slot(text: &str) -> Slot {
        Slot::at(utc(text))
    }

    #[test]
    fn only_the_newest_slot_inside_the_window_runs_late() {
        let handled = utc("2026-11-18T06:00:00+08:00");
        let missed = |policy, now| missed(&daily(policy), handled, utc(now));
        let lost =
            |days: &[u32]| days.iter().map(|day| slot(&format!("2026-11-{day}T06:00:00+08:00"))).collect::<Vec<_>>();

        let inside = missed(SIX_HOURS, "2026-11-21T12:00:00+08:00");
        assert_eq!(inside.run_late, Some(slot("2026-11-21T06:00:00+08:00")));
        assert_eq!(inside.lost, LostSlots { newest: lost(&[19, 20]), count: 2 });

        let outside = missed(SIX_HOURS, "2026-11-21T12:00:00.001+08:00");
        assert_eq!(outside, Missed { run_late: None, lost: LostSlots { newest: lost(&[19, 20, 21]), count: 3 } });

        let skipped = missed(MissedPolicy::Skip, "2026-11-21T06:00:00+08:00");
        assert_eq!(skipped, Missed { run_late: None, lost: LostSlots { newest: lost(&[19, 20, 21]), count: 3 } });
    }

    #[test]
    fn what_was_handled_or_lies_ahead_or_before_the_task_is_not_missed() {
        let timing = daily(SIX_HOURS);
        for (handled, now) in [
            ("2026-11-21T06:00:00+08:00", "2026-11-22T05:59:59+08:00"),
            ("2026-11-21T06:00:30+08:00", "2026-11-22T05:59:59+08:00"),
            ("2026-11-21T06:00:00+08:00", "2026-11-21T06:00:00+08:00"),
            // The clock was put back.
            ("2026-11-21T06:00:00+08:00", "2026-11-20T06:00:00+08:00"),
        ] {
            assert_eq!(missed(&timing, utc(handled), utc(now)), Missed::default(), "{handled} {now}");
        }
    }

    #[test]
    fn ten_years_of_minutes_are_summed_up() {
        let timing = Timing { missed: SIX_HOURS, ..timing(&["* * * * *"], chrono_tz::Europe::Berlin) };
        let missed = missed(&timing, utc("2016-11-22T00:00:00Z"), utc("2026-11-22T00:00:10Z"));
        assert_eq!(missed.run_late, Some(slot("2026-11-22T00:00:00Z")));
        assert_eq!(missed.lost.count, COUNTED_LOST_SLOTS);
        assert_eq!(missed.lost.newest.len(), NAMED_LOST_SLOTS);
        assert_eq!(missed.lost.newest.last(), Some(&slot("2026-11-21T23:59:00Z")));
        assert!(missed.lost.newest.is_sorted_by(|a, b| a < b));
    }
}
