//! Retention: after a commit, and only what is certainly ours.

use chrono::{DateTime, Utc};

use super::engine::Engine;
use super::error::SyncError;
use crate::backup::log::retention::{self, Deletions};

impl Engine {
    /// Removes what retention no longer wants; says how much that was.
    pub(super) async fn tidy(&mut self, now: DateTime<Utc>) -> Result<usize, SyncError> {
        let Some(instance) = self.instance.clone() else { return Ok(0) };
        let listing = self.list().await?;
        self.memory.manifests.retain(|name, _| listing.contains_key(name));
        for name in retention::to_fetch(&listing, &self.position, &self.memory.manifests) {
            if let Some(bytes) = self.fetch(&name).await? {
                let manifest = retention::read(&self.position, &name, &bytes, &self.keys.trusted);
                self.memory.manifests.insert(name, manifest);
            }
        }
        let keep = self.settings.keep;
        let Deletions { names, orphans } =
            retention::plan(&listing, &self.position, &self.memory.manifests, &instance, keep, now);
        let mut position = self.position.clone();
        position.orphans = orphans;
        if position != self.position {
            self.keep(position)?;
        }
        let mut deleted = 0;
        for name in names {
            let is_manifest = self.is_manifest(&name);
            self.remote.delete(&name).await?;
            deleted += 1;
            if let Some(generations) = self.memory.generations.as_mut().filter(|_| is_manifest) {
                *generations = generations.saturating_sub(1);
            }
            if self.position.uploads.contains(&name) {
                let mut position = self.position.clone();
                position.uploads.retain(|upload| *upload != name);
                self.keep(position)?;
            }
        }
        Ok(deleted)
    }
}
