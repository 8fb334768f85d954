//! Which slots were due, from the configurations and the clock alone.
//!
//! A schedule counts from when it came into force until it was changed; the slots of that time were due. Two rules make
//! exceptions, and the slots they cover may have an outcome or not:
//! - after the clock was put back, slots between its hands are due a second time only for a schedule that is new;
//! - a schedule that changes while a slot of it waits for its account, followed by a crash before it could begin: nobody can
//!   know any more that this slot was still to come. There is at most one for each crash, the newest.
//!
//! Slots that follow the last success have their own rules, in `periods`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tgsignd::config::{Snapshot, Task};
use tgsignd::kernel::PairKey;
use tgsignd::names::{Slot, TaskName};

use super::ledger::Ledger;
use super::periods::Periods;

#[derive(Default)]
pub(super) struct Reference {
    in_force: BTreeMap<PairKey, Term>,
    due: BTreeMap<PairKey, BTreeSet<Slot>>,
    may: BTreeMap<PairKey, BTreeSet<Slot>>,
    periods: Periods,
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
            for account in task.accounts.iter() {
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
        if let Some(period) = term.task.timing.schedule.period() {
            return self.periods.ended(pair, period, term.since, now);
        }
        let latest = self.latest;
        self.due.entry(pair.clone()).or_default().extend(term.slots(term.after, now));
        let may = self.may.entry(pair.clone()).or_default();
        may.extend(term.slots(term.since, term.after.min(latest)));
        may.extend(term.slots(now, latest));
    }

    /// What the old schedules still had to come when the process ended: a pair has one order that waits.
    pub(super) fn excuse_what_only_the_process_knew(&mut self, ledger: &Ledger) {
        self.periods.process_ended();
        for (pair, due) in &self.due {
            let newest = due.iter().rev().find(|slot| !ledger.has(pair, **slot));
            self.may.entry(pair.clone()).or_default().extend(newest);
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
                !known(&self.due) && !known(&self.may) && !self.periods.explain(pair, *slot, ledger)
            })
            .map(|((task, account), slot)| format!("{task}/{account}@{slot}"))
            .collect();
        assert!(unexpected.is_empty(), "outcomes of slots that were not due: {unexpected:#?}");
        let periods = self.periods.check(ledger, settled);
        println!("{total} slots were due, and those of {periods} terms of periods were checked");
        assert!(total > 1_000, "only {total} slots were due");
    }
}
