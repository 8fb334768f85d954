//! PURE: cron expressions, time zones, jitter, stagger and the missed-run policy become slots and fire instants.
//!
//! Nothing here reads a clock: `now` is always an argument.

pub mod duration;
mod entries;
mod jitter;
mod missed;
mod plan;
mod rule;
mod syntax;
#[cfg(test)]
mod tests;

pub use entries::{Parser, Schedule, ScheduleError};
pub use jitter::{Seed, fire_at};
pub use missed::{COUNTED_LOST_SLOTS, LostSlots, Missed, NAMED_LOST_SLOTS, missed};
pub use plan::{PlannedRun, PlannedTask, plan};

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
#[derive(Debug, Clone)]
pub struct Timing {
    /// The IANA zone the schedule and the deadline are read in.
    pub zone: chrono_tz::Tz,
    /// The planned wall clock times.
    pub schedule: Schedule,
    /// Upper bound of the delay drawn for each slot and account.
    pub jitter: Duration,
    /// Distance between two accounts of the task.
    pub stagger: Duration,
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

    /// The most that stagger and jitter can put between a slot and the run of the account at `index`.
    pub fn longest_delay(&self, index: usize) -> Duration {
        self.jitter.saturating_add(self.stagger.saturating_mul(u32::try_from(index).unwrap_or(u32::MAX)))
    }

    /// The first instant after the slot at which local clocks show the deadline; in a gap, the first one after the gap.
    pub fn deadline_after(&self, slot: Slot) -> Option<DateTime<Utc>> {
        let deadline = self.deadline?;
        let first_day = slot.instant().with_timezone(&self.zone).date_naive();
        let later = |day: chrono::NaiveDate| {
            let local = day.and_time(deadline);
            (0..=180)
                .find_map(|minutes| (local + chrono::TimeDelta::minutes(minutes)).and_local_timezone(self.zone).earliest())
                .map(|instant| instant.to_utc())
        };
        first_day.iter_days().take(3).filter_map(later).find(|instant| *instant > slot.instant())
    }

    /// The last slot in `not_before..=now`.
    pub fn last_at_or_before(&self, now: DateTime<Utc>, not_before: DateTime<Utc>) -> Option<Slot> {
        self.schedule.last_at_or_before(self.zone, now, not_before)
    }
}
