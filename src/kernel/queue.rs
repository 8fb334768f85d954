//! Orders and their accounts: one at a time, the most urgent first, not in quiet hours, not beyond the account's budget.

use chrono::{DateTime, TimeDelta, Utc};

use super::agenda::{Item, PairKey};
use super::engine::Kernel;
use super::lane::{Lane, Running};
use super::order::{Alarm, Effect, RunOrder, Work};
use super::pair::MISFIRE_GRACE;
use super::record::{NotRun, Trigger};
use super::status::{DelayedReason, MissedReason};
use crate::names::{AccountName, TaskName};
use crate::schedule::MissedPolicy;
use crate::script::Outcome;

/// The shortest time that makes an instant a later one.
const MOMENT: TimeDelta = TimeDelta::milliseconds(1);

impl Kernel {
    /// An order waits for its account, which may have time at once.
    pub(super) fn enqueue(&mut self, now: DateTime<Utc>, order: RunOrder, given_again: bool) -> Vec<Effect> {
        let account = order.key.account.clone();
        self.lanes.entry(account.clone()).or_default().wait(order, given_again);
        self.pump(now, &account)
    }

    /// Gives an order; it is running until it comes back.
    pub(super) fn give(&mut self, now: DateTime<Utc>, order: Box<RunOrder>, given_again: bool) {
        let lane = self.lanes.entry(order.key.account.clone()).or_default();
        lane.begin(now, &order);
        lane.running.insert(order.key.task.clone(), Running { order, given_again });
    }

    /// Gives an account that has nothing to do the most urgent order that may begin now.
    pub(super) fn pump(&mut self, now: DateTime<Utc>, account: &AccountName) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some(Running { order, given_again }) = self.first_free(now, account) {
            if expires_at(&order).is_some_and(|end| now > end) {
                let key = (order.key.task.clone(), order.key.account.clone());
                let reason = "its account was busy, resting or out of budget through the task's whole window";
                effects.extend(self.miss(&key, *order, reason));
                continue;
            }
            effects.push(Effect::Run(order.clone()));
            self.give(now, order, given_again);
        }
        if let Some(status) = self.status.accounts.get_mut(account) {
            status.queue_length = self.lanes.get(account).map_or(0, Lane::waiting);
        }
        effects
    }

    /// The first order in the line that nothing holds up; when something does, the agenda says when to look again.
    fn first_free(&mut self, now: DateTime<Utc>, account: &AccountName) -> Option<Running> {
        if self.stopping {
            return None;
        }
        let known = self.snapshot.as_ref().and_then(|snapshot| snapshot.accounts.get(account));
        let (quiet, budget) = (known.and_then(|known| known.quiet), known.and_then(|known| known.at_most));
        let lane = self.lanes.get_mut(account).filter(|lane| lane.is_idle())?;
        if budget.is_none() {
            lane.forget_starts();
        }
        let exhausted = budget.and_then(|budget| lane.exhausted_until(now, budget));
        let mut again: Option<DateTime<Utc>> = None;
        let mut held_up: Vec<(TaskName, DelayedReason)> = Vec::new();
        // Nearly all tasks of an account share a zone.
        let mut rest: Option<(crate::schedule::Zone, Option<DateTime<Utc>>)> = None;
        let found = lane.take_first(|order| {
            let zone = order.task.timing.zone;
            let rested = match rest {
                Some((known, rested)) if known == zone => rested,
                _ => quiet.and_then(|quiet| quiet.end(zone, now)),
            };
            rest = Some((zone, rested));
            let exhausted = exhausted.filter(|_| order.counts());
            let Some(until) = rested.max(exhausted) else { return false };
            let end = expires_at(order);
            let look = end.map_or(until, |end| until.min(end + MOMENT));
            again = Some(again.map_or(look, |again| again.min(look)));
            let is_held_up = end.is_none_or(|end| now <= end);
            if is_held_up && order.work.is_first() {
                let reason = if rested >= exhausted { DelayedReason::Quiet } else { DelayedReason::Budget };
                held_up.push((order.key.task.clone(), reason));
            }
            is_held_up
        });
        held_up.retain(|(task, _)| lane.hold_up(task));
        for (task, reason) in held_up {
            self.count_delayed(&task, reason);
        }
        if let (None, Some(at)) = (&found, again) {
            self.agenda.add(at, Item::Queue(account.clone()));
        }
        found
    }

    /// A slot that was fired and could not begin.
    pub(super) fn miss(&mut self, key: &PairKey, order: RunOrder, reason: &str) -> Vec<Effect> {
        self.count_missed(key, MissedReason::AccountUnavailable, 1);
        let alarm = Alarm::NotDone { key: order.key.clone(), outcome: Outcome::Missed, reason: reason.to_owned() };
        vec![Effect::NotRun { key: order.key, what: NotRun::Missed, reason: reason.to_owned() }, Effect::Alarm(alarm)]
    }
}

/// The last instant at which a slot that has not begun may begin; `None` when it has, or when it may wait for ever.
fn expires_at(order: &RunOrder) -> Option<DateTime<Utc>> {
    match (&order.work, order.task.timing.missed) {
        (Work::First, MissedPolicy::RunOnce { within }) if order.trigger != Trigger::Manual => {
            // Jitter may be longer than the window.
            Some((order.key.slot.instant() + within).max(order.fire_at + MISFIRE_GRACE))
        }
        _ => None,
    }
}
