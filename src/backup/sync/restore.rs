//! The way back.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{SubsecRound, Utc};

use super::engine::{Engine, Transfer};
use super::error::{SyncError, blocking};
use super::inbox;
use super::scratch::Scratch;
use crate::backup::digest::Sha256Digest;
use crate::backup::log::{Head, Position, Restored, Survey};
use crate::backup::manifest::{Generation, Part, PartObject};
use crate::backup::place::{self, Limits, Only, Order, Report, Sealed};
use crate::backup::position;
use crate::backup::remote::Problem;

/// What to restore and where to.
#[derive(Debug, Clone)]
pub struct RestoreOrder {
    /// Which generation; the newest when it is sound.
    pub generation: Option<Generation>,
    /// An empty or new folder instead of the data directory.
    pub to: Option<PathBuf>,
    /// Which of it.
    pub only: Only,
}

/// What a restore brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Restoration {
    /// The generation.
    pub head: Head,
    /// What was put in place.
    pub report: Report,
}

/// Archives of a generation on this host.
pub(super) struct Downloaded {
    pub(super) core: (PathBuf, PartObject),
    pub(super) history: Option<(PathBuf, PartObject)>,
}

impl Engine {
    /// Brings a generation back: downloads, opens and verifies all of it, then puts it in place at once. Whatever fails, what
    /// was there stays. Into the data directory only as its owner and with nothing in it open; after it the ledger is
    /// another one, so [`Engine::become_instance`] follows.
    ///
    /// # Errors
    /// [`SyncError::Empty`], a transient [`SyncError::Remote`] and a wrong key ([`SyncError::Untrusted`],
    /// [`crate::backup::place::RestoreError::WrongKey`]) are three different answers. A newest generation that is forked, damaged or
    /// gone is never replaced by an older one unless that is asked for by its number.
    pub async fn restore(&mut self, order: &RestoreOrder) -> Result<Restoration, SyncError> {
        let restored = self.restore_chosen(order).await;
        self.note(Utc::now());
        restored
    }

    async fn restore_chosen(&mut self, order: &RestoreOrder) -> Result<Restoration, SyncError> {
        let newest = self.survey().await?;
        let chosen = self.choose(&newest, order.generation).await?;
        // Whoever restores an older generation has seen the newest one and goes on above it.
        let known = match newest {
            Survey::Head(head) | Survey::Landed(head) | Survey::Foreign(head, _) => head,
            _ => chosen.clone(),
        };
        self.put_in_place(chosen, known, order).await
    }

    /// The generation with this number, or the newest one.
    pub(super) async fn choose(&mut self, newest: &Survey, number: Option<Generation>) -> Result<Head, SyncError> {
        let Some(number) = number else {
            return match newest {
                Survey::Empty => Err(self.empty()),
                Survey::Head(head) | Survey::Landed(head) | Survey::Foreign(head, _) => Ok(head.clone()),
                other => Err(SyncError::refusal(other.clone())),
            };
        };
        let mut found = self.generations().await?;
        found.retain(|listed| listed.generation == number);
        match (found.pop(), found.is_empty()) {
            (None, _) => Err(Self::named(number)),
            (Some(listed), true) => {
                let manifest = listed.manifest.map_err(|problem| SyncError::damaged(listed.name.clone(), problem))?;
                Ok(Head { name: listed.name, manifest })
            }
            (Some(listed), false) => Err(SyncError::Damaged {
                name: listed.name,
                problem: format!("several manifests claim generation {number}; `tgsignd backup resolve` decides"),
            }),
        }
    }

    /// Restores `chosen`; the position becomes `known`.
    pub(super) async fn put_in_place(
        &mut self,
        chosen: Head,
        known: Head,
        order: &RestoreOrder,
    ) -> Result<Restoration, SyncError> {
        let identity = self.keys.identity.clone().ok_or(SyncError::NoIdentity)?;
        if order.to.is_none() {
            self.must_own()?;
        }
        let scratch = self.scratch()?;
        let archives = self.download(&chosen, &scratch).await?;
        let (datadir, workdir) = match &order.to {
            None => (self.places.datadir.clone(), self.places.workdir.clone()),
            Some(folder) => (folder.clone(), folder.join("workdir")),
        };
        let position = (order.to.is_none() && order.only.ledger).then(|| self.after_restore(&chosen, known));
        let (files, only, elsewhere) = (Arc::clone(&self.files), order.only, order.to.is_some());
        let bytes = position.as_ref().map(position::to_bytes);
        let report = blocking(move || {
            if elsewhere {
                make_empty(&datadir)?;
            }
            let order = Order {
                datadir: &datadir,
                workdir: &workdir,
                core: Sealed { file: &archives.core.0, part: &archives.core.1 },
                history: archives.history.as_ref().map(|(file, part)| Sealed { file, part }),
                identity: &identity,
                formats: &*files,
                only,
                limits: Limits::default(),
                position: bytes,
            };
            Ok(place::restore(&order)?)
        })
        .await?;
        drop(scratch);
        if let Some(position) = position {
            self.position = position;
            self.applied = inbox::applied(&self.places.datadir);
            // Its history is as old as the generation, and the ledger here was made of both.
            self.notebook.history_at = chosen.manifest.history.as_ref().map(|_| chosen.manifest.time);
        }
        Ok(Restoration { head: chosen, report })
    }

    fn after_restore(&self, chosen: &Head, known: Head) -> Position {
        let mut position = self.position.clone();
        position.committed = Some(known);
        position.intended = None;
        position.restored = Some(Restored {
            generation: chosen.manifest.generation,
            collected: chosen.manifest.time,
            restored: Utc::now().trunc_subsecs(0),
        });
        position
    }

    /// The archives of a generation, which are what its manifest says.
    pub(super) async fn download(&mut self, head: &Head, scratch: &Scratch) -> Result<Downloaded, SyncError> {
        let core = self.download_part(Part::Core, &head.manifest.core, scratch).await?;
        let history = match &head.manifest.history {
            Some(part) => Some(self.download_part(Part::History, part, scratch).await?),
            None => None,
        };
        Ok(Downloaded { core, history })
    }

    async fn download_part(
        &mut self,
        part: Part,
        object: &PartObject,
        scratch: &Scratch,
    ) -> Result<(PathBuf, PartObject), SyncError> {
        let file = scratch.path(&format!("{}.age", part.as_str()));
        let transfer = Transfer { action: "downloading", part: part.as_str(), total: object.size };
        let progress = (self.watcher)(transfer);
        let damaged = |problem: &str| SyncError::Damaged { name: object.object.clone(), problem: problem.to_owned() };
        match self.remote.download(&object.object, &file, object.size, &progress).await {
            Ok(read) if (read.length, Sha256Digest::from_bytes(read.sha256)) == (object.size, object.sha256) => {
                Ok((file, object.clone()))
            }
            Ok(read) if read.length != object.size => {
                Err(damaged(&format!("it was cut off: {} bytes instead of {}", read.length, object.size)))
            }
            Ok(_) => Err(damaged("its bytes are not those of its manifest: it was damaged, swapped or forged")),
            Err(error) if matches!(error.problem, Problem::TooLarge { .. }) => {
                Err(damaged("it is longer than its manifest says: it was swapped or forged"))
            }
            Err(error) if error.is_missing() => Err(damaged("it is gone from the server")),
            Err(error) => Err(error.into()),
        }
    }
}

fn make_empty(folder: &PathBuf) -> Result<(), SyncError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(SyncError::disk(folder))?;
    let mut entries = std::fs::read_dir(folder).map_err(SyncError::disk(folder))?;
    if entries.next().is_some() {
        let cause = io::Error::new(io::ErrorKind::AlreadyExists, "the folder is not empty; name a new one");
        return Err(SyncError::Disk { path: folder.clone(), cause });
    }
    Ok(())
}
