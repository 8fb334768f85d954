//! What the real ledger keeps, in a map.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use tgsignd::config::{Fingerprint, Snapshot};
use tgsignd::kernel::record::{Claim, ClaimHistory, NotRun, Position, RunRecord, Trigger};
use tgsignd::kernel::status::Status;
use tgsignd::kernel::{PairKey, RunOrder};
use tgsignd::names::{RunId, RunKey, Slot, TaskName};
use tgsignd::script::Outcome;

#[derive(Default)]
pub(super) struct Ledger {
    slots: BTreeMap<PairKey, BTreeMap<Slot, Entry>>,
    keys: BTreeMap<RunId, RunKey>,
    active: BTreeMap<PairKey, (Fingerprint, DateTime<Utc>)>,
    named_misses: BTreeMap<TaskName, u64>,
    counted_misses: BTreeMap<TaskName, u64>,
    /// When the alarm was raised.
    deadline_alarms: BTreeMap<RunKey, DateTime<Utc>>,
    /// The latest slot of each pair that an alarm was about.
    told: BTreeMap<PairKey, Slot>,
    /// When runs ended as done, to the second.
    successes: BTreeMap<PairKey, BTreeSet<DateTime<Utc>>>,
}

struct Entry {
    history: ClaimHistory,
    outcome: Option<Outcome>,
    closed: bool,
}

fn pair(key: &RunKey) -> PairKey {
    (key.task.clone(), key.account.clone())
}

impl Ledger {
    fn insert(&mut self, key: &RunKey, trigger: Trigger, fire_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<RunId> {
        let entries = self.slots.entry(pair(key)).or_default();
        if entries.contains_key(&key.slot) {
            return None;
        }
        let run_id = RunId::new(key, now);
        let claim = Claim {
            run_id: run_id.clone(),
            key: key.clone(),
            trigger,
            fire_at,
            claimed_at: now,
            script: serde_json::Value::Null,
        };
        let history = ClaimHistory { claim, resume_at: None, attempts: Vec::new(), journal: Vec::new() };
        entries.insert(key.slot, Entry { history, outcome: None, closed: false });
        self.keys.insert(run_id.clone(), key.clone());
        Some(run_id)
    }

    pub(super) fn claim(&mut self, order: &RunOrder, now: DateTime<Utc>) -> Option<RunId> {
        self.insert(&order.key, order.trigger, order.fire_at, now)
    }

    #[expect(clippy::needless_pass_by_value, reason = "the shape of the effect")]
    pub(super) fn record_without_run(&mut self, key: RunKey, what: NotRun, now: DateTime<Utc>) {
        if what == NotRun::Missed {
            *self.named_misses.entry(key.task.clone()).or_default() += 1;
        }
        let taken = self.insert(&key, Trigger::Scheduled, now, now).is_none();
        assert!(!taken, "{key} was taken before it was recorded as {what:?}");
        let entry = self.slots.get_mut(&pair(&key)).unwrap().get_mut(&key.slot).unwrap();
        (entry.outcome, entry.closed) = (Some(what.into()), true);
    }

    pub(super) fn finish(&mut self, record: RunRecord) {
        let key = &self.keys[&record.run_id];
        let entry = self.slots.get_mut(&pair(key)).unwrap().get_mut(&key.slot).unwrap();
        entry.outcome = Some(record.outcome);
        if record.outcome.is_done() {
            self.successes.entry(pair(key)).or_default().insert(Slot::at(record.ended_at).instant());
        }
        entry.closed |= record.resume_at.is_none();
        entry.history.resume_at = record.resume_at.filter(|_| !entry.closed);
        entry.history.attempts.retain(|attempt| attempt.attempt != record.attempt);
        entry.history.attempts.push(record);
    }

    pub(super) fn open(&self) -> Vec<ClaimHistory> {
        let entries = self.slots.values().flat_map(BTreeMap::values);
        entries.filter(|entry| !entry.closed).map(|entry| entry.history.clone()).collect()
    }

    pub(super) fn positions(&self) -> Vec<Position> {
        let position = |((task, account), entries): (&PairKey, &BTreeMap<Slot, Entry>)| Position {
            task: task.clone(),
            account: account.clone(),
            last_slot: entries.keys().next_back().copied(),
            last: None,
            last_success_at: self.successes(&(task.clone(), account.clone())).next_back(),
            consecutive_failures: 0,
            deadline_alarm: self.told.get(&(task.clone(), account.clone())).copied(),
        };
        self.slots.iter().map(position).collect()
    }

    pub(super) fn active_since(&mut self, snapshot: &Snapshot, now: DateTime<Utc>) -> BTreeMap<PairKey, DateTime<Utc>> {
        let known = std::mem::take(&mut self.active);
        for task in snapshot.tasks.values().filter(|task| task.enabled) {
            for account in task.accounts.iter() {
                let key = (task.name.clone(), account.clone());
                let before = known.get(&key).filter(|(schedule, _)| *schedule == task.schedule_fingerprint);
                let since = before.map_or(now, |(_, since)| *since);
                self.active.insert(key, (task.schedule_fingerprint, since));
            }
        }
        self.active.iter().map(|(key, (_, since))| (key.clone(), *since)).collect()
    }

    #[expect(clippy::needless_pass_by_value, reason = "the shape of the alarm")]
    pub(super) fn deadline_alarm(&mut self, key: RunKey, now: DateTime<Utc>) {
        let told = self.told.entry(pair(&key)).or_insert(key.slot);
        *told = key.slot.max(*told);
        let before = self.deadline_alarms.insert(key.clone(), now);
        assert!(before.is_none(), "{key}: a second alarm of the deadline at {now}, after {before:?}");
    }

    /// Keeps what only the process counted.
    pub(super) fn process_ended(&mut self, status: &Status) {
        for (task, status) in status.tasks.iter() {
            *self.counted_misses.entry(task.clone()).or_default() += status.counts.missed.values().sum::<u64>();
        }
    }

    pub(super) fn has(&self, pair: &PairKey, slot: Slot) -> bool {
        self.slots.get(pair).is_some_and(|entries| entries.contains_key(&slot))
    }

    pub(super) fn newest(&self, pair: &PairKey) -> Option<Slot> {
        self.slots.get(pair)?.keys().next_back().copied()
    }

    /// When runs of the pair ended as done, to the second, in order.
    pub(super) fn successes(&self, pair: &PairKey) -> impl DoubleEndedIterator<Item = DateTime<Utc>> + use<'_> {
        self.successes.get(pair).into_iter().flatten().copied()
    }

    /// The slots of the pair, in order.
    pub(super) fn slots_of(&self, pair: &PairKey) -> impl DoubleEndedIterator<Item = Slot> + use<'_> {
        self.slots.get(pair).into_iter().flat_map(|entries| entries.keys().copied())
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = (&PairKey, Slot)> {
        self.slots.iter().flat_map(|(pair, entries)| entries.keys().map(move |slot| (pair, *slot)))
    }

    /// Misses that were counted and are too many to be named.
    pub(super) fn unnamed_misses(&self, task: &TaskName) -> u64 {
        let of = |misses: &BTreeMap<TaskName, u64>| misses.get(task).copied().unwrap_or_default();
        of(&self.counted_misses) - of(&self.named_misses)
    }

    pub(super) fn outcomes(&self) -> BTreeMap<&'static str, u64> {
        let mut outcomes = BTreeMap::new();
        for entry in self.slots.values().flat_map(BTreeMap::values) {
            *outcomes.entry(entry.outcome.map_or("none", Outcome::as_str)).or_default() += 1;
        }
        outcomes
    }
}
