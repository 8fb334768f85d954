//! Many tasks' runs in the order in which they are fired.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use chrono::{DateTime, Utc};

use super::jitter::{Place, Seed, fire_before};
use super::{Quiet, Timing};
use crate::names::{AccountName, Slot, TaskName};

/// What a plan needs to know about a task.
#[derive(Debug, Clone)]
pub struct PlannedTask<'a> {
    /// Its name.
    pub name: &'a TaskName,
    /// Who performs it, in the order that decides the stagger.
    pub accounts: &'a [AccountName],
    /// The quiet hours of those accounts, in the same order; accounts beyond its end have none.
    pub quiet: Vec<Option<Quiet>>,
    /// When.
    pub timing: &'a Timing,
}

/// One run that is going to happen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlannedRun {
    /// When it starts: the slot with stagger and jitter.
    pub fire_at: DateTime<Utc>,
    /// The task.
    pub task: TaskName,
    /// The account.
    pub account: AccountName,
    /// The planned instant.
    pub slot: Slot,
}

/// The runs whose slots lie in `from..until`, in the order of `fire_at`, then of the names.
///
/// They are merged one by one: memory grows with the number of tasks and accounts, not with the length of the plan. Without
/// a seed there is no jitter.
pub fn plan<'a>(
    tasks: impl IntoIterator<Item = PlannedTask<'a>>,
    seed: Option<&'a Seed>,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> impl Iterator<Item = PlannedRun> + 'a {
    let streams: Vec<Stream<'a>> = tasks
        .into_iter()
        .filter_map(|task| {
            let slot = task.timing.slots_between(from, until).next()?;
            let next = task.timing.next_after(slot.instant());
            Some((task, slot, next))
        })
        .flat_map(|(task, slot, next)| {
            task.accounts.iter().enumerate().map(move |(index, account)| {
                let quiet = task.quiet.get(index).copied().flatten();
                let mut stream = Stream { name: task.name, timing: task.timing, account, index, quiet, slot, next };
                stream.leave_quiet_hours(seed);
                stream
            })
        })
        .collect();
    let heads = streams.iter().enumerate().map(|(place, stream)| stream.head(place, seed)).collect();
    Plan { streams, heads, seed, until }
}

/// The runs of one account for one task: they are fired in the order of their slots.
struct Stream<'a> {
    name: &'a TaskName,
    timing: &'a Timing,
    account: &'a AccountName,
    index: usize,
    quiet: Option<Quiet>,
    slot: Slot,
    next: Option<Slot>,
}

/// The earliest run of a stream: its instant, its names, and the stream's place in the list.
type Head<'a> = Reverse<(DateTime<Utc>, &'a TaskName, &'a AccountName, usize)>;

impl<'a> Stream<'a> {
    fn head(&self, place: usize, seed: Option<&Seed>) -> Head<'a> {
        Reverse((self.fire_at(seed), self.name, self.account, place))
    }

    fn fire_at(&self, seed: Option<&Seed>) -> DateTime<Utc> {
        let place = Place { task: self.name, account: self.account, index: self.index, quiet: self.quiet };
        fire_before(seed, place, self.slot, self.next, self.timing)
    }

    /// Of the slots of one night, the last one runs at its end.
    fn leave_quiet_hours(&mut self, seed: Option<&Seed>) {
        let Some(quiet) = self.quiet else { return };
        let timing = self.timing;
        let wanted = Place { task: self.name, account: self.account, index: self.index, quiet: None };
        let Some(end) = quiet.end(timing.zone, fire_before(seed, wanted, self.slot, self.next, timing)) else { return };
        if let Some(last) = timing.last_at_or_before(end, self.slot.instant()).filter(|last| *last > self.slot) {
            self.slot = last;
            self.next = timing.next_after(last.instant());
        }
    }
}

struct Plan<'a> {
    streams: Vec<Stream<'a>>,
    heads: BinaryHeap<Head<'a>>,
    seed: Option<&'a Seed>,
    until: DateTime<Utc>,
}

impl Iterator for Plan<'_> {
    type Item = PlannedRun;

    fn next(&mut self) -> Option<PlannedRun> {
        let mut head = self.heads.peek_mut()?;
        let Reverse((fire_at, task, account, place)) = *head;
        let stream = &mut self.streams[place];
        let slot = stream.slot;
        match stream.next.filter(|next| next.instant() < self.until) {
            Some(next) => {
                stream.slot = next;
                stream.next = stream.timing.next_after(next.instant());
                stream.leave_quiet_hours(self.seed);
                *head = stream.head(place, self.seed);
            }
            None => {
                PeekMut::pop(head);
            }
        }
        Some(PlannedRun { fire_at, task: task.clone(), account: account.clone(), slot })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::time::Duration;

    use super::*;
    use crate::schedule::Zone;
    use crate::schedule::tests::{timing, zone};

    #[test]
    fn a_merged_plan_holds_every_run_once_in_the_order_of_firing() {
        let accounts: Vec<AccountName> = ["a", "b", "c"].map(|name| name.parse().unwrap()).to_vec();
        let names: Vec<TaskName> = (0..20).map(|n| format!("t{n}").parse().unwrap()).collect();
        let timings: Vec<Timing> = (0..20)
            .map(|n| Timing {
                jitter: Duration::from_mins(n * 3),
                stagger: Duration::from_secs(n * 20),
                ..timing(&[&format!("{n} */3 * * *"), "0 6 * * *"], zone("Europe/Berlin"))
            })
            .collect();
        let tasks = || {
            std::iter::zip(&names, &timings).map(|(name, timing)| PlannedTask {
                name,
                accounts: &accounts,
                quiet: Vec::new(),
                timing,
            })
        };
        let seed = Seed([7; 32]);
        let from: DateTime<Utc> = "2027-03-26T00:00:00Z".parse().unwrap();
        let until = from + chrono::TimeDelta::days(4);
        let runs: Vec<PlannedRun> = plan(tasks(), Some(&seed), from, until).collect();
        let mut expected: Vec<PlannedRun> = tasks()
            .flat_map(|task| {
                let seed = &seed;
                task.timing.slots_between(from, until).flat_map(move |slot| {
                    task.accounts.iter().enumerate().map(move |(index, account)| PlannedRun {
                        fire_at: super::super::fire_at(
                            seed,
                            Place { task: task.name, account, index, quiet: None },
                            slot,
                            task.timing,
                        ),
                        task: task.name.clone(),
                        account: account.clone(),
                        slot,
                    })
                })
            })
            .collect();
        expected.sort();
        assert!(runs.len() > 2_000);
        assert_eq!(runs, expected);
    }

    #[test]
    fn an_endless_plan_is_streamed() {
        let (name, accounts) = ("t".parse().unwrap(), ["a".parse().unwrap()]);
        let timing = timing(&["* * * * * *"], Zone::UTC);
        let task = PlannedTask { name: &name, accounts: &accounts, quiet: Vec::new(), timing: &timing };
        let from: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let runs: Vec<PlannedRun> = plan([task], None, from, DateTime::<Utc>::MAX_UTC).take(3).collect();
        let seconds: Vec<i64> = runs.iter().map(|run| (run.fire_at - from).num_seconds()).collect();
        assert_eq!(seconds, [0, 1, 2]);
    }
}
