//! The lanes by number, and their numbers by the names of their accounts.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

use super::lane::Lane;
use crate::names::AccountName;

/// The number of a lane. An account that is gone keeps it: it may come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LaneId(u32);

impl LaneId {
    fn place(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    #[cfg(test)]
    pub(super) fn of_test(number: usize) -> Self {
        Self(u32::try_from(number).unwrap_or_default())
    }
}

#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    ids: BTreeMap<AccountName, LaneId>,
}

impl Lanes {
    pub(super) fn find(&self, account: &AccountName) -> Option<LaneId> {
        self.ids.get(account).copied()
    }

    /// The lane of an account, made when it has none.
    pub(super) fn of(&mut self, account: &AccountName) -> LaneId {
        if let Some(known) = self.find(account) {
            return known;
        }
        let id = LaneId(u32::try_from(self.lanes.len()).unwrap_or(u32::MAX));
        self.lanes.push(Lane::new(account.clone()));
        self.ids.insert(account.clone(), id);
        id
    }

    /// In the order of their accounts.
    pub(super) fn ids(&self) -> Vec<LaneId> {
        self.ids.values().copied().collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.lanes.iter_mut()
    }
}

impl Index<LaneId> for Lanes {
    type Output = Lane;

    fn index(&self, id: LaneId) -> &Lane {
        &self.lanes[id.place()]
    }
}

impl IndexMut<LaneId> for Lanes {
    fn index_mut(&mut self, id: LaneId) -> &mut Lane {
        &mut self.lanes[id.place()]
    }
}
