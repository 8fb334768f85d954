//! What the newest generation is known to hold, so that "nothing changed" is decided without copying the ledger.
//!
//! Only this process's own observations count, because a [`LedgerVersion`] means nothing to another one: after a start the first
//! look compares digests of whole contents.

use chrono::{DateTime, Utc};

use super::digest::Sha256Digest;
use super::manifest::{Manifest, PartObject};
use crate::kernel::record::LedgerVersion;

/// What can be seen of a data directory at no cost worth mentioning, before anything is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    /// The ledger's version.
    pub ledger: LedgerVersion,
    /// Digest of [`without_ledger`](super::archive::Contents::without_ledger): the sessions and the workdir.
    pub others: Sha256Digest,
    /// Claims from then on would be part of the core.
    pub since: DateTime<Utc>,
}

/// Contents that were seen, and what the ledger's version was just before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen<T> {
    at: T,
    content: Sha256Digest,
}

/// What was seen to be in a generation's parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    core: Option<Seen<Glance>>,
    history: Option<Seen<LedgerVersion>>,
}

impl Held {
    /// The data directory, as it was at `glance` or later, was found to have these contents: those of `manifest`'s parts, sealed
    /// just now or compared with it. `with_history` when the whole ledger was among them.
    pub fn saw(&mut self, glance: Glance, with_history: bool, manifest: &Manifest) {
        self.core = Some(Seen { at: glance, content: manifest.core.content });
        if let (true, Some(history)) = (with_history, &manifest.history) {
            self.history = Some(Seen { at: glance.ledger, content: history.content });
        }
    }

    /// Whether `manifest` holds for the readers `recipients` what there was at `glance`. `false` when that is not known.
    ///
    /// A later [`Glance::since`] asks for less than there is, which is no reason to send anything.
    pub fn covers(&self, glance: Glance, with_history: bool, manifest: &Manifest, recipients: Sha256Digest) -> bool {
        let same = |content, part: &PartObject| part.content == content && part.recipients == recipients;
        let core = self.core.is_some_and(|seen| {
            (seen.at.ledger, seen.at.others) == (glance.ledger, glance.others)
                && seen.at.since <= glance.since
                && same(seen.content, &manifest.core)
        });
        let history = || match (&self.history, &manifest.history) {
            (Some(seen), Some(part)) => seen.at == glance.ledger && same(seen.content, part),
            _ => false,
        };
        core && (!with_history || history())
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::backup::manifest::{Epoch, Generation, Nonce};

    fn digest(text: &str) -> Sha256Digest {
        Sha256Digest::of(text.as_bytes())
    }

    fn glance(written: u64, others: &str, hours: i64) -> Glance {
        let since = DateTime::UNIX_EPOCH + TimeDelta::hours(hours);
        Glance { ledger: LedgerVersion { opening: 1, written, foreign: 1 }, others: digest(others), since }
    }

    fn manifest(core: &str, history: Option<&str>) -> Manifest {
        let part = |text: &str| PartObject {
            object: text.to_owned(),
            size: 1,
            sha256: digest(text),
            content: digest(text),
            recipients: digest("readers"),
        };
        Manifest {
            generation: Generation::FIRST,
            instance: "instance".to_owned(),
            epoch: Epoch { number: 1, nonce: Nonce([0; 6]) },
            previous: vec![],
            core: part(core),
            history: history.map(part),
            writer: "a test".to_owned(),
            time: DateTime::UNIX_EPOCH,
        }
    }

    fn held(with_history: bool) -> Held {
        let mut held = Held::default();
        held.saw(glance(5, "others", 1), with_history, &manifest("core", Some("history")));
        held
    }

    #[test]
    fn what_was_seen_and_did_not_change_is_held() {
        let (readers, head) = (digest("readers"), manifest("core", Some("history")));
        assert!(!Held::default().covers(glance(5, "others", 1), false, &head, readers), "nothing was seen yet");
        let covers = |glance| held(true).covers(glance, true, &head, readers);
        assert!(covers(glance(5, "others", 1)) && covers(glance(5, "others", 2)));
        assert!(!covers(glance(6, "others", 1)), "the ledger changed");
        assert!(!covers(glance(5, "another session", 1)));
        assert!(!covers(glance(5, "others", 0)), "older claims are wanted now");
    }

    #[test]
    fn another_head_or_other_readers_are_not_what_was_seen() {
        let (at, readers) = (glance(5, "others", 1), digest("readers"));
        let covers = |head: &Manifest, readers| held(true).covers(at, true, head, readers);
        assert!(covers(&manifest("core", Some("history")), readers));
        for head in [manifest("other", Some("history")), manifest("core", Some("other")), manifest("core", None)] {
            assert!(!covers(&head, readers), "{head:?}");
        }
        assert!(!covers(&manifest("core", Some("history")), digest("another reader")));
    }

    #[test]
    fn a_history_counts_only_as_far_as_it_was_seen() {
        let (readers, head) = (digest("readers"), manifest("core", Some("history")));
        assert!(held(false).covers(glance(5, "others", 1), false, &head, readers));
        assert!(!held(false).covers(glance(5, "others", 1), true, &head, readers), "it was lent");
        // A later core with the same history: the ledger has changed since that was made.
        let mut known = held(true);
        let next = manifest("next", Some("history"));
        known.saw(glance(6, "others", 1), false, &next);
        assert!(known.covers(glance(6, "others", 1), false, &next, readers));
        assert!(!known.covers(glance(6, "others", 1), true, &next, readers));
    }
}
