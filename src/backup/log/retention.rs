//! What is deleted, in which order.
//!
//! Only what this instance wrote: manifests that are signed, trusted and of this instance, the parts that no manifest refers to
//! any more, and orphans that have been known for a day. A manifest goes before its parts, so that no moment shows a manifest
//! whose parts are gone. What stays, besides the newest and the newest verified generation, [`Keep`] says.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, TimeDelta, Utc};

use super::position::Position;
use super::survey::{Listing, manifests, read_manifest};
use crate::backup::keys::TrustedKeys;
use crate::backup::manifest::{Generation, Manifest, ObjectName, Owner};
use crate::config::Keep;

/// How long an object that no manifest refers to is left alone: somebody may be about to commit it.
pub const ORPHANS_REST: TimeDelta = TimeDelta::hours(24);

/// Objects deleted in one turn, so that a small server is not hammered.
const MOST_DELETED: usize = 60;

/// Manifests by name, as far as they were fetched; `None` for one that cannot be read or is not trusted. Objects never change, so
/// what was read once need not be fetched again.
pub type Known = BTreeMap<String, Option<Manifest>>;

/// Manifests that are listed and not known yet.
pub fn to_fetch(listing: &Listing, position: &Position, known: &Known) -> Vec<String> {
    let unknown = |name: &&String| !known.contains_key(*name);
    manifests(listing, &position.stem).map(|(name, _)| name).filter(unknown).cloned().collect()
}

/// What `bytes`, fetched as `name`, count for.
pub fn read(position: &Position, name: &str, bytes: &[u8], trusted: &TrustedKeys) -> Option<Manifest> {
    read_manifest(&position.stem, name, bytes, trusted).ok()
}

/// What to delete, and what is known of orphans.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deletions {
    /// In this order; when one fails, nothing after it may be deleted.
    pub names: Vec<String>,
    /// For [`Position::orphans`].
    pub orphans: BTreeMap<String, DateTime<Utc>>,
}

/// What may go from a server that lists `listing`, for `instance`, whose position agrees with the head of the log.
///
/// Nothing goes as long as a listed manifest is not known, because it may refer to any part.
pub fn plan(
    listing: &Listing,
    position: &Position,
    known: &Known,
    instance: &str,
    keep: Keep,
    now: DateTime<Utc>,
) -> Deletions {
    let Some(head) = position.committed.as_ref().filter(|head| listing.contains_key(&head.name)) else {
        return Deletions { names: vec![], orphans: position.orphans.clone() };
    };
    if !to_fetch(listing, position, known).is_empty() || position.intended.is_some() {
        return Deletions { names: vec![], orphans: position.orphans.clone() };
    }
    let given_up: BTreeSet<&String> = position.abandoned.iter().filter(|name| listing.contains_key(*name)).collect();
    let listed = |name: &String| listing.contains_key(name) && !given_up.contains(name);
    let ours: BTreeMap<&String, &Manifest> = known
        .iter()
        .filter(|(name, _)| listed(name))
        .filter_map(|(name, manifest)| Some((name, manifest.as_ref()?)))
        .collect();
    let candidates = ours.iter().filter(|(_, manifest)| manifest.instance == instance);
    let kept = kept(candidates.clone().map(|(_, manifest)| *manifest), keep, position.verified);
    let expired: BTreeSet<&String> = candidates
        .filter(|(name, manifest)| {
            manifest.generation < head.manifest.generation
                && !kept.contains(&manifest.generation)
                && **name != &head.name
        })
        .map(|(name, _)| *name)
        .collect();

    let needed: BTreeSet<&str> = ours
        .iter()
        .filter(|(name, _)| !expired.contains(*name))
        .flat_map(|(_, manifest)| manifest.parts().map(|(_, part)| part.object.as_str()))
        .collect();
    // A part goes with the last manifest that refers to it.
    let mut last_user: BTreeMap<&String, &String> = BTreeMap::new();
    for name in &expired {
        last_user.extend(ours[*name].parts().map(|(_, part)| (&part.object, *name)));
    }
    let free = |part: &String| {
        !needed.contains(part.as_str()) && listing.contains_key(part) && is_ours(part, position, instance)
    };
    let mut names: Vec<String> = given_up.into_iter().cloned().collect();
    for name in expired {
        names.push(name.clone());
        let parts = ours[name].parts().map(|(_, part)| &part.object);
        names.extend(parts.filter(|part| last_user.get(*part) == Some(&name) && free(part)).cloned());
    }

    let orphan =
        |name: &&String| is_ours(name, position, instance) && !needed.contains(name.as_str()) && !names.contains(*name);
    let orphans: BTreeMap<String, DateTime<Utc>> = listing
        .keys()
        .filter(orphan)
        .map(|name| (name.clone(), position.orphans.get(name).copied().unwrap_or(now)))
        .collect();
    let rested = |(name, since): (&String, &DateTime<Utc>)| {
        (position.uploads.contains(name) || now - *since >= ORPHANS_REST).then(|| name.clone())
    };
    names.extend(orphans.iter().filter_map(rested));
    names.truncate(MOST_DELETED);
    let orphans = orphans.into_iter().filter(|(name, _)| !names.contains(name)).collect();
    Deletions { names, orphans }
}

/// Whether `name` is a part that `instance` made.
fn is_ours(name: &str, position: &Position, instance: &str) -> bool {
    matches!(ObjectName::parse(&position.stem, name), Some(ObjectName::Part { owner, .. }) if owner == Owner::of(instance))
}

fn kept<'a>(
    manifests: impl Iterator<Item = &'a Manifest>,
    keep: Keep,
    verified: Option<Generation>,
) -> BTreeSet<Generation> {
    let mut newest_first: Vec<&Manifest> = manifests.collect();
    newest_first.sort_by_key(|manifest| std::cmp::Reverse(manifest.generation));
    let mut kept: BTreeSet<Generation> =
        newest_first.iter().take(keep.last.max(1)).map(|manifest| manifest.generation).collect();
    // The newest that was verified, or the next older one that is still there.
    kept.extend(
        newest_first.iter().map(|manifest| manifest.generation).find(|generation| Some(*generation) <= verified),
    );
    let day = |manifest: &Manifest| (manifest.time.year(), manifest.time.ordinal());
    let week = |manifest: &Manifest| (manifest.time.iso_week().year(), manifest.time.iso_week().week());
    kept.extend(newest_of_each(&newest_first, keep.daily, day));
    kept.extend(newest_of_each(&newest_first, keep.weekly, week));
    kept
}

fn newest_of_each(
    newest_first: &[&Manifest],
    count: usize,
    period: impl Fn(&Manifest) -> (i32, u32),
) -> Vec<Generation> {
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    for manifest in newest_first {
        if seen.len() < count && seen.insert(period(manifest)) {
            kept.push(manifest.generation);
        }
    }
    kept
}
