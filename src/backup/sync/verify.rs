//! Trying out whether what is there could be restored.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Utc;

use super::engine::Engine;
use super::error::{Remedy, SyncError, blocking};
use super::scratch::Scratch;
use crate::backup::log::{Head, Problem};
use crate::backup::manifest::Generation;
use crate::backup::place::{Limits, RestoreError, Sealed, Staging};

/// How far a generation was verified; each level includes the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The manifest is signed and trusted, and its archives are listed with their sizes.
    Listed,
    /// The archives were read, and their bytes are those that were signed. Needs no identity.
    Ciphertext,
    /// The archives were opened, and everything in them is usable: a restore into a scratch folder. Needs the identity.
    Decrypted,
}

impl Level {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Ciphertext => "ciphertext",
            Self::Decrypted => "decrypted",
        }
    }
}

/// What came of one generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Name of the manifest.
    pub name: String,
    /// Its number.
    pub generation: Generation,
    /// How far it was verified, or what is wrong.
    pub result: Result<Level, String>,
}

impl Engine {
    /// Verifies every generation, the newest first. With [`Level::Ciphertext`] the newest one is read; with
    /// [`Level::Decrypted`] all are read and the newest one is opened. What is wrong with a generation is in its result.
    ///
    /// # Errors
    /// [`SyncError::Empty`] when there is none, and everything that says nothing about the backup, such as a server that cannot be
    /// reached, a full disk here, or a missing or wrong key.
    pub async fn verify(&mut self, level: Level) -> Result<Vec<Verification>, SyncError> {
        let verified = self.verify_all(level).await;
        self.note(Utc::now());
        verified
    }

    /// Restores the newest generation into a scratch folder and removes it again.
    pub async fn drill(&mut self) -> Result<Generation, SyncError> {
        let drilled = self.drill_newest().await;
        if drilled.as_ref().is_err_and(|error| error.remedy() != Remedy::Wait) {
            self.notebook.drill_failed_at = Some(Utc::now());
        }
        self.note(Utc::now());
        drilled
    }

    async fn drill_newest(&mut self) -> Result<Generation, SyncError> {
        let newest = self.survey().await?;
        let head = self.choose(&newest, None).await?;
        self.verify_one(&head, Level::Decrypted).await?;
        Ok(head.manifest.generation)
    }

    async fn verify_all(&mut self, level: Level) -> Result<Vec<Verification>, SyncError> {
        if level == Level::Decrypted && self.keys.identity.is_none() {
            return Err(SyncError::NoIdentity);
        }
        let listed = self.generations().await?;
        let newest = listed.first().map(|first| first.generation);
        if newest.is_none() {
            return Err(self.empty());
        }
        let mut read: BTreeMap<String, Result<Level, String>> = BTreeMap::new();
        let mut all = Vec::new();
        for generation in listed {
            let is_newest = Some(generation.generation) == newest;
            let level = match (is_newest, level) {
                (true, level) => level,
                (false, Level::Decrypted) => Level::Ciphertext,
                (false, _) => Level::Listed,
            };
            let result = match generation.manifest {
                Ok(manifest) => {
                    let parts: String = manifest.parts().map(|(_, part)| part.object.as_str()).collect();
                    if let Some(known) = read.get(&parts) {
                        known.clone()
                    } else {
                        let head = Head { name: generation.name.clone(), manifest };
                        let result = self.judge(&head, level).await?;
                        read.insert(parts, result.clone());
                        result
                    }
                }
                Err(Problem::Untrusted(key)) if is_newest => {
                    return Err(SyncError::Untrusted { name: generation.name, key });
                }
                Err(problem) => Err(problem.to_string()),
            };
            all.push(Verification { name: generation.name, generation: generation.generation, result });
        }
        Ok(all)
    }

    /// Tells what is wrong with a generation from what says nothing about it.
    async fn judge(&mut self, head: &Head, level: Level) -> Result<Result<Level, String>, SyncError> {
        match self.verify_one(head, level).await {
            Ok(()) => Ok(Ok(level)),
            Err(error @ SyncError::Restore(RestoreError::WrongKey | RestoreError::Disk { .. })) => Err(error),
            Err(error @ (SyncError::Damaged { .. } | SyncError::Restore(_))) => Ok(Err(error.to_string())),
            Err(error) => Err(error),
        }
    }

    async fn verify_one(&mut self, head: &Head, level: Level) -> Result<(), SyncError> {
        if level == Level::Listed {
            return Ok(());
        }
        let scratch = self.scratch()?;
        let archives = self.download(head, &scratch).await?;
        if level == Level::Ciphertext {
            return Ok(());
        }
        let identity = self.keys.identity.clone().ok_or(SyncError::NoIdentity)?;
        let files = Arc::clone(&self.files);
        let scratch: Scratch = blocking(move || {
            let folder = scratch.path("drill");
            let core = Sealed { file: &archives.core.0, part: &archives.core.1 };
            let history = archives.history.as_ref().map(|(file, part)| Sealed { file, part });
            Staging::fill(&folder, core, history, &identity, &*files, Limits::default())?;
            Ok(scratch)
        })
        .await?;
        drop(scratch);
        self.notebook.drilled_at = Some(Utc::now());
        let mut position = self.position.clone();
        position.verified = position.verified.max(Some(head.manifest.generation));
        if position != self.position {
            self.keep(position)?;
        }
        Ok(())
    }
}
