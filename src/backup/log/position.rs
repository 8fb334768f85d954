//! What a data directory knows about the log.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::backup::manifest::{Generation, Manifest, Stem};

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
}

/// More are forgotten, the oldest first.
const MOST_ABANDONED: usize = 32;

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
        }
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
