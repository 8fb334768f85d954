//! What is due next.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use chrono::{DateTime, Utc};

use super::lanes::LaneId;
use super::pairs::PairId;
use crate::names::Slot;

/// Something that is due at an instant. Entries are never searched and removed: one that no longer matches the kernel's state
/// when its time comes is ignored, which keeps a reload cheap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// A planned slot fires.
    Slot(PairId, Slot),
    /// A slot is taken up again: another attempt, or another look at the chat's history.
    Resume(PairId, Slot),
    /// The first deadline after this slot.
    Deadline(PairId, Slot),
    /// Own messages of a run are to be deleted.
    Delete(PairId, Slot),
    /// An account whose quiet hours or budget held its queue up may go on.
    Queue(LaneId),
}

/// A queue ordered by instant; what is due at one instant comes in the order in which it was added.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    entries: BinaryHeap<Entry>,
    added: u32,
}

#[derive(Debug)]
struct Entry {
    at: DateTime<Utc>,
    /// Nothing but the order within an instant depends on it, so it may begin at 0 again.
    number: u32,
    item: Item,
}

/// The next one is the greatest, because the heap hands out its greatest first.
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

impl Agenda {
    /// Adds an entry.
    pub(super) fn add(&mut self, at: DateTime<Utc>, item: Item) {
        self.added = self.added.wrapping_add(1);
        self.entries.push(Entry { at, number: self.added, item });
    }

    /// When the first entry is due.
    pub(super) fn next(&self) -> Option<DateTime<Utc>> {
        self.entries.peek().map(|entry| entry.at)
    }

    /// Takes the first entry that is due at `now`.
    pub(super) fn pop_due(&mut self, now: DateTime<Utc>) -> Option<Item> {
        self.next().filter(|at| *at <= now)?;
        self.entries.pop().map(|entry| entry.item)
    }

    /// Entries, the stale ones too.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Drops the entries that `keep` does not want.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Item) -> bool) {
        self.entries.retain(|entry| keep(&entry.item));
    }
}
