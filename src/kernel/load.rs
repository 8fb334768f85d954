//! A configuration comes into force: only what changed is planned anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::agenda::Item;
use super::engine::Kernel;
use super::order::{Effect, RunOrder, Work};
use super::pair::Pair;
use super::pairs::{PairId, PairKey};
use super::record::{ClaimHistory, NotRun, Position, RunRecord};
use super::status::{DETAILED_TASKS, SkippedReason};
use crate::config::{Changes, Snapshot, Task};
use crate::names::RunKey;
use crate::script::Outcome;

/// Stale entries of the agenda that are not worth a cleaning.
const STALE_ENTRIES: usize = 1_000;

const TASK_CHANGED: &str = "the task was changed, disabled or removed before it began";

impl Kernel {
    pub(super) fn load(
        &mut self,
        now: DateTime<Utc>,
        snapshot: &Arc<Snapshot>,
        active_since: &BTreeMap<PairKey, DateTime<Utc>>,
    ) {
        let before = self.snapshot.replace(Arc::clone(snapshot));
        self.settle_accounts(snapshot);
        let none = BTreeMap::new();
        let known = before.as_ref().map_or(&none, |before| &before.tasks);
        let changes = Changes::of_tasks(known, &snapshot.tasks);
        for name in changes.removed.iter().chain(&changes.changed) {
            self.retire(now, &known[name], snapshot.tasks.get(name));
        }
        for name in changes.added.iter().chain(&changes.changed) {
            let task = &snapshot.tasks[name];
            self.describe(now, task, snapshot.tasks.len() <= DETAILED_TASKS);
            self.adopt(now, task, active_since);
        }
        if let Some(before) = before {
            self.heed_new_quiet_hours(now, &before, snapshot);
        }
        self.describe_all(snapshot);
        self.abandon_left_behind(now);
        self.forget_stale_entries();
        for lane in self.lanes.ids() {
            self.pump(now, lane);
        }
    }

    fn settle_accounts(&mut self, snapshot: &Snapshot) {
        self.lanes.iter_mut().for_each(|lane| lane.settings = None);
        for account in snapshot.accounts.values() {
            let lane = self.lanes.of(&account.name);
            self.lanes[lane].settings = Some(Arc::clone(account));
        }
    }

    /// Pairs that the task had and has no longer.
    fn retire(&mut self, now: DateTime<Utc>, task: &Arc<Task>, after: Option<&Arc<Task>>) {
        let stays: BTreeSet<_> =
            after.filter(|after| after.enabled).into_iter().flat_map(|after| after.accounts.iter()).collect();
        for account in task.accounts.iter().filter(|account| task.enabled && !stays.contains(account)) {
            let id = self.pairs.find(&task.name, account);
            let Some(pair) = id.and_then(|id| self.pairs.remove(id)) else { continue };
            let lane = &mut self.lanes[pair.lane];
            let orders = [lane.withdraw_cut_off(&task.name), lane.withdraw(&task.name)];
            for order in orders.into_iter().flatten() {
                self.withdrawn(order);
            }
            for slot in pair.due(now).newest {
                self.skip(pair.run_key(slot), SkippedReason::TaskChanged, TASK_CHANGED);
            }
            self.positions.insert((task.name.clone(), account.clone()), pair.position(now));
            if let Some(waiting) = pair.waiting {
                self.close(*waiting, false);
            }
        }
    }

    /// An order that will not be given because its task is gone.
    fn withdrawn(&mut self, order: RunOrder) {
        match order.work {
            Work::First => self.skip(order.key, SkippedReason::TaskChanged, TASK_CHANGED),
            Work::Again { last, .. } => self.close(*last, false),
            Work::Review { last, left_behind, .. } => match (last, left_behind) {
                (Some(last), _) => self.close(*last, false),
                (None, Some(history)) => self.close(cut_off(&history, order.fire_at), false),
                (None, None) => {}
            },
        }
    }

    /// Pairs of a task that is new or was changed.
    fn adopt(&mut self, now: DateTime<Utc>, task: &Arc<Task>, active_since: &BTreeMap<PairKey, DateTime<Utc>>) {
        for (index, account) in task.accounts.iter().enumerate().filter(|_| task.enabled) {
            let key = (task.name.clone(), account.clone());
            let since = active_since.get(&key).copied().unwrap_or(now);
            let known = self.pairs.find(&task.name, account);
            let id = if let Some(id) = known
                && let Some(pair) = self.pairs.get_mut(id)
            {
                let (carried, dropped) = pair.change(Arc::clone(task), index, since, now);
                let (lane, watched) = (pair.lane, pair.deadline.watched());
                if let Some(slot) = watched {
                    self.watch_deadline(id, slot);
                }
                let unbegun = (!dropped.is_empty()).then(|| self.lanes[lane].withdraw_unbegun(&task.name)).flatten();
                for slot in unbegun.map(|order| order.key.slot).into_iter().chain(dropped) {
                    let key = RunKey { task: key.0.clone(), account: key.1.clone(), slot };
                    self.skip(key, SkippedReason::TaskChanged, TASK_CHANGED);
                }
                if let Some(slot) = carried {
                    self.agenda.add(now, Item::Slot(id, slot));
                    self.describe_next(id);
                    continue;
                }
                id
            } else {
                let (lane, position) = (self.lanes.of(account), self.positions.remove(&key));
                let id = self.pairs.insert(Pair::new(Arc::clone(task), index, lane, since, position.as_ref()));
                self.watch_what_failed(now, id, position.as_ref());
                id
            };
            self.take_up_left_behind(now, &key);
            self.plan(now, id);
        }
    }

    fn heed_new_quiet_hours(&mut self, now: DateTime<Utc>, before: &Snapshot, after: &Snapshot) {
        let changed: BTreeSet<_> = after
            .accounts
            .values()
            .filter(|account| before.accounts.get(&account.name).is_some_and(|known| known.quiet != account.quiet))
            .map(|account| account.name.clone())
            .collect();
        if changed.is_empty() {
            return;
        }
        let resting = self.pairs.iter().filter(|(_, pair)| changed.contains(pair.account()));
        let resting: Vec<PairId> = resting.map(|(id, _)| id).collect();
        for id in resting {
            self.plan(now, id);
        }
    }

    fn forget_stale_entries(&mut self) {
        if self.agenda.len() < 2 * self.pairs.len() + STALE_ENTRIES {
            return;
        }
        let pairs = &self.pairs;
        self.agenda.retain(|item| match item {
            Item::Slot(id, slot) => pairs.get(*id).is_some_and(|pair| pair.is_planned(*slot)),
            Item::Resume(id, slot) => pairs.get(*id).is_some_and(|pair| pair.waits_for(*slot)),
            Item::Deadline(id, slot) => pairs.get(*id).is_some_and(|pair| pair.deadline.watched() == Some(*slot)),
            Item::Delete(..) | Item::Queue(_) => true,
        });
    }

    /// The newest slot was run by an earlier process and not done: its deadline may still come. One that has passed adds nothing
    /// to the alarm there was.
    fn watch_what_failed(&mut self, now: DateTime<Utc>, id: PairId, position: Option<&Position>) {
        let Some(position) = position else { return };
        let Some((last, last_slot)) = position.last.as_ref().zip(position.last_slot) else { return };
        let was_run = matches!(last.outcome, Outcome::Failed | Outcome::Unknown | Outcome::Interrupted);
        let deadline = self.pairs.get(id).and_then(|pair| pair.task.timing.deadline_for(last_slot));
        if was_run && last.slot == last_slot && deadline > Some(now) {
            self.watch_deadline(id, last_slot);
        }
    }

    /// What an earlier process left behind: of several claims the newest is taken up, the others end as what they are.
    fn take_up_left_behind(&mut self, now: DateTime<Utc>, key: &PairKey) {
        let Some(mut claims) = self.left_behind.remove(key) else { return };
        let id = self.pairs.find(&key.0, &key.1);
        let newest = if id.is_some() { claims.pop() } else { None };
        for history in claims {
            self.close(cut_off(&history, now), true);
        }
        let (Some(id), Some(newest)) = (id, newest) else { return };
        let slot = newest.claim.key.slot;
        self.watch_deadline(id, slot);
        self.take_up(now, id, newest);
    }

    /// An attempt to come goes back to the agenda, a run in the middle is looked at first.
    pub(super) fn take_up(&mut self, now: DateTime<Utc>, id: PairId, newest: ClaimHistory) {
        let Some(pair) = self.pairs.get_mut(id) else { return };
        let (run_id, slot) = (newest.claim.run_id.clone(), newest.claim.key.slot);
        if let Some((last, at)) = newest.waiting() {
            pair.waiting = Some(Box::new(last.clone()));
            self.agenda.add(at.max(now), Item::Resume(id, slot));
            self.remember_left_behind(last);
            return;
        }
        let order = RunOrder {
            key: newest.claim.key.clone(),
            task: Arc::clone(&pair.task),
            trigger: newest.claim.trigger,
            fire_at: newest.claim.fire_at,
            work: Work::Review { run_id, last: None, left_behind: Some(Box::new(newest)) },
        };
        let lane = pair.lane;
        self.enqueue(now, lane, Box::new(order), false);
    }

    /// Claims of tasks that are gone will never be taken up.
    fn abandon_left_behind(&mut self, now: DateTime<Utc>) {
        for history in std::mem::take(&mut self.left_behind).into_values().flatten() {
            self.close(cut_off(&history, now), false);
        }
    }

    /// A slot that is left out on purpose.
    pub(super) fn skip(&mut self, key: RunKey, why: SkippedReason, reason: &str) {
        self.count_skipped(&key.task, why, 1);
        self.effects.push(Effect::NotRun { key, what: NotRun::Skipped, reason: reason.to_owned() });
    }
}

/// The end of a claim that is not taken up: its last attempt, or one that was cut off.
pub(super) fn cut_off(history: &ClaimHistory, now: DateTime<Utc>) -> RunRecord {
    let claim = &history.claim;
    if let Some((last, _)) = history.waiting() {
        return last.clone();
    }
    RunRecord {
        run_id: claim.run_id.clone(),
        key: claim.key.clone(),
        trigger: claim.trigger,
        fire_at: claim.fire_at,
        claimed_at: claim.claimed_at,
        started_at: None,
        ended_at: now,
        attempt: history.attempts.last().map_or(1, |last| last.attempt + 1),
        outcome: Outcome::Interrupted,
        reason: "the daemon was stopped in the middle, and the task has moved on".to_owned(),
        evidence: serde_json::Value::Null,
        failed_step: None,
        resume_at: None,
    }
}
