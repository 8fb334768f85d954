//! Which boot owns the sessions.
//!
//! A boot writes a takeover record and waits for the release record of the one before, or for [`TAKEOVER_WAIT`]. The owner lists
//! at least every [`HOLDER_LISTS_EVERY`]; seeing a higher epoch it disconnects, makes a last commit, writes its release record and
//! idles. Both write before they list, so no clock is compared with another host's.

use std::collections::BTreeSet;
use std::time::Duration;

use super::survey::Listing;
use crate::backup::manifest::{Epoch, Nonce, ObjectName, Stem};

/// How long a boot waits for an owner that says nothing: longer than that owner takes to look, disconnect and commit.
pub const TAKEOVER_WAIT: Duration = Duration::from_secs(90);

/// How often the owner looks for a higher epoch, and before every run: so often that one look without an answer does not make it
/// late.
pub const HOLDER_LISTS_EVERY: Duration = Duration::from_secs(30);

/// All boots that the server knows of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    takeovers: BTreeSet<Epoch>,
    released: BTreeSet<Epoch>,
}

/// What a boot that took over may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// The sessions are its own.
    Go,
    /// Look again soon, at the latest after `left`; these have not let go.
    Wait {
        /// Boots without a release record.
        holders: Vec<Epoch>,
        /// Until nobody is waited for any more.
        left: Duration,
    },
    /// Our own record is not listed: never go on without it. A listing that lags, or somebody deletes.
    NotListed,
    /// A higher boot is there: write a release record and do not connect.
    Superseded(Epoch),
}

/// What the owner may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Go on.
    Holder,
    /// Disconnect, commit, release, idle.
    Superseded(Epoch),
}

impl Roster {
    /// The records in `listing` that `genuine` accepts: their signatures hold and are trusted, and they are of this instance.
    pub fn new(listing: &Listing, stem: &Stem, genuine: impl Fn(&str) -> bool) -> Self {
        let mut roster = Self::default();
        for name in listing.keys().filter(|name| genuine(name)) {
            match ObjectName::parse(stem, name) {
                Some(ObjectName::Takeover(epoch)) => drop(roster.takeovers.insert(epoch)),
                Some(ObjectName::Release(epoch)) => drop(roster.released.insert(epoch)),
                _ => {}
            }
        }
        roster
    }

    /// The epoch of a boot that begins now; `None` when numbers are used up.
    pub fn next_epoch(&self, nonce: Nonce) -> Option<Epoch> {
        let last = self.newest().map_or(0, |epoch| epoch.number);
        Some(Epoch { number: last.checked_add(1)?, nonce })
    }

    /// The newest boot that anybody announced.
    pub fn newest(&self) -> Option<Epoch> {
        self.takeovers.last().max(self.released.last()).copied()
    }

    /// What the boot `mine` may do, whose record was stored `waited` ago.
    pub fn wait(&self, mine: Epoch, waited: Duration) -> Wait {
        if let Some(higher) = self.higher_than(mine) {
            return Wait::Superseded(higher);
        }
        if !self.takeovers.contains(&mine) {
            return Wait::NotListed;
        }
        let holders: Vec<Epoch> =
            self.takeovers.range(..mine).filter(|epoch| !self.released.contains(epoch)).copied().collect();
        let left = TAKEOVER_WAIT.saturating_sub(waited);
        if holders.is_empty() || left.is_zero() { Wait::Go } else { Wait::Wait { holders, left } }
    }

    /// What the owner `mine` may do.
    pub fn hold(&self, mine: Epoch) -> Hold {
        self.higher_than(mine).map_or(Hold::Holder, Hold::Superseded)
    }

    /// Records of boots that ended before `mine` became the owner; they may be deleted once it is.
    pub fn obsolete(&self, mine: Epoch, stem: &Stem) -> Vec<String> {
        let takeovers = self.takeovers.range(..mine).map(|epoch| ObjectName::Takeover(*epoch).to_text(stem));
        // A release record outlives its takeover record, so that no moment shows a boot that has not let go.
        let releases = self.released.range(..mine).map(|epoch| ObjectName::Release(*epoch).to_text(stem));
        takeovers.chain(releases).collect()
    }

    fn higher_than(&self, mine: Epoch) -> Option<Epoch> {
        self.takeovers.last().copied().filter(|last| *last > mine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(number: u32, byte: u8) -> Epoch {
        Epoch { number, nonce: Nonce([byte; 6]) }
    }

    fn roster(takeovers: &[Epoch], released: &[Epoch]) -> Roster {
        let stem = Stem::default();
        let names = takeovers.iter().map(|epoch| ObjectName::Takeover(*epoch));
        let names = names.chain(released.iter().map(|epoch| ObjectName::Release(*epoch)));
        let listing =
            names.map(|name| (name.to_text(&stem), Some(1))).chain([("foreign.json".to_owned(), None)]).collect();
        Roster::new(&listing, &stem, |_| true)
    }

    #[test]
    fn a_boot_waits_for_those_before_it() {
        let (old, mine) = (epoch(1, 9), epoch(2, 0));
        let wait = |roster: Roster, seconds| roster.wait(mine, Duration::from_secs(seconds));
        assert_eq!(wait(roster(&[mine], &[]), 0), Wait::Go);
        let waiting = Wait::Wait { holders: vec![old], left: Duration::from_mins(1) };
        assert_eq!(wait(roster(&[old, mine], &[]), 30), waiting);
        assert_eq!(wait(roster(&[old, mine], &[old]), 30), Wait::Go);
        assert_eq!(wait(roster(&[old, mine], &[]), 90), Wait::Go);
        assert_eq!(wait(roster(&[old], &[old]), 100), Wait::NotListed);
        assert_eq!(wait(roster(&[mine, epoch(2, 1)], &[]), 100), Wait::Superseded(epoch(2, 1)));
    }

    #[test]
    fn the_owner_sees_who_comes_after_it() {
        let (mine, next) = (epoch(2, 0), epoch(3, 0));
        assert_eq!(roster(&[epoch(1, 9), mine], &[]).hold(mine), Hold::Holder);
        assert_eq!(roster(&[mine, next], &[]).hold(mine), Hold::Superseded(next));
    }

    #[test]
    fn of_two_boots_at_once_one_owns() {
        let (a, b) = (epoch(4, 1), epoch(4, 2));
        let both = roster(&[a, b], &[]);
        assert_eq!(both.wait(a, TAKEOVER_WAIT), Wait::Superseded(b));
        assert_eq!(both.wait(b, TAKEOVER_WAIT), Wait::Go);
        assert_eq!(both.next_epoch(Nonce([7; 6])), Some(epoch(5, 7)));
        assert_eq!(roster(&[epoch(u32::MAX, 0)], &[]).next_epoch(Nonce([7; 6])), None);
    }

    #[test]
    fn records_that_are_not_genuine_count_for_nothing() {
        let stem = Stem::default();
        let forged = ObjectName::Takeover(epoch(9, 9)).to_text(&stem);
        let listing = [(forged.clone(), None)].into();
        assert_eq!(Roster::new(&listing, &stem, |name| name != forged), Roster::default());
    }

    #[test]
    fn what_is_over_can_be_removed() {
        let (old, mine) = (epoch(1, 0), epoch(2, 0));
        let obsolete = roster(&[old, mine], &[old]).obsolete(mine, &Stem::default());
        let names = [ObjectName::Takeover(old), ObjectName::Release(old)].map(|name| name.to_text(&Stem::default()));
        assert_eq!(obsolete, names);
    }
}
