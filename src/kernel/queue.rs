//! Orders and their accounts: one at a time, the most urgent first, not in quiet hours, not beyond the account's budget.

use chrono::{DateTime, TimeDelta, Utc};

use super::agenda::Item;
use super::engine::Kernel;
use super::lane::Running;
use super::lanes::LaneId;
use super::order::{Alarm, Effect, RunOrder, Work};
use super::pair::MISFIRE_GRACE;
use super::record::{NotRun, Trigger};
use super::status::{DelayedReason, MissedReason};
use crate::names::TaskName;
use crate::schedule::MissedPolicy;
use crate::script::Outcome;

/// The shortest time that makes an instant a later one.
const MOMENT: TimeDelta = TimeDelta::milliseconds(1);

impl Kernel {
    /// An order waits for its account, which may have time at once.
    pub(super) fn enqueue(&mut self, now: DateTime<Utc>, lane: LaneId, order: Box<RunOrder>, given_again: bool) {
        let order = Running { order, given_again };
        // Nearly always, and then it need not wait.
        if !self.stopping && self.lanes[lane].is_open() && !has_expired(&order.order, now) {
            return self.give(now, lane, order);
        }
        self.lanes[lane].wait(order);
        self.pump(now, lane);
    }

    /// Gives an order; it is running until it comes back.
    fn give(&mut self, now: DateTime<Utc>, lane: LaneId, given: Running) {
        self.effects.push(Effect::Run(given.order.clone()));
        self.lanes[lane].give(now, given);
    }

    /// Gives an account that has nothing to do the most urgent order that may begin now.
    pub(super) fn pump(&mut self, now: DateTime<Utc>, id: LaneId) {
        while let Some(first) = self.first_free(now, id) {
            if has_expired(&first.order, now) {
                let reason = "its account was busy, resting or out of budget through the task's whole window";
                self.miss(*first.order, reason);
                continue;
            }
            self.give(now, id, first);
        }
        self.show_waiting(id);
    }

    pub(super) fn show_waiting(&mut self, id: LaneId) {
        let lane = &mut self.lanes[id];
        let waiting = lane.waiting();
        if waiting != lane.shown_waiting
            && let Some(status) = self.status.accounts.get_mut(&lane.account)
        {
            status.queue_length = (status.queue_length + waiting).saturating_sub(lane.shown_waiting);
            lane.shown_waiting = waiting;
        }
    }

    /// The first order in the line that nothing holds up; when something does, the agenda says when to look again.
    fn first_free(&mut self, now: DateTime<Utc>, id: LaneId) -> Option<Running> {
        let lane = &mut self.lanes[id];
        if self.stopping || !lane.is_idle() || lane.waiting() == 0 {
            return None;
        }
        let quiet = lane.quiet();
        let exhausted = lane.exhausted_until(now);
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
            self.agenda.add(at, Item::Queue(id));
        }
        found
    }

    /// A slot that was fired and could not begin.
    pub(super) fn miss(&mut self, order: RunOrder, reason: &str) {
        self.count_missed(&order.key, MissedReason::AccountUnavailable, 1);
        let alarm = Alarm::NotDone { key: order.key.clone(), outcome: Outcome::Missed, reason: reason.to_owned() };
        self.effects.push(Effect::NotRun { key: order.key, what: NotRun::Missed, reason: reason.to_owned() });
        self.effects.push(Effect::Alarm(alarm));
    }
}

fn has_expired(order: &RunOrder, now: DateTime<Utc>) -> bool {
    expires_at(order).is_some_and(|end| now > end)
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
