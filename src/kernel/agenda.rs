//! What is due next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use chrono::{DateTime, Utc};

use crate::names::{AccountName, RunId, Slot, TaskName};

/// One account of one task.
pub type PairKey = (TaskName, AccountName);

/// Something that is due at an instant. Entries are never searched and removed: one that no longer matches the kernel's state
/// when its time comes is ignored, which keeps a reload cheap.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// A planned slot fires.
    Slot(PairKey, Slot),
    /// A slot is taken up again: another attempt, or another look at the chat's history.
    Resume(PairKey, RunId),
    /// The first deadline after this slot.
    Deadline(PairKey, Slot),
    /// Own messages of a run are to be deleted.
    Delete(PairKey, RunId),
    /// An account whose quiet hours or budget held its queue up may go on.
    Queue(AccountName),
}

/// A queue ordered by instant; entries of one instant come in the order of their names, so that runs are reproducible.
#[derive(Debug, Default)]
pub struct Agenda(BinaryHeap<Reverse<(DateTime<Utc>, Item)>>);

impl Agenda {
    /// Adds an entry.
    pub fn add(&mut self, at: DateTime<Utc>, item: Item) {
        self.0.push(Reverse((at, item)));
    }

    /// When the first entry is due.
    pub fn next(&self) -> Option<DateTime<Utc>> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes the first entry that is due at `now`.
    pub fn pop_due(&mut self, now: DateTime<Utc>) -> Option<(DateTime<Utc>, Item)> {
        self.next().filter(|at| *at <= now)?;
        self.0.pop().map(|Reverse(entry)| entry)
    }

    /// Entries, the stale ones too.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is due, ever.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Drops the entries that `keep` does not want.
    pub fn retain(&mut self, mut keep: impl FnMut(&Item) -> bool) {
        self.0.retain(|Reverse((_, item))| keep(item));
    }
}
