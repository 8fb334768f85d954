//! `every`: each slot follows the one before, or a success, at the distance of the period; and as long as such a schedule is
//! in force, the next one comes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tgsignd::kernel::PairKey;
use tgsignd::names::Slot;

use super::ledger::Ledger;

#[derive(Default)]
pub(super) struct Periods(BTreeMap<PairKey, Vec<Term>>);

/// A period in force.
struct Term {
    period: TimeDelta,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    /// The process ended after it: a slot of it that waited for its account may be forgotten.
    may_have_lost: bool,
}

impl Periods {
    pub(super) fn ended(&mut self, pair: &PairKey, period: Duration, from: DateTime<Utc>, until: DateTime<Utc>) {
        let period = TimeDelta::from_std(period).unwrap();
        self.0.entry(pair.clone()).or_default().push(Term { period, from, until, may_have_lost: false });
    }

    pub(super) fn process_ended(&mut self) {
        self.0.values_mut().flatten().for_each(|term| term.may_have_lost = true);
    }

    /// Whether a slot is one that a period makes: at once, or a period after an earlier slot or a success. The first one of a
    /// term may be several periods after them, because the schedule was not in force in between.
    pub(super) fn explain(&self, pair: &PairKey, slot: Slot, ledger: &Ledger) -> bool {
        let slot = slot.instant();
        self.0.get(pair).into_iter().flatten().any(|term| {
            let since = slot - term.from;
            let at_once = since >= TimeDelta::zero() && since <= TimeDelta::seconds(1);
            let follows = |anchor: DateTime<Utc>| {
                let distance = slot - anchor;
                let in_step = distance.num_seconds() % term.period.num_seconds() == 0;
                distance == term.period || distance > term.period && in_step && since <= term.period
            };
            at_once || ledger.slots_of(pair).any(|slot| follows(slot.instant())) || ledger.successes(pair).any(follows)
        })
    }

    /// No slot comes earlier than a period after the one before, and none is left out, up to `settled`. Returns how many
    /// terms were looked at.
    pub(super) fn check(&self, ledger: &Ledger, settled: DateTime<Utc>) -> usize {
        let mut checked = 0;
        for (pair, terms) in &self.0 {
            for term in terms.iter().filter(|term| term.until > term.from) {
                checked += 1;
                term.check(pair, ledger, settled);
            }
        }
        checked
    }
}

impl Term {
    fn check(&self, pair: &PairKey, ledger: &Ledger, settled: DateTime<Utc>) {
        let within = |instant: &DateTime<Utc>| *instant > self.from && *instant <= self.until;
        let slots: BTreeSet<_> = ledger.slots_of(pair).map(Slot::instant).filter(within).collect();
        let mut before = None;
        for slot in &slots {
            if let Some(before) = before {
                assert!(*slot - before >= self.period, "{pair:?}: {slot} comes too soon after {before}");
            }
            before = Some(*slot);
        }
        // Without a gap: a slot comes a period after the slot or success before. (A success that comes while the next slot
        // waits for its turn moves that slot.)
        let mut anchors = slots.clone();
        anchors.extend(ledger.successes(pair).filter(within));
        let mut anchor = self.from + TimeDelta::seconds(1);
        for next in anchors {
            assert!(
                next - anchor <= self.period || self.may_have_lost || !slots.contains(&next),
                "{pair:?}: nothing came between {anchor} and {next}, every {}",
                self.period
            );
            anchor = next;
        }
        let end = self.until.min(settled);
        assert!(anchor + self.period >= end || self.may_have_lost, "{pair:?}: nothing came from {anchor} to {end}");
    }
}
