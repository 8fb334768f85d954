//! Which slots were due, from the configurations and the clock alone.
//!
//! A schedule counts from when it came into force until it was changed; the slots of that time were due. Two rules make
//! exceptions, and the slots they cover may have an outcome or not:
//! - after the clock was put back, slots between its hands are due a second time only for a schedule that is new;
//! - a schedule that changes while a slot is in the middle of being run, followed by a crash, or that changes while no
//!   process runs: nobody can know any more that the old one's slot was still to come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tgsignd::config::{Snapshot, Task};
use tgsignd::kernel::agenda::PairKey;
use tgsignd::names::{Slot, TaskName};

use super::ledger::Ledger;

#[derive(Default)]
pub(super) struct Reference {
    in_force: BTreeMap<PairKey, Term>,
    due: BTreeMap<PairKey, BTreeSet<Slot>>,
    may: BTreeMap<PairKey, BTreeSet<Slot>>,
    latest: DateTime<Utc>,
}

/// A schedule in force.
struct Term {
    task: Arc<Task>,
    /// Slots after this are due.
    after: DateTime<Utc>,
    /// When it came into force; between this and `after` slots may be due.
    since: DateTime<Utc>,
}

impl Term {
    fn slots(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> impl Iterator<Item = Slot> {
        self.task.timing.slots_between(after + TimeDelta::seconds(1), until + TimeDelta::seconds(1))
    }
}

impl Reference {
    /// The clock shows this.
    pub(super) fn saw(&mut self, now: DateTime<Utc>) {
        self.latest = self.latest.max(now);
    }

    /// The latest instant that the clock has ever shown.
    pub(super) fn latest(&self) -> DateTime<Utc> {
        self.latest
    }

    /// A configuration comes into force.
    pub(super) fn load(&mut self, snapshot: &Snapshot, now: DateTime<Utc>, ledger: &Ledger) {
        self.saw(now);
        let before = std::mem::take(&mut self.in_force);
        let mut stays = BTreeMap::new();
        for task in snapshot.tasks.values().filter(|task| task.enabled) {
            for account in &task.accounts {
                stays.insert((task.name.clone(), account.clone()), Arc::clone(task));
            }
        }
        for (pair, term) in before {
            match stays.get(&pair) {
                Some(task) if task.schedule_fingerprint == term.task.schedule_fingerprint => {
                    self.in_force.insert(pair, term);
                }
                _ => self.close(&pair, &term, now),
            }
        }
        for (pair, task) in stays {
            let newest = ledger.newest(&pair).map_or(now, Slot::instant);
            let after = if now < self.latest { self.latest.max(newest) } else { now };
            self.in_force.entry(pair).or_insert(Term { task, after, since: now });
        }
    }

    fn close(&mut self, pair: &PairKey, term: &Term, now: DateTime<Utc>) {
        let latest = self.latest;
        self.due.entry(pair.clone()).or_default().extend(term.slots(term.after, now));
        let may = self.may.entry(pair.clone()).or_default();
        may.extend(term.slots(term.since, term.after.min(latest)));
        may.extend(term.slots(now, latest));
    }

    /// What the old schedules still had to come when the process ended.
    pub(super) fn excuse_what_only_the_process_knew(&mut self, now: DateTime<Utc>, ledger: &Ledger) {
        for (pair, term) in &self.in_force {
            let slots = self.due.get(pair).into_iter().flatten().copied();
            let lost = slots.filter(|slot| slot.instant() <= now.max(term.since) && !ledger.has(pair, *slot));
            self.may.entry(pair.clone()).or_default().extend(lost.collect::<Vec<_>>());
        }
    }

    /// The workdir is another one when the next process comes.
    pub(super) fn changed_while_nobody_was_there(&mut self, snapshot: &Snapshot, now: DateTime<Utc>, ledger: &Ledger) {
        for (pair, term) in &self.in_force {
            let task = snapshot.tasks.get(&pair.0).filter(|task| task.enabled && task.accounts.contains(&pair.1));
            if task.is_none_or(|task| task.schedule_fingerprint != term.task.schedule_fingerprint) {
                let lost = term.slots(term.after, now).filter(|slot| !ledger.has(pair, *slot));
                self.may.entry(pair.clone()).or_default().extend(lost);
            }
        }
    }

    /// Compares with what the ledger has, for slots up to `settled`.
    pub(super) fn check(&mut self, ledger: &Ledger, settled: DateTime<Utc>) {
        for (pair, term) in std::mem::take(&mut self.in_force) {
            self.close(&pair, &term, self.latest);
        }
        let none = BTreeSet::new();
        let mut silent: BTreeMap<TaskName, Vec<String>> = BTreeMap::new();
        let mut total = 0;
        for (pair, due) in &self.due {
            let may = self.may.get(pair).unwrap_or(&none);
            for slot in due.iter().filter(|slot| slot.instant() <= settled && !may.contains(slot)) {
                total += 1;
                if !ledger.has(pair, *slot) {
                    silent.entry(pair.0.clone()).or_default().push(format!("{}/{}@{slot}", pair.0, pair.1));
                }
            }
        }
        silent.retain(|task, slots| slots.len() as u64 > ledger.unnamed_misses(task));
        assert!(silent.is_empty(), "slots without an outcome: {silent:#?}");
        let unexpected: Vec<String> = ledger
            .slots()
            .filter(|(pair, slot)| {
                let known =
                    |slots: &BTreeMap<PairKey, BTreeSet<Slot>>| slots.get(pair).is_some_and(|of| of.contains(slot));
                !known(&self.due) && !known(&self.may)
            })
            .map(|((task, account), slot)| format!("{task}/{account}@{slot}"))
            .collect();
        assert!(unexpected.is_empty(), "outcomes of slots that were not due: {unexpected:#?}");
        println!("{total} slots were due");
        assert!(total > 1_000, "only {total} slots were due");
    }
}
