//! One account of one task: which slots are handled, which one is planned.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::agenda::PairKey;
use super::record::{Position, RunRecord};
use super::status::MissedReason;
use crate::config::Task;
use crate::names::{RunId, Slot};
use crate::schedule::{self, MissedPolicy, Seed};

/// A run that begins this much after its instant is on time; beyond it the missed-run policy decides. It has room for a slow
/// start and a busy machine, and is short beside any window worth writing down.
pub(super) const MISFIRE_GRACE: Duration = Duration::from_secs(60);

/// A slot that waits for its instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) slot: Slot,
    pub(super) at: DateTime<Utc>,
    /// It passed while the daemon could not run it, and is made up for.
    pub(super) late: bool,
}

impl Planned {
    pub(super) fn late_by(&self, now: DateTime<Utc>) -> Duration {
        (now - self.at).to_std().unwrap_or_default()
    }
}

/// A slot that ended for now and is taken up again.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) run_id: RunId,
    pub(super) slot: Slot,
    pub(super) record: Box<RunRecord>,
}

#[derive(Debug)]
pub(super) struct Pair {
    pub(super) task: Arc<Task>,
    index: usize,
    /// Slots at or before this instant are handled, or were never this pair's.
    floor: DateTime<Utc>,
    pub(super) planned: Option<Planned>,
    /// The slot that was ordered last, and when it was to begin.
    pub(super) fired: Option<(Slot, DateTime<Utc>)>,
    pub(super) waiting: Option<Waiting>,
    /// The latest slot whose sign-in is done.
    pub(super) done: Option<Slot>,
    pub(super) to_delete: Option<(RunId, Vec<i32>)>,
}

/// What planning found out about slots that passed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) late: Option<Slot>,
    pub(super) lost: Vec<(Slot, MissedReason)>,
}

impl Pair {
    pub(super) fn new(task: Arc<Task>, index: usize, since: DateTime<Utc>, position: Option<&Position>) -> Self {
        let handled = position.and_then(|position| position.last_slot).map(Slot::instant);
        let done = position.and_then(|position| position.last.as_ref());
        Self {
            task,
            index,
            floor: handled.map_or(since, |handled| handled.max(since)),
            planned: None,
            fired: None,
            waiting: None,
            done: done.filter(|last| last.outcome.is_done()).map(|last| last.slot),
            to_delete: None,
        }
    }

    /// The pair after a reload. The slots stay when the schedule did.
    pub(super) fn with_task(mut self, task: Arc<Task>, index: usize, since: DateTime<Utc>) -> Self {
        self.floor = self.floor.max(since);
        self.planned = None;
        (self.task, self.index) = (task, index);
        self
    }

    pub(super) fn is_planned(&self, slot: Slot) -> bool {
        self.planned.is_some_and(|planned| planned.slot == slot)
    }

    pub(super) fn waits_for(&self, run_id: &RunId) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| waiting.run_id == *run_id)
    }

    pub(super) fn take_planned(&mut self, slot: Slot) -> Option<Planned> {
        self.planned.take_if(|planned| planned.slot == slot)
    }

    pub(super) fn handled(&mut self, slot: Slot) {
        self.floor = self.floor.max(slot.instant());
    }

    /// The first local time of the task's deadline after the slot.
    pub(super) fn deadline_after(&self, slot: Slot) -> Option<DateTime<Utc>> {
        self.task.timing.deadline_after(slot)
    }

    /// Plans the first slot that is not handled.
    pub(super) fn plan(&mut self, now: DateTime<Utc>, seed: &Seed, key: &PairKey) -> Plan {
        let task = Arc::clone(&self.task);
        let fire_at = |slot| schedule::fire_at(seed, &key.0, &key.1, self.index, slot, &task.timing);
        self.planned = task.timing.next_after(self.floor).map(|slot| Planned { slot, at: fire_at(slot), late: false });
        let Some(first) = self.planned.filter(|first| first.late_by(now) > MISFIRE_GRACE) else {
            return Plan::default();
        };
        debug_assert!(first.slot.instant() > self.floor, "a handled slot is not planned again");
        let missed = schedule::missed(&task.timing, self.floor, now, |slot| fire_at(slot) + MISFIRE_GRACE);
        let within = match task.timing.missed {
            MissedPolicy::RunOnce { within } => Some(within),
            MissedPolicy::Skip => None,
        };
        let late = missed.run_late;
        let reason = match (late, within) {
            (Some(_), _) => MissedReason::Coalesced,
            (None, Some(_)) => MissedReason::WindowPassed,
            (None, None) => MissedReason::Policy,
        };
        let lost: Vec<(Slot, MissedReason)> = missed.lost.newest.into_iter().map(|slot| (slot, reason)).collect();
        if let Some((newest, _)) = lost.last() {
            self.floor = self.floor.max(newest.instant());
        }
        self.planned = match late {
            // Spread as the slot itself was, so that a reboot does not fire every account at one instant.
            Some(slot) => {
                let delay = fire_at(slot) - slot.instant();
                let last =
                    within.and_then(|within| TimeDelta::from_std(within).ok()).map(|within| slot.instant() + within);
                let at = now + delay;
                Some(Planned { slot, at: last.map_or(at, |last| at.min(last)).max(now), late: true })
            }
            None => task.timing.next_after(self.floor).map(|slot| Planned { slot, at: fire_at(slot), late: false }),
        };
        Plan { late, lost }
    }
}
