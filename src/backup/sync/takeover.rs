//! Which boot owns the sessions; the rules are in [`crate::backup::log::Roster`].

use std::time::Duration;

use chrono::{SubsecRound, Utc};
use tokio::time::{Instant, sleep};

use super::engine::{Engine, nonce, writer};
use super::error::SyncError;
use crate::backup::log::{Hold, Listing, Roster, TAKEOVER_WAIT, Wait};
use crate::backup::manifest::{Epoch, ObjectName, Release, Takeover};
use crate::backup::remote::Creation;

/// Between two looks while an owner is waited for; some services allow twenty requests a minute.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Engine {
    /// Takes over: writes a takeover record, then waits until every earlier boot let go, or for [`TAKEOVER_WAIT`]. Only with
    /// [`Hold::Holder`] may anything connect to Telegram. Dropping the future is safe; the record stays and a later call
    /// begins a new boot.
    ///
    /// # Errors
    /// A server that cannot be asked; transient errors after the record was stored are waited out.
    pub async fn take_over(&mut self) -> Result<Hold, SyncError> {
        self.announce().await?;
        let stored = Instant::now();
        loop {
            let waited = stored.elapsed();
            match self.look_for_holders(waited).await {
                Ok(Wait::Go) => {
                    self.forget_ended_boots().await;
                    return Ok(Hold::Holder);
                }
                Ok(Wait::Superseded(by)) => {
                    self.release().await?;
                    return Ok(Hold::Superseded(by));
                }
                Ok(Wait::Wait { left, .. }) => sleep(left.min(LOOK_EVERY)).await,
                Ok(Wait::NotListed) if waited < TAKEOVER_WAIT => sleep(LOOK_EVERY).await,
                Ok(Wait::NotListed) => {
                    return Err(SyncError::NotListed(ObjectName::Takeover(self.epoch).to_text(&self.position.stem)));
                }
                Err(SyncError::Remote(error)) if error.is_transient() => {
                    tracing::warn!(%error, "waiting to take over");
                    sleep(LOOK_EVERY).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Begins a boot: stores its takeover record, read back.
    pub async fn announce(&mut self) -> Result<Epoch, SyncError> {
        self.must_own()?;
        self.remote.ensure_directory().await?;
        self.memory.directory_made = true;
        let roster = self.roster().await?;
        let epoch = roster.next_epoch(nonce()?).ok_or(SyncError::UsedUp)?;
        let record = Takeover {
            instance: self.instance.clone().unwrap_or_default(),
            epoch,
            writer: writer(),
            time: Utc::now().trunc_subsecs(0),
        };
        let bytes = record.to_bytes(self.signer()?);
        let name = ObjectName::Takeover(epoch).to_text(&self.position.stem);
        self.store(&name, bytes).await?;
        self.memory.records.insert(name, true);
        self.epoch = epoch;
        Ok(epoch)
    }

    /// What this boot may do, whose record was stored `waited` ago.
    pub async fn look_for_holders(&mut self, waited: Duration) -> Result<Wait, SyncError> {
        Ok(self.roster().await?.wait(self.epoch, waited))
    }

    /// Whether this boot owns the sessions still: to be asked at least every [`crate::backup::log::HOLDER_LISTS_EVERY`] and before
    /// every run. [`Engine::head_check`] asks it as well.
    pub async fn hold(&mut self) -> Result<Hold, SyncError> {
        Ok(self.roster().await?.hold(self.epoch))
    }

    /// Says that this boot no longer uses the sessions: after disconnecting and a last commit.
    pub async fn release(&mut self) -> Result<(), SyncError> {
        self.must_own()?;
        let record = Release {
            instance: self.instance.clone().unwrap_or_default(),
            epoch: self.epoch,
            last: self.position.committed.as_ref().map(|committed| committed.manifest.generation),
            time: Utc::now().trunc_subsecs(0),
        };
        let bytes = record.to_bytes(self.signer()?);
        let name = ObjectName::Release(self.epoch).to_text(&self.position.stem);
        self.store(&name, bytes).await
    }

    /// Stores a small object of ours and reads it back: a 2xx proves nothing.
    pub(super) async fn store(&self, name: &str, bytes: Vec<u8>) -> Result<(), SyncError> {
        let length = bytes.len() as u64;
        self.remote.put(name, bytes.clone(), Creation::OnlyNew).await?;
        match self.remote.get(name, length).await {
            Ok(object) if object.bytes == bytes => Ok(()),
            Ok(_) => Err(SyncError::NotStored(name.to_owned())),
            Err(error) if error.is_missing() => Err(SyncError::NotStored(name.to_owned())),
            Err(error) => Err(error.into()),
        }
    }

    async fn roster(&mut self) -> Result<Roster, SyncError> {
        let listing = self.list().await?;
        self.roster_of(&listing).await
    }

    pub(super) async fn roster_of(&mut self, listing: &Listing) -> Result<Roster, SyncError> {
        self.memory.records.retain(|name, _| listing.contains_key(name));
        for name in listing.keys() {
            let Some(object) = ObjectName::parse(&self.position.stem, name) else { continue };
            let is_record = matches!(object, ObjectName::Takeover(_) | ObjectName::Release(_));
            if !is_record || self.memory.records.contains_key(name) {
                continue;
            }
            // One that is listed and cannot be had yet is looked at again.
            if let Some(bytes) = self.fetch(name).await? {
                let genuine = self.is_genuine(object, &bytes);
                self.memory.records.insert(name.clone(), genuine);
            }
        }
        let records = &self.memory.records;
        Ok(Roster::new(listing, &self.position.stem, |name| records.get(name).copied().unwrap_or(false)))
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
        let genuine = ours && self.keys.trusted.contains(&signer);
        if !genuine {
            tracing::debug!(%epoch, "a takeover record of somebody else is ignored");
        }
        genuine
    }

    /// Removes records of boots that ended; what stays this time goes the next.
    async fn forget_ended_boots(&mut self) {
        let Ok(listing) = self.list().await else { return };
        let Ok(roster) = self.roster_of(&listing).await else { return };
        for name in roster.obsolete(self.epoch, &self.position.stem) {
            if let Err(error) = self.remote.delete(&name).await {
                tracing::debug!(%error, "an old takeover record stays");
                return;
            }
        }
    }
}
