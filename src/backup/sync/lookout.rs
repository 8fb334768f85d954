//! Looking whether a later boot is there, without the engine: its uploads may take longer than a boot waits.

use std::collections::BTreeMap;

use super::error::SyncError;
use super::look::{listing, small};
use crate::backup::keys::TrustedKeys;
use crate::backup::log::{Hold, Listing, Roster};
use crate::backup::manifest::{Epoch, LARGEST_MANIFEST, ObjectName, Release, Stem, Takeover};
use crate::backup::remote::Remote;

/// Reads the takeover and release records of all boots.
#[derive(Clone)]
pub struct Lookout {
    remote: Remote,
    stem: Stem,
    trusted: TrustedKeys,
    /// Not known before a restore.
    instance: Option<String>,
    epoch: Epoch,
    /// Records that were read, and whether they count: none ever changes.
    known: BTreeMap<String, bool>,
}

impl std::fmt::Debug for Lookout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lookout").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Lookout {
    pub(super) fn new(
        remote: Remote,
        stem: Stem,
        trusted: TrustedKeys,
        instance: Option<String>,
        epoch: Epoch,
    ) -> Self {
        Self { remote, stem, trusted, instance, epoch, known: BTreeMap::new() }
    }

    /// Whether this boot owns the sessions still: to be asked at least every [`crate::backup::log::HOLDER_LISTS_EVERY`] and before
    /// every run. [`super::Engine::head_check`] asks it as well.
    pub async fn hold(&mut self) -> Result<Hold, SyncError> {
        let epoch = self.epoch;
        Ok(self.roster().await?.hold(epoch))
    }

    pub(super) async fn roster(&mut self) -> Result<Roster, SyncError> {
        let listing = listing(self.remote.list().await)?;
        self.roster_of(&listing).await
    }

    pub(super) async fn roster_of(&mut self, listing: &Listing) -> Result<Roster, SyncError> {
        self.known.retain(|name, _| listing.contains_key(name));
        for name in listing.keys() {
            let Some(object) = ObjectName::parse(&self.stem, name) else { continue };
            let is_record = matches!(object, ObjectName::Takeover(_) | ObjectName::Release(_));
            if !is_record || self.known.contains_key(name) {
                continue;
            }
            // One that is listed and cannot be had yet is looked at again.
            if let Some(bytes) = small(self.remote.get(name, LARGEST_MANIFEST as u64).await)? {
                let genuine = self.is_genuine(object, &bytes);
                self.known.insert(name.clone(), genuine);
            }
        }
        let known = &self.known;
        Ok(Roster::new(listing, &self.stem, |name| known.get(name).copied().unwrap_or(false)))
    }

    /// Whether a record is signed by somebody trusted, belongs to its name, and is about this instance. A boot that does not know
    /// its instance yet takes every trusted record for one of its own, and others take its record for one of theirs.
    fn is_genuine(&self, object: ObjectName, bytes: &[u8]) -> bool {
        let (epoch, instance, signer) = match object {
            ObjectName::Takeover(named) => match Takeover::parse(bytes) {
                Ok(record) if record.content.epoch == named => (named, record.content.instance, record.signer),
                _ => return false,
            },
            ObjectName::Release(named) => match Release::parse(bytes) {
                Ok(record) if record.content.epoch == named => (named, record.content.instance, record.signer),
                _ => return false,
            },
            _ => return false,
        };
        let ours = self.instance.as_ref().is_none_or(|ours| instance.is_empty() || instance == *ours);
        let genuine = ours && self.trusted.contains(&signer);
        if !genuine {
            tracing::debug!(%epoch, "a takeover record of somebody else is ignored");
        }
        genuine
    }
}
