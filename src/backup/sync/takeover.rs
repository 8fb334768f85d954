//! Which boot owns the sessions; the rules are in [`crate::backup::log::Roster`].

use std::time::Duration;

use chrono::{SubsecRound, Utc};
use tokio::time::{Instant, sleep};

use super::engine::{Engine, nonce, writer};
use super::error::SyncError;
use super::lookout::Lookout;
use crate::backup::log::{Hold, TAKEOVER_WAIT, Wait};
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
        let roster = self.lookout.roster().await?;
        let epoch = roster.next_epoch(nonce()?).ok_or(SyncError::UsedUp)?;
        let mut position = self.position.clone();
        self.memory.others_came_between |= position.begin_boot(epoch, roster.newest(), Utc::now().trunc_subsecs(0));
        self.keep(position)?;
        let record = Takeover {
            instance: self.instance.clone().unwrap_or_default(),
            epoch,
            writer: writer(),
            time: Utc::now().trunc_subsecs(0),
        };
        let bytes = record.to_bytes(self.signer()?);
        let name = ObjectName::Takeover(epoch).to_text(&self.position.stem);
        // It may be stored however the request ends.
        self.memory.announced.push(epoch);
        self.epoch = epoch;
        self.look_out();
        self.store(&name, bytes).await?;
        Ok(epoch)
    }

    /// What this boot may do, whose record was stored `waited` ago.
    pub async fn look_for_holders(&mut self, waited: Duration) -> Result<Wait, SyncError> {
        Ok(self.lookout.roster().await?.wait(self.epoch, waited))
    }

    /// Asks whether this boot owns the sessions still, while the engine is busy with something else.
    pub fn lookout(&self) -> Lookout {
        self.lookout.clone()
    }

    /// Whether boots of other data directories came between the last one of this and the one that was announced: what they did
    /// may be missing in the ledger.
    pub fn others_came_between(&self) -> bool {
        self.memory.others_came_between
    }

    /// Says that this process no longer uses the sessions: after disconnecting and a last commit. Of boots that it did not announce
    /// it says nothing: they may be those of a process that lives.
    pub async fn release(&mut self) -> Result<(), SyncError> {
        self.must_own()?;
        while let Some(&epoch) = self.memory.announced.last() {
            let record = Release {
                instance: self.instance.clone().unwrap_or_default(),
                epoch,
                last: self.position.committed.as_ref().map(|committed| committed.manifest.generation),
                time: Utc::now().trunc_subsecs(0),
            };
            let bytes = record.to_bytes(self.signer()?);
            let name = ObjectName::Release(epoch).to_text(&self.position.stem);
            self.store(&name, bytes).await?;
            self.memory.announced.pop();
        }
        Ok(())
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

    /// Removes records of boots that ended; what stays this time goes the next.
    async fn forget_ended_boots(&mut self) {
        let Ok(listing) = self.list().await else { return };
        let Ok(roster) = self.lookout.roster_of(&listing).await else { return };
        for name in roster.obsolete(self.epoch, &self.position.stem) {
            if let Err(error) = self.remote.delete(&name).await {
                tracing::debug!(%error, "an old takeover record stays");
                return;
            }
        }
    }
}
