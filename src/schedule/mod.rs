//! PURE: cron expressions, time zones, jitter, stagger and the missed-run policy become slots and fire instants.
//!
//! Nothing here reads a clock: `now` is always an argument.
//!
//! # Entries
//!
//! A schedule is one entry or several; what several plan for one instant is one slot. An entry is
//!
//! - `HH:MM` or `HH:MM:SS`, every day; full-width characters (`０６：００`) are read as their ASCII twins, here and everywhere;
//! - `@hourly @daily @midnight @weekly @monthly @yearly @annually`;
//! - five cron fields: minute (0–59), hour (0–23), day of the month (1–31), month (1–12 or `JAN`–`DEC`), day of the week (0–7
//!   or `SUN`–`SAT`; 0 and 7 are Sunday);
//! - six cron fields: the second (0–59) comes first, as in Quartz and croner.
//!
//! A field is `*` or a list of values, ranges and steps (`*/15`, `8-18/2`). A day of the month may be `L` (the last), `LW` (the
//! last from Monday to Friday) or `15W` (the day from Monday to Friday that is nearest within the month); a day of the week
//! may be `FRI#2` (the second Friday) or `FRIL` (the last). When both day fields are restricted, a day that fits either of
//! them fits (as in Vixie cron); `*/n` beside the other day field is refused, because crons disagree about it. Ranges do not
//! wrap around, there are no years, and an entry that never comes (`0 0 30 2 *`) is an error.
//!
//! # When the clock is put forward or back
//!
//! An entry whose hour field starts with `*` runs in real time: whenever the wall clock shows a matching time, so not at all for
//! a time that is left out, and twice for a time that happens twice. Every other entry names its hours:
//!
//! - a time that is left out runs at the first instant after the gap. That holds for each value of a list or a range; several
//!   that fall into one gap are one slot;
//! - a time that happens twice runs once, the first time.
//!
//! This holds for any change of a zone's offset: Lord Howe's half hour, or the 30 December 2011 that Apia left out.
//!
//! # Without a wall clock
//!
//! A schedule of the form "every 20 hours" ([`Schedule::every`]) has no entries: its slots follow an anchor, the last success,
//! at that distance. Until it has an [anchor](Schedule::anchored) it has no slots.
//!
//! # From slot to run
//!
//! A [`Slot`] is the identity of a run; [`fire_at`] says when it starts, [`missed`] what happens when nobody was there, and
//! [`plan`] lists what is going to happen.

pub mod duration;
mod entries;
mod jitter;
mod missed;
mod plan;
mod quiet;
mod rule;
mod syntax;
#[cfg(test)]
mod tests;
mod times;
mod words;
mod zone;

pub use entries::{Parser, Schedule, ScheduleError};
pub use jitter::{Place, Seed, fire_at};
pub use missed::{COUNTED_LOST_SLOTS, LostSlots, Missed, NAMED_LOST_SLOTS, missed};
pub use plan::{PlannedRun, PlannedTask, plan};
pub use quiet::Quiet;
pub use words::{describe, restricts_both_days};
pub use zone::{UnknownZone, Zone, ZoneOffset};

use std::time::Duration;

use chrono::{DateTime, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

use crate::names::Slot;

/// What happens to a slot whose instant passed while the daemon could not run it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MissedPolicy {
    /// Record it as missed and alarm.
    Skip,
    /// Run the latest missed slot late, as long as no more than this has passed since the planned instant.
    RunOnce {
        /// From the planned instant.
        within: Duration,
    },
}

/// When a task runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// The IANA zone the schedule and the deadline are read in.
    pub zone: Zone,
    /// The planned wall clock times.
    pub schedule: Schedule,
    /// Upper bound of the delay drawn for each slot and account.
    pub jitter: Duration,
    /// Distance between two accounts of the task.
    pub stagger: Duration,
    /// The end of the window that each slot begins, on the zone's clock: one instant in it is drawn for each account, in
    /// place of stagger and jitter.
    pub window_end: Option<NaiveTime>,
    /// What happens to slots that could not be run in time.
    pub missed: MissedPolicy,
    /// First such local time after the slot: alarm when the task is not done by then.
    pub deadline: Option<NaiveTime>,
}

impl Timing {
    /// The first slot strictly after `after`.
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<Slot> {
        self.schedule.next_after(self.zone, after)
    }

    /// The slots in `from..until`, found one by one.
    pub fn slots_between(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> impl Iterator<Item = Slot> {
        self.schedule.slots_between(self.zone, from, until)
    }

    /// Whether the runs of a slot are drawn from a stretch of time.
    pub fn is_spread(&self) -> bool {
        !self.jitter.is_zero() || self.window_end.is_some()
    }

    /// The length of the window that `slot` begins.
    pub(crate) fn window_after(&self, slot: Slot) -> Option<Duration> {
        let end = self.first_local_time_after(slot, self.window_end?)?;
        (end - slot.instant()).to_std().ok()
    }

    /// The last slot in `not_before..=now`.
    pub fn last_at_or_before(&self, now: DateTime<Utc>, not_before: DateTime<Utc>) -> Option<Slot> {
        self.schedule.last_at_or_before(self.zone, now, not_before)
    }

    /// When the run of `slot` has to be done: the first [`deadline`](Self::deadline) on the zone's clock after the slot. The
    /// daylight-saving policy is that of a named hour.
    pub fn deadline_for(&self, slot: Slot) -> Option<DateTime<Utc>> {
        self.first_local_time_after(slot, self.deadline?)
    }

    fn first_local_time_after(&self, slot: Slot, time: NaiveTime) -> Option<DateTime<Utc>> {
        let days = slot.instant().with_timezone(&self.zone).date_naive().iter_days();
        days.map_while(|day| rule::first_instant(self.zone, day.and_time(time))).find(|at| *at > slot.instant())
    }
}
