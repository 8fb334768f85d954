//! What a listing means to one who stands at a position.

use std::collections::BTreeMap;

use super::position::{Committed, Position};
use crate::backup::digest::Sha256Digest;
use crate::backup::keys::{PublicKey, TrustedKeys};
use crate::backup::manifest::{EnvelopeError, Epoch, Generation, Manifest, ObjectName, Stem};

/// What the server lists: names and, where it tells them, lengths in bytes.
pub type Listing = BTreeMap<String, Option<u64>>;

/// A listing with the manifests that [`manifests_to_fetch`] asked for; `None` for one that was listed and could not be found.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// What the server lists.
    pub listing: Listing,
    /// Bytes by name.
    pub fetched: BTreeMap<String, Option<Vec<u8>>>,
}

/// The newest generation, with nothing wrong about it: signed by a trusted key, its parts listed with their sizes.
pub type Head = Committed;

/// What the log means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Survey {
    /// There is no generation, and we know of none.
    Empty,
    /// The newest generation is the one we know.
    Head(Head),
    /// The newest generation is the one we meant to commit when the answer was lost: it is committed.
    Landed(Head),
    /// The newest generation is sound, and not one we know.
    Foreign(Head, Relation),
    /// Several manifests claim the newest generation.
    Fork {
        /// Its number.
        generation: Generation,
        /// Two or more.
        sides: Vec<Side>,
    },
    /// The generation we know is gone, and what is there is older. A listing that lags looks the same.
    RolledBack {
        /// The newest one we know.
        expected: Head,
        /// The newest ones that are listed, if any.
        found: Vec<Side>,
    },
    /// The newest manifest or one of its parts is not as it should be.
    Damaged {
        /// As the name says.
        generation: Generation,
        /// The manifest.
        name: String,
        /// What is wrong.
        problem: Problem,
    },
}

/// How a sound generation that we do not know relates to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relation {
    /// This data directory knows of no generation: it was never backed up here.
    NothingKnownHere,
    /// Another data directory wrote it.
    OtherInstance,
    /// A later boot of this instance wrote it, on another host.
    LaterBoot(Epoch),
    /// This instance wrote it, in an earlier or the same boot: this data directory is older than its backup.
    SameInstance,
}

/// One manifest of a fork.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Name of the manifest.
    pub name: String,
    /// What it says, or why it cannot be used.
    pub head: Result<Box<Manifest>, Problem>,
}

/// What is wrong with a manifest or its parts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Listed, but not to be had.
    #[error("it is listed and cannot be fetched")]
    Missing,
    /// The bytes are not those the name was made for.
    #[error("its content does not fit its name: it was cut off or overwritten")]
    Overwritten,
    /// Not a manifest that can be read.
    #[error(transparent)]
    Unreadable(#[from] EnvelopeError),
    /// Signed by somebody who is not trusted.
    #[error(
        "it is signed by {0}, which is not trusted; if that is your own backup, add the key to `trusted` in [backup]"
    )]
    Untrusted(PublicKey),
    /// The name says another generation than the content.
    #[error("its name and its content say different generations")]
    Misnamed,
    /// A part is not listed.
    #[error("its archive {0} is gone")]
    PartMissing(String),
    /// A part has another length.
    #[error("its archive {name} has {listed} bytes instead of {expected}")]
    PartSize {
        /// Name of the part.
        name: String,
        /// As listed.
        listed: u64,
        /// As the manifest says.
        expected: u64,
    },
}

/// Manifests of a fork that are looked at; more are only counted.
const MOST_SIDES: usize = 4;

impl Survey {
    /// Whether the newest manifest is one that this host sent, and that is of no use because something stopped it: the next commit
    /// gives it up.
    pub fn is_torn_by(&self, position: &Position) -> bool {
        let intended = position.intended.as_ref().map(|intended| &intended.name);
        matches!(self, Self::Damaged { name, .. } if Some(name) == intended)
    }

    /// Whether a commit from `position` finds what it should.
    pub fn is_in_order(&self, position: &Position) -> bool {
        match self {
            Self::Head(_) | Self::Landed(_) => true,
            Self::Empty => position.committed.is_none(),
            other => other.is_torn_by(position),
        }
    }
}

/// The manifests that [`survey`] needs the bytes of: those of the newest generation.
pub fn manifests_to_fetch(listing: &Listing, position: &Position) -> Vec<String> {
    let mut newest = newest(listing, position).map(|(_, names)| names).unwrap_or_default();
    newest.truncate(MOST_SIDES);
    newest
}

/// What the log means to `position`, whose instance is `instance` and whose boot is `epoch`.
pub fn survey(log: &Log, position: &Position, trusted: &TrustedKeys, instance: &str, epoch: Epoch) -> Survey {
    let known = position.committed.as_ref();
    let newest = newest(&log.listing, position);
    let side = |name: &String| {
        let head = inspect(log, &position.stem, name, trusted).map(Box::new);
        Side { name: name.clone(), head }
    };
    let sides = |names: &[String]| names.iter().map(side).collect();
    if let Some(expected) =
        known.filter(|known| newest.as_ref().is_none_or(|(found, _)| *found < known.manifest.generation))
    {
        let found = newest.map(|(_, names)| sides(&names)).unwrap_or_default();
        return Survey::RolledBack { expected: expected.clone(), found };
    }
    let Some((generation, names)) = newest else { return Survey::Empty };
    let [name] = &names[..] else { return Survey::Fork { generation, sides: sides(&names) } };
    let manifest = match inspect(log, &position.stem, name, trusted) {
        Ok(manifest) => manifest,
        Err(problem) => return Survey::Damaged { generation, name: name.clone(), problem },
    };
    let is = |known: &Option<Committed>| known.as_ref().is_some_and(|known| known.name == *name);
    let head = Head { name: name.clone(), manifest };
    if is(&position.committed) {
        Survey::Head(head)
    } else if is(&position.intended) {
        Survey::Landed(head)
    } else {
        let relation = relation(&head.manifest, known.is_some(), instance, epoch);
        Survey::Foreign(head, relation)
    }
}

fn relation(manifest: &Manifest, anything_known: bool, instance: &str, epoch: Epoch) -> Relation {
    if !anything_known {
        Relation::NothingKnownHere
    } else if manifest.instance != instance {
        Relation::OtherInstance
    } else if manifest.epoch > epoch {
        Relation::LaterBoot(manifest.epoch)
    } else {
        Relation::SameInstance
    }
}

/// The highest generation with the names of its manifests; what was given up does not count.
pub(super) fn newest(listing: &Listing, position: &Position) -> Option<(Generation, Vec<String>)> {
    let mut found: Option<(Generation, Vec<String>)> = None;
    for (name, generation) in manifests(listing, &position.stem) {
        if position.abandoned.contains(name) {
            continue;
        }
        match &mut found {
            Some((newest, names)) if *newest == generation => names.push(name.clone()),
            Some((newest, _)) if *newest > generation => {}
            _ => found = Some((generation, vec![name.clone()])),
        }
    }
    found
}

/// The names of manifests in a listing, with their generations.
pub(super) fn manifests<'a>(listing: &'a Listing, stem: &Stem) -> impl Iterator<Item = (&'a String, Generation)> {
    listing.keys().filter_map(move |name| match ObjectName::parse(stem, name) {
        Some(ObjectName::Manifest { generation, .. }) => Some((name, generation)),
        _ => None,
    })
}

fn inspect(log: &Log, stem: &Stem, name: &str, trusted: &TrustedKeys) -> Result<Manifest, Problem> {
    let bytes = log.fetched.get(name).and_then(Option::as_ref).ok_or(Problem::Missing)?;
    read_complete(&log.listing, stem, name, bytes, trusted)
}

/// Reads the manifest that was fetched under `name`; its parts are listed, with their sizes where the listing has any.
///
/// # Errors
/// What is wrong with it or with a part.
pub fn read_complete(
    listing: &Listing,
    stem: &Stem,
    name: &str,
    bytes: &[u8],
    trusted: &TrustedKeys,
) -> Result<Manifest, Problem> {
    let manifest = read_manifest(stem, name, bytes, trusted)?;
    for (_, part) in manifest.parts() {
        match listing.get(&part.object) {
            None => return Err(Problem::PartMissing(part.object.clone())),
            Some(Some(listed)) if *listed != part.size => {
                let (name, listed, expected) = (part.object.clone(), *listed, part.size);
                return Err(Problem::PartSize { name, listed, expected });
            }
            Some(_) => {}
        }
    }
    Ok(manifest)
}

/// Reads the manifest that was fetched under `name`; nothing is said about its parts.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_manifest(stem: &Stem, name: &str, bytes: &[u8], trusted: &TrustedKeys) -> Result<Manifest, Problem> {
    let Some(ObjectName::Manifest { generation, sha256, .. }) = ObjectName::parse(stem, name) else {
        return Err(Problem::Misnamed);
    };
    if Sha256Digest::of(bytes) != sha256 {
        return Err(Problem::Overwritten);
    }
    let signed = Manifest::parse(stem, bytes)?;
    if !trusted.contains(&signed.signer) {
        return Err(Problem::Untrusted(signed.signer));
    }
    if signed.content.generation != generation {
        return Err(Problem::Misnamed);
    }
    Ok(signed.content)
}
