//! The kernel's state, and which part of it takes in which event.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::agenda::Agenda;
use super::event::{Event, OnceError, Seeds};
use super::lane::{Lane, Running};
use super::lanes::Lanes;
use super::order::{Alarm, Effect, RunOrder, Work};
use super::pairs::{PairId, PairKey, Pairs};
use super::record::{ClaimHistory, Position, Trigger};
use super::status::{AccountStatus, RunningRun, Status};
use crate::config::{Snapshot, Task};
use crate::names::{AccountName, RunKey, Slot, TaskName};
use crate::schedule::Seed;

/// Turns events into effects. It is told the time and never looks.
#[derive(Debug)]
pub struct Kernel {
    pub(super) seed: Seed,
    pub(super) snapshot: Option<Arc<Snapshot>>,
    pub(super) pairs: Pairs,
    pub(super) agenda: Agenda,
    /// Pairs whose slot was fired and whose next one is not planned yet.
    pub(super) unplanned: Vec<PairId>,
    pub(super) lanes: Lanes,
    /// Where the pairs stand that are not there: nobody has adopted them yet, or they went.
    pub(super) positions: BTreeMap<PairKey, Position>,
    pub(super) left_behind: BTreeMap<PairKey, Vec<ClaimHistory>>,
    pub(super) stopping: bool,
    pub(super) status: Status,
    /// What the event at hand has led to so far.
    pub(super) effects: Vec<Effect>,
}

impl Kernel {
    /// A kernel without configuration.
    pub fn new(seeds: Seeds, status: Status) -> Self {
        let mut left_behind: BTreeMap<PairKey, Vec<ClaimHistory>> = BTreeMap::new();
        for open in seeds.open {
            let pair = (open.claim.key.task.clone(), open.claim.key.account.clone());
            left_behind.entry(pair).or_default().push(open);
        }
        // The newest slot is taken up first; the others end with what they are.
        for claims in left_behind.values_mut() {
            claims.sort_by_key(|open| open.claim.key.slot);
        }
        let mut lanes = Lanes::default();
        for (account, at) in seeds.starts {
            let lane = lanes.of(&account);
            lanes[lane].began(at);
        }
        let position = |position: Position| ((position.task.clone(), position.account.clone()), position);
        Self {
            seed: seeds.seed,
            snapshot: None,
            pairs: Pairs::default(),
            agenda: Agenda::default(),
            unplanned: Vec::new(),
            lanes,
            positions: seeds.positions.into_iter().map(position).collect(),
            left_behind,
            stopping: false,
            status,
            effects: Vec::new(),
        }
    }

    /// When [`Event::Tick`] is wanted next. One tick does a part of what is due, so this may lie in the past after it.
    pub fn deadline(&self) -> Option<DateTime<Utc>> {
        match self.stopping {
            true => None,
            false if !self.unplanned.is_empty() => Some(DateTime::UNIX_EPOCH),
            false => self.agenda.next(),
        }
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
        self.snapshot.as_ref().map(|snapshot| snapshot.longest_window()).unwrap_or_default()
    }

    /// Whether no run is in progress. Orders that wait for their account do not count: nothing is claimed for them.
    pub fn is_idle(&self) -> bool {
        self.lanes.iter().all(Lane::is_idle)
    }

    /// Takes in an event.
    pub fn handle(&mut self, now: DateTime<Utc>, event: Event) -> Vec<Effect> {
        match event {
            Event::Loaded { snapshot, active_since } => self.load(now, &snapshot, &active_since),
            Event::Tick => self.tick(now),
            Event::Ended { record, messages } => self.ended(now, &record, messages),
            Event::Dropped { key } => self.dropped(now, &key),
            Event::Undeliverable { key, reason } => self.undeliverable(now, &key, &reason),
            Event::ActorLost { account } => self.actor_lost(account),
            Event::Recovered { account, open } => self.recovered(now, &account, &open),
            Event::Account { account, status } => self.account(account, status),
            Event::Began { key, run_id, attempt } => {
                if let Some(lag) = self.started_lag(now, &key) {
                    self.status.totals.schedule_lag.observe(lag);
                }
                self.status.running.push(RunningRun { run_id, key, attempt, started_at: Some(now) });
            }
            Event::Measured(Ok(sizes)) => {
                self.status.ledger.sizes = Some(sizes);
                self.status.ledger.error = None;
            }
            Event::Measured(Err(error)) => {
                self.status.ledger.error = Some(error);
                self.status.ledger.errors_total += 1;
            }
            Event::RpcErrors { codes } => {
                for code in codes {
                    *self.status.totals.rpc_errors.entry(code).or_default() += 1;
                }
            }
            Event::Stop => {
                self.stopping = true;
                self.status.shutting_down = true;
            }
        }
        std::mem::take(&mut self.effects)
    }

    /// An order for a run by hand. It does not wait for quiet hours or for the account's budget.
    pub fn once(
        &mut self,
        now: DateTime<Utc>,
        task: &TaskName,
        account: Option<&AccountName>,
    ) -> Result<Vec<RunOrder>, OnceError> {
        if self.stopping {
            return Err(OnceError::Stopping);
        }
        let (found, accounts) = self.find(task, account)?;
        let runs =
            |account: &&AccountName| self.lanes.find(account).is_some_and(|lane| self.lanes[lane].runs(task).is_some());
        if let Some(busy) = accounts.iter().find(runs) {
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
            let lane = self.lanes.of(&order.key.account);
            self.lanes[lane].give(now, Running { order: Box::new(order.clone()), given_again: false });
        }
        Ok(orders)
    }

    /// A task, and its accounts or the one of them that is named.
    pub fn find(
        &self,
        task: &TaskName,
        account: Option<&AccountName>,
    ) -> Result<(Arc<Task>, Vec<AccountName>), OnceError> {
        let found = self.snapshot.as_ref().and_then(|snapshot| snapshot.tasks.get(task));
        let found = Arc::clone(found.ok_or_else(|| OnceError::NoSuchTask(task.clone()))?);
        if let Some(account) = account.filter(|account| !found.accounts.contains(account)) {
            return Err(OnceError::NotItsAccount { task: task.clone(), account: account.clone() });
        }
        let wanted = |one: &&AccountName| account.is_none_or(|wanted| wanted == *one);
        let accounts = found.accounts.iter().filter(wanted).cloned().collect();
        Ok((found, accounts))
    }

    fn started_lag(&self, now: DateTime<Utc>, key: &RunKey) -> Option<f64> {
        let pair = self.pairs.get(self.pairs.find(&key.task, &key.account)?)?;
        let fire_at = pair.fired.filter(|(slot, _)| *slot == key.slot)?.1;
        (now - fire_at).to_std().ok().map(|lag| lag.as_secs_f64())
    }

    fn account(&mut self, account: AccountName, status: AccountStatus) {
        let Some(known) = self.status.accounts.get_mut(&account) else { return };
        let lost = known.authorized != Some(false) && status.authorized == Some(false);
        let reason = status.error.clone().unwrap_or_default();
        *known = status;
        if let Some(lane) = self.lanes.find(&account) {
            let lane = &mut self.lanes[lane];
            lane.shown_waiting = lane.waiting();
            known.queue_length += lane.shown_waiting;
        }
        if lost {
            self.effects.push(Effect::Alarm(Alarm::LoggedOut { account, reason }));
        }
    }
}
