//! What a data directory knows about the log.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::backup::manifest::{Epoch, Generation, Manifest, Stem};

/// A generation with the name of its manifest, which holds the digest of the manifest's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// Name of the manifest.
    pub name: String,
    /// What it says.
    pub manifest: Manifest,
}

/// Where a restore brought this data directory from: slots between the snapshot and now are uncertain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The generation.
    pub generation: Generation,
    /// When its contents had been collected.
    pub collected: DateTime<Utc>,
    /// When they were put in place here.
    pub restored: DateTime<Utc>,
}

/// What a data directory knows about the log; kept in `state/backup.json` and never part of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The server's address and path without user and password: the position means nothing elsewhere.
    pub remote: String,
    /// What our names begin with.
    pub stem: Stem,
    /// The newest generation of ours, or the one that was restored or adopted.
    pub committed: Option<Committed>,
    /// Written down before its manifest was sent: found on the server, it is committed.
    pub intended: Option<Committed>,
    /// Manifests that were sent, not found on the server, and given up. Should one turn up after all, it counts for nothing and
    /// is deleted.
    pub abandoned: Vec<String>,
    /// Objects that an unfinished commit may have left: certainly ours, and nobody refers to them.
    pub uploads: Vec<String>,
    /// Objects of this instance that no manifest refers to, and since when that is known.
    pub orphans: BTreeMap<String, DateTime<Utc>>,
    /// The newest generation that was read back and opened.
    pub verified: Option<Generation>,
    /// Set by a restore.
    pub restored: Option<Restored>,
    /// The last boots of this data directory, the newest last; written down before they are announced.
    #[serde(default)]
    pub boots: Vec<Epoch>,
    /// When it was last seen that boots of other data directories came between: what they did may be missing in this ledger.
    #[serde(default)]
    pub overtaken: Option<DateTime<Utc>>,
}

/// More are forgotten, the oldest first.
const MOST_ABANDONED: usize = 32;

/// Announcements that were tried one after the other; more are forgotten, the oldest first.
const MOST_BOOTS: usize = 8;

impl Position {
    /// That of a data directory which never committed or restored anything there.
    pub fn new(remote: String, stem: Stem) -> Self {
        Self {
            remote,
            stem,
            committed: None,
            intended: None,
            abandoned: Vec::new(),
            uploads: Vec::new(),
            orphans: BTreeMap::new(),
            verified: None,
            restored: None,
            boots: Vec::new(),
            overtaken: None,
        }
    }

    /// Remembers a boot that is about to be announced after `newest`, the newest that anybody announced; says whether boots of
    /// other data directories came between.
    pub fn begin_boot(&mut self, boot: Epoch, newest: Option<Epoch>, now: DateTime<Utc>) -> bool {
        let is_next = newest.map_or(self.boots.is_empty(), |newest| self.boots.contains(&newest));
        if !is_next {
            self.overtaken = Some(now);
        }
        if self.boots.len() == MOST_BOOTS {
            self.boots.remove(0);
        }
        self.boots.push(boot);
        !is_next
    }

    /// Remembers that a manifest of ours is not to count.
    pub(super) fn abandon(&mut self, name: String) {
        if self.abandoned.len() == MOST_ABANDONED {
            self.abandoned.remove(0);
        }
        self.abandoned.push(name);
    }

    /// The generation that was intended is the newest one.
    pub(super) fn land(&mut self) {
        if let Some(intended) = self.intended.take() {
            let kept: Vec<&str> = intended.manifest.parts().map(|(_, part)| part.object.as_str()).collect();
            self.uploads.retain(|name| !kept.contains(&name.as_str()));
            self.committed = Some(intended);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::manifest::Nonce;

    #[test]
    fn boots_of_others_are_noticed() {
        let now = DateTime::UNIX_EPOCH;
        let boot = |number| Epoch { number, nonce: Nonce([1; 6]) };
        let other = |number| Epoch { number, nonce: Nonce([2; 6]) };
        let mut position = Position::new("https://h/".to_owned(), Stem::default());
        assert!(!position.begin_boot(boot(1), None, now), "the first of all");
        assert!(!position.begin_boot(boot(2), Some(boot(1)), now));
        assert!(!position.begin_boot(boot(3), Some(boot(1)), now), "the second was never stored");
        assert_eq!(position.overtaken, None);
        assert!(position.begin_boot(boot(5), Some(other(4)), now));
        assert_eq!(position.overtaken, Some(now));
        assert!(position.begin_boot(boot(6), None, now), "somebody removed the records");
        for number in 7..40 {
            assert!(!position.begin_boot(boot(number), Some(boot(number - 1)), now));
        }
        assert_eq!(position.boots.len(), MOST_BOOTS);
    }
}
