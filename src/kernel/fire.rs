//! What is due: slots, further attempts, deadlines, deletions.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::agenda::{Item, PairKey};
use super::engine::Kernel;
use super::order::{Alarm, Effect, RunOrder, Work};
use super::pair::MISFIRE_GRACE;
use super::record::{NotRun, RunRecord, Trigger};
use super::status::{DelayedReason, MissedReason, SkippedReason};
use crate::names::{RunKey, Slot};
use crate::schedule::LostSlots;
use crate::script::Outcome;

/// What one tick does at most. It is small beside what may be due at one instant, and large beside the cost of a tick.
const PART: usize = 32;

impl Kernel {
    /// Does a part of what is due, so that its orders are given before those of the next part are made.
    pub(super) fn tick(&mut self, now: DateTime<Utc>) -> Vec<Effect> {
        let mut effects = Vec::new();
        for _ in 0..PART {
            if self.stopping {
                break;
            }
            if let Some(item) = self.agenda.pop_due(now) {
                effects.extend(self.due(now, item));
            } else if let Some(key) = self.unplanned.pop() {
                if self.pairs.get(&key).is_some_and(|pair| pair.planned.is_none()) {
                    effects.extend(self.plan(now, &key));
                }
            } else {
                break;
            }
        }
        effects
    }

    fn due(&mut self, now: DateTime<Utc>, item: Item) -> Vec<Effect> {
        match item {
            Item::Slot(key, slot) => self.fire(now, key, slot),
            Item::Resume(key, slot) => self.resume(now, &key, slot),
            Item::Deadline(key, slot) => self.deadline_passed(&key, slot),
            Item::Delete(key, slot) => self.delete(&key, slot),
            Item::Queue(account) => self.pump(now, &account),
        }
    }

    fn fire(&mut self, now: DateTime<Utc>, key: PairKey, slot: Slot) -> Vec<Effect> {
        let Some(pair) = self.pairs.get_mut(&key) else { return Vec::new() };
        // An entry of an earlier plan for the same slot may come first.
        let Some(planned) = pair.planned.filter(|planned| planned.slot == slot && planned.at <= now) else {
            return Vec::new();
        };
        pair.take_planned(slot);
        let too_late = planned.late && pair.window_end(slot).is_some_and(|end| now > end + MISFIRE_GRACE);
        if too_late || planned.late_by(now) > MISFIRE_GRACE {
            // The machine slept, or the clock was put forward: the missed-run policy decides.
            return self.plan(now, &key);
        }
        let rested = if planned.ends_a_night { pair.unhandled_before(slot) } else { LostSlots::default() };
        pair.handled(slot);
        let task = Arc::clone(&pair.task);
        let running = self.lanes.get(&key.1).and_then(|lane| lane.runs(&key.0)).map(|running| running.key.slot);
        let refusal = if pair.is_done_today(now) {
            Some((SkippedReason::Done, "it was done before today, and once a day is enough".to_owned()))
        } else {
            running.map(|running| (SkippedReason::Overlap, format!("the run of {running} is still going on")))
        };
        let waited = refusal.is_none().then(|| {
            pair.fired = Some((slot, planned.at));
            pair.waiting.take()
        });
        let mut effects = self.rest(&key, &rested);
        if let Some((why, reason)) = refusal {
            effects.push(self.skip(&key, slot, why, &reason));
        } else {
            effects.extend(self.make_way(&key, slot, waited.flatten()));
            if planned.rested {
                self.count_delayed(&key.0, DelayedReason::Quiet);
            }
            if let Some(deadline) = task.timing.deadline_for(slot) {
                self.agenda.add(deadline, Item::Deadline(key.clone(), slot));
            }
            let trigger = if planned.late { Trigger::Late } else { Trigger::Scheduled };
            let run_key = RunKey { task: key.0.clone(), account: key.1.clone(), slot };
            let order = RunOrder { key: run_key, task, trigger, fire_at: planned.at, work: Work::First };
            effects.extend(self.enqueue(now, order, false));
        }
        self.unplanned.push(key);
        effects
    }

    /// Slots of quiet hours that are over and in which a later one is run.
    fn rest(&mut self, key: &PairKey, rested: &LostSlots) -> Vec<Effect> {
        let reason = "the account rested; the last slot of the night runs when it is over";
        self.count_skipped(key, SkippedReason::Quiet, rested.count - rested.newest.len());
        let skip = |slot: &Slot| self.skip(key, *slot, SkippedReason::Quiet, reason);
        rested.newest.iter().map(skip).collect()
    }

    /// What an earlier slot of the pair still has to come makes way for `slot`.
    fn make_way(&mut self, key: &PairKey, slot: Slot, waited: Option<Box<RunRecord>>) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(order) = self.lanes.get_mut(&key.1).and_then(|lane| lane.withdraw(&key.0)) {
            match order.work {
                Work::First => {
                    self.count_missed(key, MissedReason::Coalesced, 1);
                    let reason = format!("a later slot runs in its place: {slot}");
                    effects.push(Effect::NotRun { key: order.key, what: NotRun::Missed, reason });
                }
                Work::Again { last, .. } | Work::Review { last: Some(last), .. } => {
                    effects.extend(self.close(key, *last, true));
                }
                Work::Review { .. } => {}
            }
        }
        if let Some(waited) = waited {
            effects.extend(self.close(key, *waited, true));
        }
        effects
    }

    fn resume(&mut self, now: DateTime<Utc>, key: &PairKey, slot: Slot) -> Vec<Effect> {
        let busy = self.lanes.get(&key.1).is_some_and(|lane| lane.runs(&key.0).is_some());
        let quiet = self.quiet(&key.1);
        let Some(pair) = self.pairs.get_mut(key) else { return Vec::new() };
        let Some(record) = pair.waiting.take_if(|waiting| waiting.key.slot == slot) else { return Vec::new() };
        let rest = quiet.and_then(|quiet| quiet.end(pair.task.timing.zone, now));
        if busy || rest.is_some() {
            // A run by hand is going on, or the account rests; the end of that leaves the slot its turn.
            pair.waiting = Some(record);
            self.agenda.add(rest.unwrap_or(now + MISFIRE_GRACE), Item::Resume(key.clone(), slot));
            return Vec::new();
        }
        let (run_id, run_key, trigger, fire_at) =
            (record.run_id.clone(), record.key.clone(), record.trigger, record.resume_at.unwrap_or(now));
        let work = match record.outcome {
            Outcome::Failed => Work::Again { run_id, attempt: record.attempt + 1, last: record },
            _ => Work::Review { run_id, last: Some(record), left_behind: None },
        };
        let order = RunOrder { key: run_key, task: Arc::clone(&pair.task), trigger, fire_at, work };
        self.enqueue(now, order, false)
    }

    fn deadline_passed(&mut self, key: &PairKey, slot: Slot) -> Vec<Effect> {
        let Some(pair) = self.pairs.get(key) else { return Vec::new() };
        if pair.done >= Some(slot) || pair.fired.is_some_and(|(newest, _)| newest > slot) {
            return Vec::new();
        }
        let key = RunKey { task: key.0.clone(), account: key.1.clone(), slot };
        vec![Effect::Alarm(Alarm::DeadlinePassed { key })]
    }

    fn delete(&mut self, key: &PairKey, slot: Slot) -> Vec<Effect> {
        let Some(pair) = self.pairs.get_mut(key) else { return Vec::new() };
        let Some(to_delete) = pair.to_delete.take_if(|to_delete| to_delete.0 == slot) else { return Vec::new() };
        vec![Effect::Delete { account: key.1.clone(), task: Arc::clone(&pair.task), messages: to_delete.1 }]
    }

    /// Plans the next slot of a pair; slots that passed are sorted into one to run late and those that are lost.
    pub(super) fn plan(&mut self, now: DateTime<Utc>, key: &PairKey) -> Vec<Effect> {
        let quiet = self.quiet(&key.1);
        let Some(pair) = self.pairs.get_mut(key) else { return Vec::new() };
        let plan = pair.plan(now, &self.seed, key, quiet);
        if let Some(mut planned) = pair.planned {
            if planned.late {
                let lane = self.lanes.entry(key.1.clone()).or_default();
                let paced = lane.pace(planned.at, now);
                let last = pair.window_end(planned.slot).unwrap_or(paced);
                planned.at = planned.at.max(paced.min(last));
                pair.planned = Some(planned);
            }
            self.agenda.add(planned.at, Item::Slot(key.clone(), planned.slot));
        }
        let mut effects = Vec::new();
        if let Some(reason) = plan.reason {
            effects.extend(self.lose(key, &plan.lost, reason, plan.late));
        }
        self.describe_next(key);
        effects
    }

    /// Slots that will never be run. There is one alarm for all of them, unless a later slot is run in their place.
    fn lose(&mut self, key: &PairKey, lost: &LostSlots, reason: MissedReason, late: Option<Slot>) -> Vec<Effect> {
        let Some(newest) = lost.newest.last() else { return Vec::new() };
        let text = match (reason, late) {
            (MissedReason::Coalesced, Some(late)) => format!("a later slot runs in its place: {late}"),
            (MissedReason::Policy, _) => "the daemon could not run it in time, and the task says to skip".to_owned(),
            _ => "the daemon could not run it within the task's window".to_owned(),
        };
        let run_key = |slot| RunKey { task: key.0.clone(), account: key.1.clone(), slot };
        let not_run = |slot: &Slot| Effect::NotRun { key: run_key(*slot), what: NotRun::Missed, reason: text.clone() };
        let mut effects: Vec<Effect> = lost.newest.iter().map(not_run).collect();
        if reason != MissedReason::Coalesced {
            let reason = match lost.count {
                1 => text,
                count => format!("{text}; it is the last of {count} such slots"),
            };
            effects.push(Effect::Alarm(Alarm::NotDone { key: run_key(*newest), outcome: Outcome::Missed, reason }));
        }
        self.count_missed(key, reason, lost.count);
        effects
    }
}
