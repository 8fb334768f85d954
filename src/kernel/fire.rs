//! What is due: slots, further attempts, deadlines, deletions.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::agenda::Item;
use super::engine::Kernel;
use super::order::{Alarm, Effect, RunOrder, Work};
use super::pair::MISFIRE_GRACE;
use super::pairs::PairId;
use super::record::{NotRun, Trigger};
use super::status::{DelayedReason, MissedReason, SkippedReason};
use crate::names::{RunKey, Slot};
use crate::schedule::LostSlots;
use crate::script::Outcome;

/// What one tick does at most. It is small beside what may be due at one instant, and large beside the cost of a tick.
const PART: usize = 32;

impl Kernel {
    /// Does a part of what is due, so that its orders are given before those of the next part are made.
    pub(super) fn tick(&mut self, now: DateTime<Utc>) {
        for _ in 0..PART {
            if self.stopping {
                break;
            }
            if let Some(item) = self.agenda.pop_due(now) {
                self.due(now, item);
            } else if let Some(id) = self.unplanned.pop() {
                if self.pairs.get(id).is_some_and(|pair| pair.planned.is_none()) {
                    self.plan(now, id);
                }
            } else {
                break;
            }
        }
    }

    fn due(&mut self, now: DateTime<Utc>, item: Item) {
        match item {
            Item::Slot(id, slot) => self.fire(now, id, slot),
            Item::Resume(id, slot) => self.resume(now, id, slot),
            Item::Deadline(id, slot) => self.deadline_passed(now, id, slot),
            Item::Delete(id, slot) => self.delete(id, slot),
            Item::Queue(lane) => self.pump(now, lane),
        }
    }

    fn fire(&mut self, now: DateTime<Utc>, id: PairId, slot: Slot) {
        let Some(pair) = self.pairs.get_mut(id) else { return };
        // An entry of an earlier plan for the same slot may come first.
        let Some(planned) = pair.planned.filter(|planned| planned.slot == slot && planned.at <= now) else { return };
        pair.take_planned(slot);
        let too_late = planned.late && pair.window_end(slot).is_some_and(|end| now > end + MISFIRE_GRACE);
        if too_late || planned.late_by(now) > MISFIRE_GRACE {
            // The machine slept, or the clock was put forward: the missed-run policy decides.
            return self.plan(now, id);
        }
        let rested = if planned.ends_a_night { pair.unhandled_before(slot) } else { LostSlots::default() };
        pair.handled(slot);
        let (task, lane, key) = (Arc::clone(&pair.task), pair.lane, pair.run_key(slot));
        let running = self.lanes[lane].runs(&task.name).map(|running| running.key.slot);
        let refusal = if pair.is_done_today(now) {
            Some((SkippedReason::Done, "it was done before today, and once a day is enough".to_owned()))
        } else {
            running.map(|running| (SkippedReason::Overlap, format!("the run of {running} is still going on")))
        };
        let waited = refusal.is_none().then(|| {
            pair.fired = Some((slot, planned.at));
            pair.waiting.take()
        });
        self.unplanned.push(id);
        self.rest(&key, &rested);
        if let Some((why, reason)) = refusal {
            return self.skip(key, why, &reason);
        }
        if let Some(order) = self.lanes[lane].withdraw(&task.name) {
            self.make_way(order, slot);
        }
        if let Some(waited) = waited.flatten() {
            self.close(*waited, true);
        }
        if planned.rested {
            self.count_delayed(&task.name, DelayedReason::Quiet);
        }
        self.watch_deadline(id, slot);
        let trigger = if planned.late { Trigger::Late } else { Trigger::Scheduled };
        let order = RunOrder { key, task, trigger, fire_at: planned.at, work: Work::First };
        self.enqueue(now, lane, Box::new(order), false);
    }

    /// Slots of quiet hours that are over and in which a later one, that of `key`, is run.
    fn rest(&mut self, key: &RunKey, rested: &LostSlots) {
        let reason = "the account rested; the last slot of the night runs when it is over";
        self.count_skipped(&key.task, SkippedReason::Quiet, rested.count - rested.newest.len());
        for slot in &rested.newest {
            self.skip(RunKey { slot: *slot, ..key.clone() }, SkippedReason::Quiet, reason);
        }
    }

    /// What an earlier slot still had to come makes way for `slot`.
    fn make_way(&mut self, order: RunOrder, slot: Slot) {
        match order.work {
            Work::First => {
                self.count_missed(&order.key, MissedReason::Coalesced, 1);
                let reason = format!("a later slot runs in its place: {slot}");
                self.effects.push(Effect::NotRun { key: order.key, what: NotRun::Missed, reason });
            }
            Work::Again { last, .. } | Work::Review { last: Some(last), .. } => self.close(*last, true),
            Work::Review { .. } => {}
        }
    }

    fn resume(&mut self, now: DateTime<Utc>, id: PairId, slot: Slot) {
        let Some(pair) = self.pairs.get_mut(id) else { return };
        let Some(record) = pair.waiting.take_if(|waiting| waiting.key.slot == slot) else { return };
        let (task, lane_id) = (Arc::clone(&pair.task), pair.lane);
        let lane = &self.lanes[lane_id];
        let rest = lane.quiet().and_then(|quiet| quiet.end(task.timing.zone, now));
        if lane.runs(&task.name).is_some() || rest.is_some() {
            // A run by hand is going on, or the account rests; the end of that leaves the slot its turn.
            pair.waiting = Some(record);
            return self.agenda.add(rest.unwrap_or(now + MISFIRE_GRACE), Item::Resume(id, slot));
        }
        let (run_id, key, trigger, fire_at) =
            (record.run_id.clone(), record.key.clone(), record.trigger, record.resume_at.unwrap_or(now));
        let work = match record.outcome {
            Outcome::Failed => Work::Again { run_id, attempt: record.attempt + 1, last: record },
            _ => Work::Review { run_id, last: Some(record), left_behind: None },
        };
        self.enqueue(now, lane_id, Box::new(RunOrder { key, task, trigger, fire_at, work }), false);
    }

    /// Has the deadline of a pair's newest slot noticed; one that has passed already is noticed at once.
    pub(super) fn watch_deadline(&mut self, id: PairId, slot: Slot) {
        if let Some(deadline) = self.pairs.get_mut(id).and_then(|pair| pair.watch_deadline(slot)) {
            self.agenda.add(deadline, Item::Deadline(id, slot));
        }
    }

    fn deadline_passed(&mut self, now: DateTime<Utc>, id: PairId, slot: Slot) {
        let Some(pair) = self.pairs.get_mut(id) else { return };
        if pair.misses_deadline(slot, now) {
            self.effects.push(Effect::Alarm(Alarm::DeadlinePassed { key: pair.run_key(slot) }));
        }
    }

    fn delete(&mut self, id: PairId, slot: Slot) {
        let Some(pair) = self.pairs.get_mut(id) else { return };
        let Some(to_delete) = pair.to_delete.take_if(|to_delete| to_delete.0 == slot) else { return };
        let (account, task) = (pair.account().clone(), Arc::clone(&pair.task));
        self.effects.push(Effect::Delete { account, task, messages: to_delete.1 });
    }

    /// Plans the next slot of a pair; slots that passed are sorted into one to run late and those that are lost.
    pub(super) fn plan(&mut self, now: DateTime<Utc>, id: PairId) {
        let Some(pair) = self.pairs.get_mut(id) else { return };
        let lane = &mut self.lanes[pair.lane];
        let plan = pair.plan(now, &self.seed, lane.quiet());
        if let Some(mut planned) = pair.planned {
            if planned.late {
                let paced = lane.pace(planned.at, now);
                let last = pair.window_end(planned.slot).unwrap_or(paced);
                planned.at = planned.at.max(paced.min(last));
                pair.planned = Some(planned);
            }
            self.agenda.add(planned.at, Item::Slot(id, planned.slot));
        }
        if let (Some(reason), Some(newest)) = (plan.reason, plan.lost.newest.last()) {
            let newest = pair.run_key(*newest);
            self.lose(&newest, &plan.lost, reason, plan.late);
        }
        self.describe_next(id);
    }

    /// Slots that will never be run. There is one alarm for all of them, unless a later slot is run in their place.
    fn lose(&mut self, newest: &RunKey, lost: &LostSlots, reason: MissedReason, late: Option<Slot>) {
        let text = match (reason, late) {
            (MissedReason::Coalesced, Some(late)) => format!("a later slot runs in its place: {late}"),
            (MissedReason::Policy, _) => "the daemon could not run it in time, and the task says to skip".to_owned(),
            _ => "the daemon could not run it within the task's window".to_owned(),
        };
        for slot in &lost.newest {
            let key = RunKey { slot: *slot, ..newest.clone() };
            self.effects.push(Effect::NotRun { key, what: NotRun::Missed, reason: text.clone() });
        }
        if reason != MissedReason::Coalesced {
            let reason = match lost.count {
                1 => text,
                count => format!("{text}; it is the last of {count} such slots"),
            };
            let alarm = Alarm::NotDone { key: newest.clone(), outcome: Outcome::Missed, reason };
            self.effects.push(Effect::Alarm(alarm));
        }
        self.count_missed(newest, reason, lost.count);
    }
}
