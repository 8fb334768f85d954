//! One account of one task: which slots are handled, which one is planned.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::lanes::LaneId;
use super::record::{Position, RunRecord};
use super::status::MissedReason;
use crate::config::Task;
use crate::names::{AccountName, RunKey, Slot};
use crate::schedule::{self, LostSlots, MissedPolicy, Place, Quiet, Seed, Timing};

/// A run that begins this much after its instant is on time; beyond it the missed-run policy decides. It has room for a slow
/// start and a busy machine, and is short beside any window worth writing down.
pub(super) const MISFIRE_GRACE: Duration = Duration::from_mins(1);

/// The distance of two neighbouring instants that can be slots.
const SECOND: TimeDelta = TimeDelta::seconds(1);

/// A slot that waits for its instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) slot: Slot,
    pub(super) at: DateTime<Utc>,
    /// It passed while the daemon could not run it, and is made up for.
    pub(super) late: bool,
    /// The account's quiet hours put it off.
    pub(super) rested: bool,
    /// Earlier slots of the same quiet hours give way to it.
    pub(super) ends_a_night: bool,
}

impl Planned {
    pub(super) fn late_by(&self, now: DateTime<Utc>) -> Duration {
        (now - self.at).to_std().unwrap_or_default()
    }
}

/// What becomes of the task's deadline for one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deadline {
    Unwatched,
    /// This slot has to be done by its deadline.
    Watched(Slot),
    /// Slots up to this one need no alarm any more: there was one.
    Told(Slot),
}

#[derive(Debug)]
pub(super) struct Pair {
    pub(super) task: Arc<Task>,
    /// The account's place among those of the task.
    index: usize,
    pub(super) lane: LaneId,
    /// Slots at or before this instant are handled, or were never this pair's.
    floor: DateTime<Utc>,
    /// The newest slot that was handled.
    handled: Option<Slot>,
    pub(super) planned: Option<Planned>,
    /// The slot that was ordered last, and when it was to begin.
    pub(super) fired: Option<(Slot, DateTime<Utc>)>,
    pub(super) deadline: Deadline,
    /// How a slot ended for now that is taken up again.
    pub(super) waiting: Option<Box<RunRecord>>,
    /// The latest slot whose sign-in is done.
    pub(super) done: Option<Slot>,
    /// When a run last ended as done.
    pub(super) success_at: Option<DateTime<Utc>>,
    /// Own messages of a slot's run.
    pub(super) to_delete: Option<Box<(Slot, Vec<i32>)>>,
}

impl Deadline {
    fn told(self) -> Option<Slot> {
        match self {
            Self::Told(slot) => Some(slot),
            Self::Unwatched | Self::Watched(_) => None,
        }
    }

    /// The slot whose deadline is still to come.
    pub(super) fn watched(self) -> Option<Slot> {
        match self {
            Self::Watched(slot) => Some(slot),
            Self::Unwatched | Self::Told(_) => None,
        }
    }
}

/// What planning found out about slots that passed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) late: Option<Slot>,
    pub(super) lost: LostSlots,
    /// Why they are lost; without lost slots it means nothing.
    pub(super) reason: Option<MissedReason>,
}

/// The first whole second after an instant: the first that can be a slot after it.
fn second_after(instant: DateTime<Utc>) -> DateTime<Utc> {
    Slot::at(instant).instant() + SECOND
}

impl Pair {
    /// The account is that at `index` of the task.
    pub(super) fn new(
        task: Arc<Task>,
        index: usize,
        lane: LaneId,
        since: DateTime<Utc>,
        position: Option<&Position>,
    ) -> Self {
        let handled = position.and_then(|position| position.last_slot);
        let done = position.and_then(|position| position.last.as_ref());
        Self {
            task,
            index,
            lane,
            floor: handled.map_or(since, |handled| handled.instant().max(since)),
            handled,
            planned: None,
            fired: None,
            deadline: position.and_then(|position| position.deadline_alarm).map_or(Deadline::Unwatched, Deadline::Told),
            waiting: None,
            done: done.filter(|last| last.outcome.is_done()).map(|last| last.slot),
            success_at: position.and_then(|position| position.last_success_at),
            to_delete: None,
        }
    }

    pub(super) fn account(&self) -> &AccountName {
        &self.task.accounts[self.index]
    }

    pub(super) fn run_key(&self, slot: Slot) -> RunKey {
        RunKey { task: self.task.name.clone(), account: self.account().clone(), slot }
    }

    /// The pair after a change of its task. Slots of another schedule that had come and not begun are given up, but for the
    /// one that was about to begin, if the new schedule has it too: that one begins now, because after a restart nobody
    /// would know of it. Returns this one, and those that are given up.
    pub(super) fn change(
        &mut self,
        task: Arc<Task>,
        index: usize,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> (Option<Slot>, Vec<Slot>) {
        let same_slots = self.task.schedule_fingerprint == task.schedule_fingerprint;
        let mut due = if same_slots { Vec::new() } else { self.due(now).newest };
        let planned = self.planned.take();
        (self.task, self.index) = (task, index);
        if same_slots {
            return (None, due);
        }
        if let Some(newest) = due.last() {
            self.handled(*newest);
        }
        self.floor = self.floor.max(since);
        let carried = planned.filter(|planned| {
            let slot = planned.slot.instant();
            slot <= now && self.timing().next_after(slot - SECOND) == Some(planned.slot)
        });
        self.planned = carried.map(|planned| Planned { at: now, ..planned });
        due.retain(|slot| !self.is_planned(*slot));
        (self.planned.map(|planned| planned.slot), due)
    }

    /// The slots that have come and are not handled.
    pub(super) fn due(&self, now: DateTime<Utc>) -> LostSlots {
        LostSlots::between(&self.timing(), second_after(self.floor), second_after(now))
    }

    /// The slots before this one that are not handled.
    pub(super) fn unhandled_before(&self, slot: Slot) -> LostSlots {
        self.due(slot.instant() - SECOND)
    }

    /// Where the pair stands when its task goes; it may come back.
    pub(super) fn position(&self, now: DateTime<Utc>) -> Position {
        Position {
            task: self.task.name.clone(),
            account: self.account().clone(),
            last_slot: self.handled.max(self.due(now).newest.last().copied()),
            last: None,
            last_success_at: self.success_at,
            consecutive_failures: 0,
            deadline_alarm: self.deadline.told(),
        }
    }

    pub(super) fn is_planned(&self, slot: Slot) -> bool {
        self.planned.is_some_and(|planned| planned.slot == slot)
    }

    pub(super) fn waits_for(&self, slot: Slot) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| waiting.key.slot == slot)
    }

    pub(super) fn take_planned(&mut self, slot: Slot) -> Option<Planned> {
        self.planned.take_if(|planned| planned.slot == slot)
    }

    pub(super) fn handled(&mut self, slot: Slot) {
        self.floor = self.floor.max(slot.instant());
        self.handled = self.handled.max(Some(slot));
    }

    /// Watches the deadline of this slot, the newest one; returns when it is. There is at most one alarm of a slot's deadline.
    pub(super) fn watch_deadline(&mut self, slot: Slot) -> Option<DateTime<Utc>> {
        if self.deadline.told() >= Some(slot) {
            return None;
        }
        self.deadline = Deadline::Watched(slot);
        self.task.timing.deadline_for(slot)
    }

    /// Whether the deadline of the slot has passed and nobody has been told. It may have been moved since it was watched.
    pub(super) fn misses_deadline(&mut self, slot: Slot, now: DateTime<Utc>) -> bool {
        let passed = self.task.timing.deadline_for(slot).is_some_and(|deadline| deadline <= now);
        let misses = passed && self.done < Some(slot) && self.deadline == Deadline::Watched(slot);
        if misses {
            self.deadline = Deadline::Told(slot);
        }
        misses
    }

    /// Whether the slots follow the last success.
    pub(super) fn follows_success(&self) -> bool {
        self.task.timing.schedule.period().is_some()
    }

    /// Whether the task was done before on the local day of `now`, and once a day is enough.
    pub(super) fn is_done_today(&self, now: DateTime<Utc>) -> bool {
        let day = |instant: DateTime<Utc>| instant.with_timezone(&self.task.timing.zone).date_naive();
        self.task.once_per_day && self.success_at.is_some_and(|success| day(success) == day(now))
    }

    /// The last instant at which the slot may begin.
    pub(super) fn window_end(&self, slot: Slot) -> Option<DateTime<Utc>> {
        match self.task.timing.missed {
            MissedPolicy::RunOnce { within } => Some(slot.instant() + within),
            MissedPolicy::Skip => None,
        }
    }

    /// The task's timing, counted from the last success if it says so.
    fn timing(&self) -> Cow<'_, Timing> {
        let timing = &self.task.timing;
        let Some(period) = timing.schedule.period().and_then(|period| TimeDelta::from_std(period).ok()) else {
            return Cow::Borrowed(timing);
        };
        let handled = self.handled.map(Slot::instant);
        // Without a past, the first slot is the one after the floor.
        let anchor = self.success_at.max(handled).unwrap_or(second_after(self.floor) - period);
        Cow::Owned(Timing { schedule: timing.schedule.anchored(anchor), ..timing.clone() })
    }

    /// Plans the first slot that is not handled.
    pub(super) fn plan(&mut self, now: DateTime<Utc>, seed: &Seed, quiet: Option<Quiet>) -> Plan {
        let timing = self.timing().into_owned();
        let task = Arc::clone(&self.task);
        let place = Place { task: &task.name, account: &task.accounts[self.index], index: self.index, quiet };
        let fire_at = |slot| schedule::fire_at(seed, place, slot, &timing);
        let wanted = |slot| schedule::fire_at(seed, Place { quiet: None, ..place }, slot, &timing);
        // Of the slots of one night, the last one runs at its end. The others are not handled before it comes: until then
        // the schedule or the quiet hours may change.
        let last_of_night = |first: Slot| {
            let end = quiet.and_then(|quiet| quiet.end(timing.zone, wanted(first)));
            end.and_then(|end| timing.last_at_or_before(end, first.instant())).unwrap_or(first)
        };
        let mut plan = Plan::default();
        let Some(mut first) = timing.next_after(self.floor) else {
            self.planned = None;
            return plan;
        };
        if fire_at(last_of_night(first)) + MISFIRE_GRACE < now {
            let missed = schedule::missed(&timing, self.floor, now, |slot| fire_at(slot) + MISFIRE_GRACE);
            plan.late = missed.run_late;
            plan.reason = Some(match (missed.run_late, timing.missed) {
                (Some(_), _) => MissedReason::Coalesced,
                (None, MissedPolicy::RunOnce { .. }) => MissedReason::WindowPassed,
                (None, MissedPolicy::Skip) => MissedReason::Policy,
            });
            plan.lost = missed.lost;
            if let Some(newest) = plan.lost.newest.last() {
                self.handled(*newest);
            }
            if let Some(slot) = plan.late {
                self.planned = Some(self.late(slot, now, wanted(slot), &timing, quiet));
                return plan;
            }
            let Some(next) = timing.next_after(self.floor) else {
                self.planned = None;
                return plan;
            };
            first = next;
        }
        let slot = last_of_night(first);
        let at = fire_at(slot);
        let (rested, ends_a_night) = (at > wanted(slot), slot > first);
        self.planned = Some(Planned { slot, at, late: false, rested, ends_a_night });
        plan
    }

    /// Spread as the slot itself was, so that a reboot does not fire every account at one instant.
    fn late(
        &self,
        slot: Slot,
        now: DateTime<Utc>,
        wanted: DateTime<Utc>,
        timing: &Timing,
        quiet: Option<Quiet>,
    ) -> Planned {
        let spread = now + (wanted - slot.instant());
        let in_time = self.window_end(slot).map_or(spread, |last| spread.min(last)).max(now);
        let at = quiet.and_then(|quiet| quiet.end(timing.zone, in_time)).unwrap_or(in_time);
        Planned { slot, at, late: true, rested: at > in_time, ends_a_night: false }
    }
}
