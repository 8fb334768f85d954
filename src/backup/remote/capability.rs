//! What a server proved to do, and the level that follows.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a server helps against two writers at one time. The backup is whole on every level but the last: nothing is
/// ever overwritten, and a foreign change is always detected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Listing, storing or deleting cannot be relied on.
    Unusable,
    /// Conditions are ignored.
    DetectOnly,
    /// A name that is taken stays, with `MOVE` and `Overwrite: F`.
    CreateOnly,
    /// Conditions hold, but entity tags change only from second to second.
    GuardedCoarse,
    /// Conditions hold.
    Guarded,
}

impl Level {
    /// As it is written in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unusable => "unusable",
            Self::DetectOnly => "detect-only",
            Self::CreateOnly => "create-only",
            Self::GuardedCoarse => "guarded-coarse",
            Self::Guarded => "guarded",
        }
    }

    /// What it means for the owner.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Unusable => {
                "this server cannot keep a backup: something that every backup needs does not work; with nginx, enable \
                 the dav-ext module, else use another server"
            }
            Self::DetectOnly => {
                "this server ignores conditions: another writer at the same moment is detected and reported, but not \
                 prevented; give this backup a directory of its own"
            }
            Self::CreateOnly => {
                "this server ignores conditions when storing, but does not move onto a name that is taken: another \
                 writer is detected and reported"
            }
            Self::GuardedCoarse => {
                "this server refuses a second writer, but its entity tags change only once a second: digests decide"
            }
            Self::Guarded => "this server refuses a second writer, and another writer is detected as well",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a probe tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Primitive {
    /// A directory can be made.
    MakeDirectory,
    /// What is stored comes back, byte by byte.
    ReadBack,
    /// `HEAD` tells the length.
    Length,
    /// It is listed, with its length.
    List,
    /// It is gone after it was deleted.
    Delete,
    /// An entity tag that stays the same while nothing changes.
    Tag,
    /// It differs between two contents of one size, stored one after the other.
    FineTag,
    /// An entity tag in the listing.
    ListedTag,
    /// A conditional `GET` saves the transfer of what did not change.
    Unchanged,
    /// A wrong `If-Match` keeps a `PUT` from overwriting.
    IfMatch,
    /// `If-None-Match: *` keeps a `PUT` from overwriting.
    IfNoneMatch,
    /// `Overwrite: F` keeps a `MOVE` from overwriting.
    MoveKeeps,
}

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was tried.
    pub primitive: Primitive,
    /// Whether it worked, judged by what was read back.
    pub works: bool,
    /// What the server did, in a few words.
    pub detail: String,
}

/// What a server proved to do. The default is nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact about a server")]
pub struct Capabilities {
    /// Everything a backup needs: storing, reading back, listing, deleting.
    pub essentials: bool,
    /// [`Primitive::Tag`]
    pub tag: bool,
    /// [`Primitive::FineTag`]
    pub fine_tag: bool,
    /// [`Primitive::IfMatch`]
    pub if_match: bool,
    /// [`Primitive::IfNoneMatch`]
    pub if_none_match: bool,
    /// [`Primitive::MoveKeeps`]
    pub move_keeps: bool,
}

impl Capabilities {
    /// What the findings prove. What was not tried does not work.
    pub fn of(findings: &[Finding]) -> Self {
        let works = |wanted| findings.iter().any(|finding| finding.primitive == wanted && finding.works);
        Self {
            essentials: works(Primitive::ReadBack) && works(Primitive::List) && works(Primitive::Delete),
            tag: works(Primitive::Tag),
            // A tag that is drawn anew each time differs as well.
            fine_tag: works(Primitive::Tag) && works(Primitive::FineTag),
            if_match: works(Primitive::IfMatch),
            if_none_match: works(Primitive::IfNoneMatch),
            move_keeps: works(Primitive::MoveKeeps),
        }
    }

    /// The level that follows.
    pub fn level(self) -> Level {
        if !self.essentials {
            Level::Unusable
        } else if self.if_match && self.if_none_match {
            if self.fine_tag { Level::Guarded } else { Level::GuardedCoarse }
        } else if self.move_keeps {
            Level::CreateOnly
        } else {
            Level::DetectOnly
        }
    }
}
