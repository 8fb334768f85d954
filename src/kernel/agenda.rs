//! What is due next.

use std::collections::{BTreeMap, VecDeque};

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
    instants: BTreeMap<DateTime<Utc>, Items>,
    len: usize,
}

/// What is due at one instant. With jitter that is one thing, without it may be thousands.
#[derive(Debug)]
enum Items {
    One(Item),
    /// Boxed, so that an instant of one takes little room.
    #[expect(clippy::box_collection, reason = "see above")]
    Several(Box<VecDeque<Item>>),
}

impl Agenda {
    /// Adds an entry.
    pub(super) fn add(&mut self, at: DateTime<Utc>, item: Item) {
        self.len += 1;
        match self.instants.get_mut(&at) {
            None => drop(self.instants.insert(at, Items::One(item))),
            Some(Items::Several(items)) => items.push_back(item),
            Some(one @ Items::One(_)) => {
                let Items::One(first) = *one else { return };
                *one = Items::Several(Box::new([first, item].into()));
            }
        }
    }

    /// When the first entry is due.
    pub(super) fn next(&self) -> Option<DateTime<Utc>> {
        self.instants.first_key_value().map(|(at, _)| *at)
    }

    /// Takes the first entry that is due at `now`.
    pub(super) fn pop_due(&mut self, now: DateTime<Utc>) -> Option<Item> {
        let mut first = self.instants.first_entry().filter(|first| *first.key() <= now)?;
        self.len -= 1;
        match first.get_mut() {
            Items::Several(items) if items.len() > 1 => items.pop_front(),
            _ => match first.remove() {
                Items::One(item) => Some(item),
                Items::Several(mut items) => items.pop_front(),
            },
        }
    }

    /// Entries, the stale ones too.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Drops the entries that `keep` does not want.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Item) -> bool) {
        let mut len = 0;
        self.instants.retain(|_, items| {
            let kept = match items {
                Items::One(item) => usize::from(keep(item)),
                Items::Several(items) => {
                    items.retain(&mut keep);
                    items.len()
                }
            };
            len += kept;
            kept > 0
        });
        self.len = len;
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn the_earliest_comes_first_and_at_one_instant_the_oldest() {
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let item = |number| Item::Queue(LaneId::of_test(number));
        let mut agenda = Agenda::default();
        for (number, seconds) in [5, 3, 5, 1, 5, 3, 9].into_iter().enumerate() {
            agenda.add(at(seconds), item(number));
        }
        agenda.retain(|kept| *kept != item(2));
        assert_eq!((agenda.len(), agenda.next()), (6, Some(at(1))));
        let popped: Vec<_> = std::iter::from_fn(|| agenda.pop_due(at(5))).collect();
        assert_eq!(popped, [3, 1, 5, 0, 4].map(item));
        assert_eq!((agenda.len(), agenda.next()), (1, Some(at(9))));
    }
}
