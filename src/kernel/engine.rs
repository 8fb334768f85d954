//! What happens when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::agenda::{Agenda, Item, PairKey};
use super::order::{Alarm, Effect, RunOrder, Work};
use super::pair::{Pair, Waiting};
use super::record::{ClaimHistory, NotRun, Position, RunRecord, Trigger};
use super::status::{AccountStatus, LedgerSizes, MissedReason, RunningRun, Status};
use crate::config::{Snapshot, Task};
use crate::names::{AccountName, RunId, RunKey, Slot, TaskName};
use crate::schedule::{MissedPolicy, Seed};
use crate::script::Outcome;

/// What the ledger knew when the process began.
#[derive(Debug, Clone)]
pub struct Seeds {
    /// Jitter and stagger are drawn from it.
    pub seed: Seed,
    /// Where every task and account stands.
    pub positions: Vec<Position>,
    /// Claims that are not closed.
    pub open: Vec<ClaimHistory>,
}

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// A configuration was accepted. `active_since` holds every enabled pair of it.
    Loaded {
        /// The configuration.
        snapshot: Arc<Snapshot>,
        /// Since when a pair has had its schedule; earlier slots are not missed.
        active_since: BTreeMap<PairKey, DateTime<Utc>>,
    },
    /// The deadline was reached, or might have been.
    Tick,
    /// A run began its first step.
    Began {
        /// The slot.
        key: RunKey,
        /// Its claim.
        run_id: RunId,
        /// Number of the attempt.
        attempt: u32,
    },
    /// An attempt or a review ended and is in the ledger.
    Ended {
        /// As it was kept.
        record: Box<RunRecord>,
        /// Own messages in the chat.
        messages: Vec<i32>,
    },
    /// An order came to nothing: the slot had been claimed before, or the ledger refused.
    Dropped {
        /// The slot.
        key: RunKey,
    },
    /// An account's task died with everything it was doing.
    ActorLost {
        /// The account.
        account: AccountName,
    },
    /// The ledger was measured, or could not be.
    Measured(Result<LedgerSizes, String>),
    /// Telegram answered calls with errors.
    RpcErrors {
        /// Their codes.
        codes: Vec<i32>,
    },
    /// Something about an account changed.
    Account {
        /// The account.
        account: AccountName,
        /// Its status now.
        status: AccountStatus,
    },
    /// No further orders: the process ends.
    Stop,
}

/// Why a task cannot be run by hand now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OnceError {
    /// No such task.
    #[error("there is no task {0}")]
    NoSuchTask(TaskName),
    /// The task is not for this account.
    #[error("task {task} does not run on account {account}")]
    NotItsAccount {
        /// The task.
        task: TaskName,
        /// The account.
        account: AccountName,
    },
    /// It runs already.
    #[error("task {task} is running on account {account} at this moment")]
    Running {
        /// The task.
        task: TaskName,
        /// The account.
        account: AccountName,
    },
    /// The daemon is stopping.
    #[error("the daemon is stopping")]
    Stopping,
}

/// Turns events into effects. It is told the time and never looks.
#[derive(Debug)]
pub struct Kernel {
    pub(super) seed: Seed,
    pub(super) snapshot: Option<Arc<Snapshot>>,
    pub(super) pairs: BTreeMap<PairKey, Pair>,
    pub(super) agenda: Agenda,
    /// Orders that were given and have not come back, each with its task.
    running: BTreeMap<PairKey, (RunKey, Arc<Task>)>,
    pub(super) positions: BTreeMap<PairKey, Position>,
    left_behind: BTreeMap<PairKey, Vec<ClaimHistory>>,
    stopping: bool,
    pub(super) status: Status,
}

impl Kernel {
    /// A kernel without configuration.
    pub fn new(seeds: Seeds, status: Status) -> Self {
        let mut left_behind: BTreeMap<PairKey, Vec<ClaimHistory>> = BTreeMap::new();
        for open in seeds.open {
            let pair = (open.claim.key.task.clone(), open.claim.key.account.clone());
            left_behind.entry(pair).or_default().push(open);
        }
        Self {
            seed: seeds.seed,
            snapshot: None,
            pairs: BTreeMap::new(),
            agenda: Agenda::default(),
            running: BTreeMap::new(),
            positions: seeds
                .positions
                .into_iter()
                .map(|position| ((position.task.clone(), position.account.clone()), position))
                .collect(),
            left_behind,
            stopping: false,
            status,
        }
    }

    /// When [`Event::Tick`] is wanted next.
    pub fn deadline(&self) -> Option<DateTime<Utc>> {
        if self.stopping { None } else { self.agenda.next() }
    }

    /// Everything that can be seen from outside. The caller adds what the kernel cannot know: the heartbeat, the watcher and
    /// the ledger's size.
    pub fn status(&mut self) -> &mut Status {
        &mut self.status
    }

    /// The configuration in force.
    pub fn snapshot(&self) -> Option<&Arc<Snapshot>> {
        self.snapshot.as_ref()
    }

    /// The longest window of any task: no slot before it can be claimed any more.
    pub fn longest_window(&self) -> Duration {
        let tasks = self.snapshot.iter().flat_map(|snapshot| snapshot.tasks.values());
        let window = |task: &Arc<Task>| match task.timing.missed {
            MissedPolicy::RunOnce { within } => within,
            MissedPolicy::Skip => Duration::ZERO,
        };
        tasks.map(window).max().unwrap_or_default()
    }

    /// Whether no run is in progress.
    pub fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// Takes in an event.
    pub fn handle(&mut self, now: DateTime<Utc>, event: Event) -> Vec<Effect> {
        match event {
            Event::Loaded { snapshot, active_since } => self.load(now, snapshot, &active_since),
            Event::Tick => self.tick(now),
            Event::Began { key, run_id, attempt } => {
                let lag = self.started_lag(now, &key);
                if let Some(lag) = lag {
                    self.status.totals.schedule_lag.observe(lag);
                }
                self.status.running.push(RunningRun { run_id, key, attempt, started_at: Some(now) });
                Vec::new()
            }
            Event::Ended { record, messages } => self.ended(now, &record, messages),
            Event::Dropped { key } => {
                self.running.remove(&(key.task.clone(), key.account.clone()));
                self.status.running.retain(|run| run.key != key);
                Vec::new()
            }
            Event::ActorLost { account } => {
                self.running.retain(|(_, of), _| *of != account);
                self.status.running.retain(|run| run.key.account != account);
                Vec::new()
            }
            Event::Measured(Ok(sizes)) => {
                self.status.ledger.sizes = Some(sizes);
                self.status.ledger.error = None;
                Vec::new()
            }
            Event::Measured(Err(error)) => {
                self.status.ledger.error = Some(error);
                self.status.ledger.errors_total += 1;
                Vec::new()
            }
            Event::RpcErrors { codes } => {
                for code in codes {
                    *self.status.totals.rpc_errors.entry(code).or_default() += 1;
                }
                Vec::new()
            }
            Event::Account { account, status } => self.account(account, status),
            Event::Stop => {
                self.stopping = true;
                self.status.shutting_down = true;
                Vec::new()
            }
        }
    }

    /// An order for a run by hand.
    pub fn once(
        &mut self,
        now: DateTime<Utc>,
        task: &TaskName,
        account: Option<&AccountName>,
    ) -> Result<Vec<RunOrder>, OnceError> {
        if self.stopping {
            return Err(OnceError::Stopping);
        }
        let snapshot = self.snapshot.as_ref();
        let found = snapshot.and_then(|snapshot| snapshot.tasks.get(task));
        let found = Arc::clone(found.ok_or_else(|| OnceError::NoSuchTask(task.clone()))?);
        if let Some(account) = account.filter(|account| !found.accounts.contains(account)) {
            return Err(OnceError::NotItsAccount { task: task.clone(), account: account.clone() });
        }
        let accounts: Vec<AccountName> =
            found.accounts.iter().filter(|one| account.is_none_or(|wanted| wanted == *one)).cloned().collect();
        if let Some(busy) = accounts.iter().find(|one| self.running.contains_key(&(task.clone(), (*one).clone()))) {
            return Err(OnceError::Running { task: task.clone(), account: busy.clone() });
        }
        let order = |account: AccountName| RunOrder {
            key: RunKey { task: task.clone(), account, slot: Slot::at(now) },
            task: Arc::clone(&found),
            trigger: Trigger::Manual,
            fire_at: now,
            work: Work::First,
        };
        let orders: Vec<RunOrder> = accounts.into_iter().map(order).collect();
        for order in &orders {
            self.mark_running(order);
        }
        Ok(orders)
    }

    fn mark_running(&mut self, order: &RunOrder) {
        let pair = (order.key.task.clone(), order.key.account.clone());
        self.running.insert(pair, (order.key.clone(), Arc::clone(&order.task)));
    }

    fn started_lag(&self, now: DateTime<Utc>, key: &RunKey) -> Option<f64> {
        let pair = self.pairs.get(&(key.task.clone(), key.account.clone()))?;
        let fire_at = pair.fired.filter(|(slot, _)| *slot == key.slot)?.1;
        (now - fire_at).to_std().ok().map(|lag| lag.as_secs_f64())
    }

    fn load(
        &mut self,
        now: DateTime<Utc>,
        snapshot: Arc<Snapshot>,
        active_since: &BTreeMap<PairKey, DateTime<Utc>>,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        // Before planning, which counts missed slots in the status of their tasks.
        self.describe(&snapshot);
        let mut before = std::mem::take(&mut self.pairs);
        for task in snapshot.tasks.values().filter(|task| task.enabled) {
            for (index, account) in task.accounts.iter().enumerate() {
                let key = (task.name.clone(), account.clone());
                let since = active_since.get(&key).copied().unwrap_or(now);
                let pair = match before.remove(&key) {
                    Some(pair) => pair.with_task(Arc::clone(task), index, since),
                    None => Pair::new(Arc::clone(task), index, since, self.positions.get(&key)),
                };
                self.pairs.insert(key.clone(), pair);
                effects.extend(self.take_up_left_behind(now, &key));
                effects.extend(self.plan(now, &key));
            }
        }
        self.snapshot = Some(Arc::clone(&snapshot));
        self.forget_stale_entries();
        self.describe(&snapshot);
        effects
    }

    fn forget_stale_entries(&mut self) {
        let pairs = &self.pairs;
        self.agenda.retain(|item| match item {
            Item::Slot(key, slot) => pairs.get(key).is_some_and(|pair| pair.is_planned(*slot)),
            Item::Resume(key, run_id) => pairs.get(key).is_some_and(|pair| pair.waits_for(run_id)),
            Item::Deadline(key, _) => pairs.contains_key(key),
            Item::Delete(..) => true,
        });
    }

    /// What an earlier process left behind: attempts to come go back to the agenda, a run in the middle is looked at first.
    fn take_up_left_behind(&mut self, now: DateTime<Utc>, key: &PairKey) -> Vec<Effect> {
        let Some(claims) = self.left_behind.remove(key) else { return Vec::new() };
        let Some(pair) = self.pairs.get_mut(key) else { return Vec::new() };
        let mut effects = Vec::new();
        for history in claims {
            let run_id = history.claim.run_id.clone();
            let slot = history.claim.key.slot;
            if let (Some(at), Some(last)) = (history.resume_at, history.attempts.last()) {
                let waiting = Waiting { run_id: run_id.clone(), slot, record: Box::new(last.clone()) };
                pair.waiting = Some(waiting);
                self.agenda.add(at.max(now), Item::Resume(key.clone(), run_id));
                continue;
            }
            let order = RunOrder {
                key: history.claim.key.clone(),
                task: Arc::clone(&pair.task),
                trigger: history.claim.trigger,
                fire_at: history.claim.fire_at,
                work: Work::Review { run_id, left_behind: Some(Box::new(history)) },
            };
            self.running.insert(key.clone(), (order.key.clone(), Arc::clone(&order.task)));
            effects.push(Effect::Run(Box::new(order)));
        }
        effects
    }

    fn tick(&mut self, now: DateTime<Utc>) -> Vec<Effect> {
        let mut effects = Vec::new();
        while !self.stopping
            && let Some((_, item)) = self.agenda.pop_due(now)
        {
            match item {
                Item::Slot(key, slot) => effects.extend(self.fire(now, &key, slot)),
                Item::Resume(key, run_id) => effects.extend(self.resume(now, &key, &run_id)),
                Item::Deadline(key, slot) => effects.extend(self.deadline_passed(&key, slot)),
                Item::Delete(key, run_id) => effects.extend(self.delete(&key, &run_id)),
            }
        }
        effects
    }

    fn fire(&mut self, now: DateTime<Utc>, key: &PairKey, slot: Slot) -> Vec<Effect> {
        let busy = self.running.get(key).map(|(running, _)| running.slot);
        let Some(pair) = self.pairs.get_mut(key) else { return Vec::new() };
        let Some(planned) = pair.take_planned(slot) else { return Vec::new() };
        if planned.late_by(now) > super::pair::MISFIRE_GRACE && !planned.late {
            // The machine slept, or the clock was put forward: the missed-run policy decides.
            return self.plan(now, key);
        }
        pair.handled(slot);
        let run_key = RunKey { task: key.0.clone(), account: key.1.clone(), slot };
        let mut effects = Vec::new();
        if let Some(busy) = busy {
            let reason = format!("the run of {busy} is still going on");
            effects.push(Effect::NotRun { key: run_key.clone(), what: NotRun::Skipped, reason: reason.clone() });
            self.count(key, Outcome::Skipped);
        } else {
            pair.fired = Some((slot, planned.at));
            pair.waiting = None;
            if let Some(deadline) = pair.deadline_after(slot) {
                self.agenda.add(deadline, Item::Deadline(key.clone(), slot));
            }
            let trigger = if planned.late { Trigger::Late } else { Trigger::Scheduled };
            let order = RunOrder {
                key: run_key,
                task: Arc::clone(&pair.task),
                trigger,
                fire_at: planned.at,
                work: Work::First,
            };
            self.mark_running(&order);
            effects.push(Effect::Run(Box::new(order)));
        }
        effects.extend(self.plan(now, key));
        effects
    }

    fn resume(&mut self, now: DateTime<Utc>, key: &PairKey, run_id: &RunId) -> Vec<Effect> {
        let busy = self.running.contains_key(key);
        let Some(pair) = self.pairs.get_mut(key) else { return Vec::new() };
        let Some(waiting) = pair.waiting.take_if(|waiting| waiting.run_id == *run_id) else { return Vec::new() };
        if busy {
            // A run by hand is going on; its end leaves the slot its turn.
            pair.waiting = Some(waiting);
            self.agenda.add(now + super::pair::MISFIRE_GRACE, Item::Resume(key.clone(), run_id.clone()));
            return Vec::new();
        }
        let record = &waiting.record;
        let work = match record.outcome {
            Outcome::Failed => Work::Again { run_id: run_id.clone(), attempt: record.attempt + 1 },
            _ => Work::Review { run_id: run_id.clone(), left_behind: None },
        };
        let order = RunOrder {
            key: record.key.clone(),
            task: Arc::clone(&pair.task),
            trigger: record.trigger,
            fire_at: record.resume_at.unwrap_or(now),
            work,
        };
        self.mark_running(&order);
        vec![Effect::Run(Box::new(order))]
    }

    fn deadline_passed(&mut self, key: &PairKey, slot: Slot) -> Vec<Effect> {
        let Some(pair) = self.pairs.get(key) else { return Vec::new() };
        if pair.done >= Some(slot) || pair.fired.is_some_and(|(newest, _)| newest > slot) {
            return Vec::new();
        }
        let key = RunKey { task: key.0.clone(), account: key.1.clone(), slot };
        vec![Effect::Alarm(Alarm::DeadlinePassed { key })]
    }

    fn delete(&mut self, key: &PairKey, run_id: &RunId) -> Vec<Effect> {
        let Some(pair) = self.pairs.get_mut(key) else { return Vec::new() };
        let Some((_, messages)) = pair.to_delete.take_if(|(of, _)| of == run_id) else { return Vec::new() };
        vec![Effect::Delete { account: key.1.clone(), task: Arc::clone(&pair.task), messages }]
    }

    fn ended(&mut self, now: DateTime<Utc>, record: &RunRecord, messages: Vec<i32>) -> Vec<Effect> {
        let key = (record.key.task.clone(), record.key.account.clone());
        self.running.remove(&key);
        self.status.running.retain(|run| run.run_id != record.run_id);
        if let Some(began) = record.started_at
            && let Ok(length) = (record.ended_at - began).to_std()
        {
            self.status.totals.run_duration.observe(length.as_secs_f64());
        }
        let mut effects = Vec::new();
        if let Some(pair) = self.pairs.get_mut(&key) {
            if record.outcome.is_done() {
                pair.done = pair.done.max(Some(record.key.slot));
            }
            if let Some(at) = record.resume_at {
                let run_id = record.run_id.clone();
                pair.waiting =
                    Some(Waiting { run_id: run_id.clone(), slot: record.key.slot, record: Box::new(record.clone()) });
                self.agenda.add(at, Item::Resume(key.clone(), run_id));
            }
            if let (Some(delay), false) = (pair.task.delete_after, messages.is_empty()) {
                pair.to_delete = Some((record.run_id.clone(), messages));
                self.agenda.add(now + delay, Item::Delete(key.clone(), record.run_id.clone()));
            }
        }
        self.remember_ended(&key, record);
        if record.resume_at.is_none() {
            self.count(&key, record.outcome);
            if !record.outcome.is_done() {
                effects.push(Effect::Alarm(Alarm::NotDone {
                    key: record.key.clone(),
                    outcome: record.outcome,
                    reason: record.reason.clone(),
                }));
            }
        }
        self.describe_next(&key);
        effects
    }

    fn account(&mut self, account: AccountName, status: AccountStatus) -> Vec<Effect> {
        let Some(known) = self.status.accounts.get_mut(&account) else { return Vec::new() };
        let lost = known.authorized != Some(false) && status.authorized == Some(false);
        let reason = status.error.clone().unwrap_or_default();
        *known = status;
        if lost { vec![Effect::Alarm(Alarm::LoggedOut { account, reason })] } else { Vec::new() }
    }

    /// Plans the next slot of a pair; slots that passed are sorted into one to run late and those that are lost.
    fn plan(&mut self, now: DateTime<Utc>, key: &PairKey) -> Vec<Effect> {
        let Some(pair) = self.pairs.get_mut(key) else { return Vec::new() };
        let plan = pair.plan(now, &self.seed, key);
        let late_slot = plan.late;
        if let Some(planned) = pair.planned {
            self.agenda.add(planned.at, Item::Slot(key.clone(), planned.slot));
        }
        let mut effects = Vec::new();
        for (slot, reason) in plan.lost {
            let run_key = RunKey { task: key.0.clone(), account: key.1.clone(), slot };
            let text = match (reason, late_slot) {
                (MissedReason::Coalesced, Some(late)) => format!("a later slot runs in its place: {late}"),
                (MissedReason::Policy, _) => {
                    "the daemon could not run it in time, and the task says to skip".to_owned()
                }
                _ => "the daemon could not run it within the task's window".to_owned(),
            };
            effects.push(Effect::NotRun { key: run_key.clone(), what: NotRun::Missed, reason: text.clone() });
            if reason != MissedReason::Coalesced {
                effects.push(Effect::Alarm(Alarm::NotDone { key: run_key, outcome: Outcome::Missed, reason: text }));
            }
            self.count_missed(key, reason);
        }
        self.describe_next(key);
        effects
    }
}
