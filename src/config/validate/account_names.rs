//! The accounts that tasks may name.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::names::AccountName;

/// The names of all accounts, those of wrong ones too, and the lists of them: many tasks share few.
pub(in crate::config) struct AccountNames<'a> {
    /// As they are written; `None` for what cannot be a name.
    known: BTreeMap<&'a str, Option<AccountName>>,
    lists: RefCell<BTreeSet<Arc<[AccountName]>>>,
}

impl<'a> AccountNames<'a> {
    pub(in crate::config) fn parse(names: impl Iterator<Item = &'a str>) -> Self {
        Self { known: names.map(|name| (name, name.parse().ok())).collect(), lists: RefCell::default() }
    }

    pub(in crate::config) fn of(names: impl Iterator<Item = &'a AccountName>) -> Self {
        Self { known: names.map(|name| (name.as_str(), Some(name.clone()))).collect(), lists: RefCell::default() }
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &'a str> + Clone {
        self.known.keys().copied()
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    /// The list of these names; `None` when one of them is unknown or wrong.
    pub(super) fn list<'n>(&self, names: impl Iterator<Item = &'n str>) -> Option<Arc<[AccountName]>> {
        let list = names.map(|name| self.known.get(name)?.clone()).collect::<Option<Vec<_>>>()?;
        let mut lists = self.lists.borrow_mut();
        if let Some(known) = lists.get(list.as_slice()) {
            return Some(Arc::clone(known));
        }
        let list: Arc<[AccountName]> = list.into();
        lists.insert(Arc::clone(&list));
        Some(list)
    }
}
