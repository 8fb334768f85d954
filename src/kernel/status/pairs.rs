//! The accounts of one task.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::PairStatus;
use crate::names::AccountName;

/// A map of few entries, sorted by account; in JSON it is an object. Nearly every task has one account, and the leaf of a
/// B-tree has room for eleven.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<AccountName, PairStatus>", into = "BTreeMap<AccountName, PairStatus>")]
pub struct PairStatuses(Vec<(AccountName, PairStatus)>);

impl PairStatuses {
    fn place(&self, account: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(account))
    }

    /// The status of an account.
    pub fn get(&self, account: &str) -> Option<&PairStatus> {
        self.place(account).ok().map(|place| &self.0[place].1)
    }

    /// [`get`](Self::get), to be changed.
    pub fn get_mut(&mut self, account: &str) -> Option<&mut PairStatus> {
        self.place(account).ok().map(|place| &mut self.0[place].1)
    }

    /// The status of an account, made when it has none.
    pub(in crate::kernel) fn get_or_insert_with(
        &mut self,
        account: &AccountName,
        status: impl FnOnce() -> PairStatus,
    ) -> &mut PairStatus {
        let place = self.place(account.as_str()).unwrap_or_else(|place| {
            self.0.reserve_exact(1);
            self.0.insert(place, (account.clone(), status()));
            place
        });
        &mut self.0[place].1
    }

    pub(in crate::kernel) fn retain(&mut self, keep: impl Fn(&AccountName) -> bool) {
        self.0.retain(|(account, _)| keep(account));
    }

    /// In the order of the accounts.
    pub fn iter(&self) -> impl Iterator<Item = (&AccountName, &PairStatus)> {
        self.0.iter().map(|(account, status)| (account, status))
    }

    /// In the order of the accounts.
    pub fn values(&self) -> impl Iterator<Item = &PairStatus> {
        self.0.iter().map(|(_, status)| status)
    }
}

impl FromIterator<(AccountName, PairStatus)> for PairStatuses {
    fn from_iter<I: IntoIterator<Item = (AccountName, PairStatus)>>(entries: I) -> Self {
        entries.into_iter().collect::<BTreeMap<_, _>>().into()
    }
}

impl From<BTreeMap<AccountName, PairStatus>> for PairStatuses {
    fn from(entries: BTreeMap<AccountName, PairStatus>) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl From<PairStatuses> for BTreeMap<AccountName, PairStatus> {
    fn from(statuses: PairStatuses) -> Self {
        statuses.0.into_iter().collect()
    }
}
