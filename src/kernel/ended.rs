//! Orders come back: ended, come to nothing, or lost with their account's task.

use chrono::{DateTime, Utc};

use super::agenda::{Item, PairKey};
use super::engine::Kernel;
use super::lane::Running;
use super::order::{Alarm, Effect, Work};
use super::record::{ClaimHistory, RunRecord, Trigger};
use crate::names::{AccountName, RunKey};
use crate::script::Outcome;

impl Kernel {
    pub(super) fn ended(&mut self, now: DateTime<Utc>, record: &RunRecord, messages: Vec<i32>) -> Vec<Effect> {
        let key = (record.key.task.clone(), record.key.account.clone());
        self.no_longer_running(&key);
        if let Some(began) = record.started_at
            && let Ok(length) = (record.ended_at - began).to_std()
        {
            self.status.totals.run_duration.observe(length.as_secs_f64());
        }
        let mut effects = Vec::new();
        if let (Some(pair), true) = (self.pairs.get_mut(&key), record.outcome.is_done()) {
            pair.done = pair.done.max(Some(record.key.slot));
            pair.success_at = pair.success_at.max(Some(record.ended_at));
            if pair.follows_success() {
                effects.extend(self.plan(now, &key));
            }
        }
        if record.resume_at.is_some() {
            effects.extend(self.take_up_later(&key, record));
        } else {
            effects.extend(self.finish(&key, record, true));
        }
        if let Some(pair) = self.pairs.get_mut(&key)
            && let (Some(delay), false) = (pair.task.delete_after, messages.is_empty())
        {
            pair.to_delete = Some(Box::new((record.key.slot, messages)));
            self.agenda.add(now + delay, Item::Delete(key.clone(), record.key.slot));
        }
        self.describe_next(&key);
        effects.extend(self.pump(now, &key.1));
        effects
    }

    /// Another attempt, or another look, is to come. A pair has one such slot, the newest; without a pair there is none.
    fn take_up_later(&mut self, key: &PairKey, record: &RunRecord) -> Vec<Effect> {
        let Some(pair) = self.pairs.get_mut(key) else { return self.close(key, record.clone(), true) };
        let other = pair.waiting.as_ref().filter(|other| other.run_id != record.run_id);
        if other.is_some_and(|other| other.key.slot > record.key.slot) {
            return self.close(key, record.clone(), true);
        }
        let other = pair.waiting.replace(Box::new(record.clone())).filter(|other| other.run_id != record.run_id);
        if let Some(at) = record.resume_at {
            self.agenda.add(at, Item::Resume(key.clone(), record.key.slot));
        }
        self.remember_ended(key, record);
        other.map(|other| self.close(key, *other, true)).unwrap_or_default()
    }

    /// A claim that the ledger keeps open ends with its last attempt.
    pub(super) fn close(&mut self, key: &PairKey, mut record: RunRecord, alarm: bool) -> Vec<Effect> {
        record.resume_at = None;
        let mut effects = self.finish(key, &record, alarm);
        effects.push(Effect::Close(Box::new(record)));
        effects
    }

    /// A slot has its outcome.
    fn finish(&mut self, key: &PairKey, record: &RunRecord, alarm: bool) -> Vec<Effect> {
        self.remember_ended(key, record);
        self.count(key, record.outcome);
        if record.outcome.is_done() || !alarm {
            return Vec::new();
        }
        let (key, outcome, reason) = (record.key.clone(), record.outcome, record.reason.clone());
        vec![Effect::Alarm(Alarm::NotDone { key, outcome, reason })]
    }

    /// Nothing came of an order: its slot is taken, or the daemon stops.
    pub(super) fn dropped(&mut self, now: DateTime<Utc>, key: &RunKey) -> Vec<Effect> {
        self.no_longer_running(&(key.task.clone(), key.account.clone()));
        self.pump(now, &key.account)
    }

    /// Nobody could take an order.
    pub(super) fn undeliverable(&mut self, now: DateTime<Utc>, key: &RunKey, reason: &str) -> Vec<Effect> {
        let pair = (key.task.clone(), key.account.clone());
        let Some(Running { order, .. }) = self.no_longer_running(&pair) else { return Vec::new() };
        let mut effects = match order.work {
            Work::First if order.trigger == Trigger::Manual => Vec::new(),
            Work::First => self.miss(&pair, *order, reason),
            // The claim stays open, and the next start takes it up.
            Work::Again { .. } | Work::Review { .. } => {
                let (key, reason) = (order.key, reason.to_owned());
                vec![Effect::Alarm(Alarm::NotDone { key, outcome: Outcome::Interrupted, reason })]
            }
        };
        effects.extend(self.pump(now, &key.account));
        effects
    }

    /// How far the lost orders got only the ledger knows.
    pub(super) fn actor_lost(&mut self, account: AccountName) -> Vec<Effect> {
        self.status.running.retain(|run| run.key.account != account);
        let Some(lane) = self.lanes.get_mut(&account) else { return Vec::new() };
        let lost = std::mem::take(&mut lane.running).into_values();
        lane.lost.extend(lost);
        if lane.lost.is_empty() { Vec::new() } else { vec![Effect::Recover { account }] }
    }

    /// What was claimed is taken up as after a restart; what was not is ordered once more, and given up the second time.
    pub(super) fn recovered(
        &mut self,
        now: DateTime<Utc>,
        account: &AccountName,
        open: &[ClaimHistory],
    ) -> Vec<Effect> {
        let Some(lane) = self.lanes.get_mut(account) else { return Vec::new() };
        let lost = std::mem::take(&mut lane.lost);
        let mut effects = Vec::new();
        for Running { order, given_again } in lost {
            let pair = (order.key.task.clone(), account.clone());
            let claimed = open.iter().find(|history| history.claim.key == order.key);
            if let (Some(history), false) = (claimed, given_again) {
                self.left_behind.insert(pair.clone(), vec![history.clone()]);
                effects.extend(self.take_up_left_behind(now, &pair));
            } else if order.trigger != Trigger::Manual && given_again {
                let reason = "an internal error ended the account's task twice; please report it";
                effects.extend(self.miss(&pair, *order, reason));
            } else if order.trigger != Trigger::Manual {
                effects.extend(self.enqueue(now, *order, true));
            }
        }
        effects.extend(self.pump(now, account));
        effects
    }

    fn no_longer_running(&mut self, key: &PairKey) -> Option<Running> {
        self.status.running.retain(|run| (&run.key.task, &run.key.account) != (&key.0, &key.1));
        self.lanes.get_mut(&key.1)?.running.remove(&key.0)
    }
}
