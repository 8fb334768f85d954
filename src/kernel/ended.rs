//! Orders come back: ended, come to nothing, or lost with their account's task.

use chrono::{DateTime, Utc};

use super::agenda::Item;
use super::engine::Kernel;
use super::lane::Running;
use super::lanes::LaneId;
use super::load::cut_off;
use super::order::{Alarm, Effect, Work};
use super::pairs::PairId;
use super::record::{ClaimHistory, RunRecord, Trigger};
use crate::names::{AccountName, RunKey};
use crate::script::Outcome;

const DIED_TWICE: &str = "an internal error ended the account's task twice; please report it";

impl Kernel {
    pub(super) fn ended(&mut self, now: DateTime<Utc>, record: &RunRecord, messages: Vec<i32>) {
        let (key, slot) = (&record.key, record.key.slot);
        let (lane, _) = self.take_back(key);
        if let Some(began) = record.started_at
            && let Ok(length) = (record.ended_at - began).to_std()
        {
            self.status.totals.run_duration.observe(length.as_secs_f64());
        }
        let id = self.pairs.find(&key.task, &key.account);
        if let (Some(id), true) = (id, record.outcome.is_done())
            && let Some(pair) = self.pairs.get_mut(id)
        {
            pair.done = pair.done.max(Some(slot));
            pair.success_at = pair.success_at.max(Some(record.ended_at));
            if pair.follows_success() {
                self.plan(now, id);
            }
        }
        if record.resume_at.is_some() {
            self.take_up_later(id, record);
        } else {
            self.finish(record, true);
        }
        if let Some(id) = id
            && let Some(pair) = self.pairs.get_mut(id)
        {
            if let (Some(delay), false) = (pair.task.delete_after, messages.is_empty()) {
                pair.to_delete = Some(Box::new((slot, messages)));
                self.agenda.add(now + delay, Item::Delete(id, slot));
            }
            self.describe_next(id);
        }
        self.pump(now, lane);
    }

    /// Another attempt, or another look, is to come. A pair has one such slot, the newest; without a pair there is none.
    fn take_up_later(&mut self, id: Option<PairId>, record: &RunRecord) {
        let Some(id) = id else { return self.close(record.clone(), true) };
        let Some(pair) = self.pairs.get_mut(id) else { return };
        let other = pair.waiting.as_ref().filter(|other| other.run_id != record.run_id);
        if other.is_some_and(|other| other.key.slot > record.key.slot) {
            return self.close(record.clone(), true);
        }
        let other = pair.waiting.replace(Box::new(record.clone())).filter(|other| other.run_id != record.run_id);
        if let Some(at) = record.resume_at {
            self.agenda.add(at, Item::Resume(id, record.key.slot));
        }
        if let Some(other) = other {
            self.close(*other, true);
        }
        self.remember_ended(record);
    }

    /// A claim that the ledger keeps open ends with its last attempt.
    pub(super) fn close(&mut self, mut record: RunRecord, alarm: bool) {
        record.resume_at = None;
        self.finish(&record, alarm);
        self.effects.push(Effect::Close(Box::new(record)));
    }

    /// A slot has its outcome.
    fn finish(&mut self, record: &RunRecord, alarm: bool) {
        self.remember_ended(record);
        self.count(&record.key.task, record.outcome);
        if !record.outcome.is_done() && alarm {
            let (key, outcome, reason) = (record.key.clone(), record.outcome, record.reason.clone());
            self.effects.push(Effect::Alarm(Alarm::NotDone { key, outcome, reason }));
        }
    }

    /// Nothing came of an order: its slot is taken, or the daemon stops.
    pub(super) fn dropped(&mut self, now: DateTime<Utc>, key: &RunKey) {
        let (lane, _) = self.take_back(key);
        self.pump(now, lane);
    }

    /// Nobody could take an order.
    pub(super) fn undeliverable(&mut self, now: DateTime<Utc>, key: &RunKey, reason: &str) {
        let (lane, Some(Running { order, .. })) = self.take_back(key) else { return };
        match order.work {
            Work::First if order.trigger == Trigger::Manual => {}
            Work::First => self.miss(*order, reason),
            // The claim stays open, and the next start takes it up.
            Work::Again { .. } | Work::Review { .. } => {
                let (key, reason) = (order.key, reason.to_owned());
                let alarm = Alarm::NotDone { key, outcome: Outcome::Interrupted, reason };
                self.effects.push(Effect::Alarm(alarm));
            }
        }
        self.pump(now, lane);
    }

    /// How far the lost orders got only the ledger knows.
    pub(super) fn actor_lost(&mut self, account: AccountName) {
        self.status.running.retain(|run| run.key.account != account);
        let Some(id) = self.lanes.find(&account) else { return };
        let lane = &mut self.lanes[id];
        lane.lose();
        if !lane.lost.is_empty() {
            self.effects.push(Effect::Recover { account });
        }
    }

    /// What was claimed is taken up as after a restart, what was not is ordered once more; the second time both are given up.
    pub(super) fn recovered(&mut self, now: DateTime<Utc>, account: &AccountName, open: &[ClaimHistory]) {
        let Some(id) = self.lanes.find(account) else { return };
        let lost = std::mem::take(&mut self.lanes[id].lost);
        for Running { order, given_again } in lost {
            let claimed = open.iter().find(|history| history.claim.key == order.key);
            let pair = self.pairs.find(&order.key.task, account);
            match (claimed, pair) {
                (Some(history), Some(pair)) if !given_again => {
                    self.lanes[id].doubtful.insert(order.key);
                    self.take_up(now, pair, history.clone());
                }
                (Some(history), _) => {
                    let mut end = cut_off(history, now);
                    if given_again && end.outcome == Outcome::Interrupted {
                        DIED_TWICE.clone_into(&mut end.reason);
                    }
                    self.close(end, true);
                }
                // Whoever asked for it was told.
                (None, _) if order.trigger == Trigger::Manual => {}
                (None, _) if given_again => self.miss(*order, DIED_TWICE),
                (None, _) => self.enqueue(now, id, order, true),
            }
        }
        self.pump(now, id);
    }

    /// An order is no longer running, if it was.
    fn take_back(&mut self, key: &RunKey) -> (LaneId, Option<Running>) {
        self.status.running.retain(|run| (&run.key.task, &run.key.account) != (&key.task, &key.account));
        let lane = self.lanes.of(&key.account);
        (lane, self.lanes[lane].take_back(&key.task))
    }
}
