//! What becomes of slots that passed unhandled.

use chrono::{DateTime, TimeDelta, Utc};

use super::{MissedPolicy, Timing};
use crate::names::Slot;

/// How many lost slots are named one by one.
pub const NAMED_LOST_SLOTS: usize = 32;
/// Where counting lost slots ends.
pub const COUNTED_LOST_SLOTS: usize = 1_000;

/// The distance of two neighbouring instants that can be slots.
const SECOND: TimeDelta = TimeDelta::seconds(1);

/// What becomes of the slots since the last one that was handled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missed {
    /// The slots that are not missed: they passed, but stagger and jitter put their run after `now`. In ascending order, at
    /// most [`NAMED_LOST_SLOTS`].
    pub ahead: Vec<Slot>,
    /// The slot to run now, late: the newest that should have run, when the policy's window reaches back to it.
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

/// Sorts the slots of one account after `handled` and up to `now`.
///
/// `handled` is the last slot that was claimed or recorded or, for a task that has none, the instant it became active.
/// `fire_at` is [`fire_at`](super::fire_at) for this account; a run planned for `now` itself counts as missed, so runs that are
/// due in an ordinary way have to be taken first. The work is bounded by the two constants, not by the time that passed.
pub fn missed(
    timing: &Timing,
    handled: DateTime<Utc>,
    now: DateTime<Utc>,
    fire_at: impl Fn(Slot) -> DateTime<Utc>,
) -> Missed {
    let after = Slot::at(handled).instant().checked_add_signed(SECOND).unwrap_or(handled);
    let earlier = |instant| timing.last_at_or_before(instant, after);
    let mut newest = earlier(now);
    let mut ahead = Vec::new();
    while let Some(slot) = newest.filter(|slot| fire_at(*slot) > now && ahead.len() < NAMED_LOST_SLOTS) {
        ahead.push(slot);
        newest = earlier(slot.instant() - SECOND);
    }
    ahead.reverse();
    let Some(newest) = newest else {
        return Missed { ahead, ..Missed::default() };
    };
    let run_late = match timing.missed {
        MissedPolicy::Skip => None,
        MissedPolicy::RunOnce { within } => {
            (now - newest.instant()).to_std().is_ok_and(|late| late <= within).then_some(newest)
        }
    };
    let until = if run_late.is_some() { newest.instant() } else { newest.instant() + SECOND };
    Missed { ahead, run_late, lost: LostSlots::between(timing, after, until) }
}

impl LostSlots {
    /// All slots in `from..until`.
    pub(crate) fn between(timing: &Timing, from: DateTime<Utc>, until: DateTime<Utc>) -> Self {
        let mut slots: Vec<Slot> = timing.slots_between(from, until).take(COUNTED_LOST_SLOTS).collect();
        let count = slots.len();
        if count < COUNTED_LOST_SLOTS {
            slots.drain(..count.saturating_sub(NAMED_LOST_SLOTS));
            return Self { newest: slots, count };
        }
        let before = |instant: DateTime<Utc>| timing.last_at_or_before(instant - SECOND, from);
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
    use crate::schedule::tests::{timing, utc, zone};

    const SIX_HOURS: MissedPolicy = MissedPolicy::RunOnce { within: Duration::from_hours(6) };

    fn daily(missed: MissedPolicy) -> Timing {
        Timing { missed, ..timing(&["0 6 * * *"], zone("Asia/Shanghai")) }
    }

    fn missed(timing: &Timing, handled: DateTime<Utc>, now: DateTime<Utc>) -> Missed {
        super::missed(timing, handled, now, Slot::instant)
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
        assert_eq!(outside, Missed { lost: LostSlots { newest: lost(&[19, 20, 21]), count: 3 }, ..Missed::default() });

        let skipped = missed(MissedPolicy::Skip, "2026-11-21T06:00:00+08:00");
        assert_eq!(skipped, Missed { lost: LostSlots { newest: lost(&[19, 20, 21]), count: 3 }, ..Missed::default() });
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
    fn a_run_that_jitter_put_off_is_not_missed() {
        let delayed = |slot: Slot| slot.instant() + TimeDelta::minutes(20);
        let (handled, slot) = (utc("2026-11-20T06:00:00+08:00"), slot("2026-11-21T06:00:00+08:00"));
        let at =
            |minute| super::missed(&daily(SIX_HOURS), handled, slot.instant() + TimeDelta::minutes(minute), delayed);
        assert_eq!(at(19), Missed { ahead: vec![slot], ..Missed::default() });
        assert_eq!(at(20), Missed { run_late: Some(slot), ..Missed::default() });
    }

    #[test]
    fn ten_years_of_minutes_are_summed_up() {
        let timing = Timing { missed: SIX_HOURS, ..timing(&["* * * * *"], zone("Europe/Berlin")) };
        let missed = missed(&timing, utc("2016-11-22T00:00:00Z"), utc("2026-11-22T00:00:10Z"));
        assert_eq!(missed.run_late, Some(slot("2026-11-22T00:00:00Z")));
        assert_eq!(missed.lost.count, COUNTED_LOST_SLOTS);
        assert_eq!(missed.lost.newest.len(), NAMED_LOST_SLOTS);
        assert_eq!(missed.lost.newest.last(), Some(&slot("2026-11-21T23:59:00Z")));
        assert!(missed.lost.newest.is_sorted_by(|a, b| a < b));
    }
}
