//! A configuration comes into force: only what changed is planned anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::agenda::{Item, PairKey};
use super::engine::Kernel;
use super::order::{Effect, RunOrder, Work};
use super::pair::Pair;
use super::record::{ClaimHistory, NotRun, RunRecord};
use super::status::{DETAILED_TASKS, SkippedReason};
use crate::config::{Changes, Snapshot, Task};
use crate::names::{RunKey, Slot};
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
    ) -> Vec<Effect> {
        let before = self.snapshot.replace(Arc::clone(snapshot));
        let mut effects = Vec::new();
        let none = BTreeMap::new();
        let known = before.as_ref().map_or(&none, |before| &before.tasks);
        let changes = Changes::of_tasks(known, &snapshot.tasks);
        for name in changes.removed.iter().chain(&changes.changed) {
            effects.extend(self.retire(now, &known[name], snapshot.tasks.get(name)));
        }
        for name in changes.added.iter().chain(&changes.changed) {
            let task = &snapshot.tasks[name];
            self.describe(now, task, snapshot.tasks.len() <= DETAILED_TASKS);
            effects.extend(self.adopt(now, task, active_since));
        }
        if let Some(before) = before {
            effects.extend(self.heed_new_quiet_hours(now, &before, snapshot));
        }
        self.describe_all(snapshot);
        self.lanes.retain(|account, lane| snapshot.accounts.contains_key(account) || !lane.is_idle());
        effects.extend(self.abandon_left_behind(now));
        self.forget_stale_entries();
        let accounts: Vec<_> = self.lanes.keys().cloned().collect();
        effects.extend(accounts.iter().flat_map(|account| self.pump(now, account)));
        effects
    }

    /// Pairs that the task had and has no longer.
    fn retire(&mut self, now: DateTime<Utc>, task: &Arc<Task>, after: Option<&Arc<Task>>) -> Vec<Effect> {
        let mut effects = Vec::new();
        let stays: BTreeSet<_> =
            after.filter(|after| after.enabled).into_iter().flat_map(|after| &after.accounts).collect();
        for account in task.accounts.iter().filter(|account| task.enabled && !stays.contains(account)) {
            let key = (task.name.clone(), account.clone());
            let Some(pair) = self.pairs.remove(&key) else { continue };
            for slot in pair.due(now).newest {
                effects.push(self.skip(&key, slot, SkippedReason::TaskChanged, TASK_CHANGED));
            }
            let lane = self.lanes.get_mut(account);
            let orders = lane.map(|lane| [lane.withdraw(&task.name), lane.withdraw_cut_off(&task.name)]);
            for order in orders.into_iter().flatten().flatten() {
                effects.extend(self.withdrawn(order));
            }
            self.positions.insert(key.clone(), pair.position(&key, now));
            if let Some(waiting) = pair.waiting {
                effects.extend(self.close(&key, *waiting, false));
            }
        }
        effects
    }

    /// An order that will not be given because its task is gone.
    fn withdrawn(&mut self, order: RunOrder) -> Vec<Effect> {
        let key = (order.key.task.clone(), order.key.account.clone());
        match order.work {
            Work::First => vec![self.skip(&key, order.key.slot, SkippedReason::TaskChanged, TASK_CHANGED)],
            Work::Again { last, .. } => self.close(&key, *last, false),
            Work::Review { last, left_behind, .. } => match (last, left_behind) {
                (Some(last), _) => self.close(&key, *last, false),
                (None, Some(history)) => self.close(&key, cut_off(&history, order.fire_at), false),
                (None, None) => Vec::new(),
            },
        }
    }

    /// Pairs of a task that is new or was changed.
    fn adopt(
        &mut self,
        now: DateTime<Utc>,
        task: &Arc<Task>,
        active_since: &BTreeMap<PairKey, DateTime<Utc>>,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (index, account) in task.accounts.iter().enumerate().filter(|_| task.enabled) {
            let key = (task.name.clone(), account.clone());
            let since = active_since.get(&key).copied().unwrap_or(now);
            if let Some(pair) = self.pairs.get_mut(&key) {
                let (carried, dropped) = pair.change(Arc::clone(task), index, since, now);
                for slot in dropped {
                    effects.push(self.skip(&key, slot, SkippedReason::TaskChanged, TASK_CHANGED));
                }
                if let Some(slot) = carried {
                    self.agenda.add(now, Item::Slot(key.clone(), slot));
                    self.describe_next(&key);
                    continue;
                }
            } else {
                let pair = Pair::new(Arc::clone(task), index, since, self.positions.get(&key));
                self.pairs.insert(key.clone(), Box::new(pair));
            }
            self.lanes.entry(account.clone()).or_default();
            effects.extend(self.take_up_left_behind(now, &key));
            effects.extend(self.plan(now, &key));
        }
        effects
    }

    fn heed_new_quiet_hours(&mut self, now: DateTime<Utc>, before: &Snapshot, after: &Snapshot) -> Vec<Effect> {
        let changed: BTreeSet<_> = after
            .accounts
            .values()
            .filter(|account| before.accounts.get(&account.name).is_some_and(|known| known.quiet != account.quiet))
            .map(|account| account.name.clone())
            .collect();
        if changed.is_empty() {
            return Vec::new();
        }
        let keys: Vec<PairKey> = self.pairs.keys().filter(|(_, account)| changed.contains(account)).cloned().collect();
        keys.iter().flat_map(|key| self.plan(now, key)).collect()
    }

    fn forget_stale_entries(&mut self) {
        if self.agenda.len() < 2 * self.pairs.len() + STALE_ENTRIES {
            return;
        }
        let pairs = &self.pairs;
        self.agenda.retain(|item| match item {
            Item::Slot(key, slot) => pairs.get(key).is_some_and(|pair| pair.is_planned(*slot)),
            Item::Resume(key, slot) => pairs.get(key).is_some_and(|pair| pair.waits_for(*slot)),
            Item::Deadline(key, _) => pairs.contains_key(key),
            Item::Delete(..) | Item::Queue(_) => true,
        });
    }

    /// What an earlier process left behind: of several claims the newest is taken up, the others end as what they are. An
    /// attempt to come goes back to the agenda, a run in the middle is looked at first.
    pub(super) fn take_up_left_behind(&mut self, now: DateTime<Utc>, key: &PairKey) -> Vec<Effect> {
        let Some(mut claims) = self.left_behind.remove(key) else { return Vec::new() };
        let newest = if self.pairs.contains_key(key) { claims.pop() } else { None };
        let mut effects: Vec<Effect> =
            claims.iter().flat_map(|history| self.close(key, cut_off(history, now), true)).collect();
        let (Some(pair), Some(newest)) = (self.pairs.get_mut(key), newest) else { return effects };
        let (run_id, slot) = (newest.claim.run_id.clone(), newest.claim.key.slot);
        let deadline = pair.task.timing.deadline_for(slot);
        if let Some(deadline) = deadline.filter(|deadline| *deadline > now) {
            self.agenda.add(deadline, Item::Deadline(key.clone(), slot));
        }
        if let Some((last, at)) = newest.waiting() {
            pair.waiting = Some(Box::new(last.clone()));
            self.agenda.add(at.max(now), Item::Resume(key.clone(), slot));
            return effects;
        }
        let order = RunOrder {
            key: newest.claim.key.clone(),
            task: Arc::clone(&pair.task),
            trigger: newest.claim.trigger,
            fire_at: newest.claim.fire_at,
            work: Work::Review { run_id, last: None, left_behind: Some(Box::new(newest)) },
        };
        effects.extend(self.enqueue(now, order, false));
        effects
    }

    /// Claims of tasks that are gone will never be taken up.
    fn abandon_left_behind(&mut self, now: DateTime<Utc>) -> Vec<Effect> {
        let left_behind = std::mem::take(&mut self.left_behind);
        let abandoned =
            left_behind.into_iter().flat_map(|(key, claims)| claims.into_iter().map(move |it| (key.clone(), it)));
        abandoned.flat_map(|(key, history)| self.close(&key, cut_off(&history, now), false)).collect()
    }

    /// A slot that is left out on purpose.
    pub(super) fn skip(&mut self, key: &PairKey, slot: Slot, why: SkippedReason, reason: &str) -> Effect {
        self.count_skipped(key, why, 1);
        let key = RunKey { task: key.0.clone(), account: key.1.clone(), slot };
        Effect::NotRun { key, what: NotRun::Skipped, reason: reason.to_owned() }
    }
}

/// The end of a claim that is not taken up: its last attempt, or one that was cut off.
fn cut_off(history: &ClaimHistory, now: DateTime<Utc>) -> RunRecord {
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
