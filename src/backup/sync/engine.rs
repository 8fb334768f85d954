//! What all operations share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::error::SyncError;
use super::inbox;
use super::lookout::Lookout;
use super::notebook::Notebook;
use super::scratch::{self, Scratch};
use super::setup::{Keys, Secrets, destination};
use crate::backup::applied::Applied;
use crate::backup::formats::Formats;
use crate::backup::held::Held;
use crate::backup::keys::SigningKey;
use crate::backup::log::{Position, retention};
use crate::backup::manifest::{Epoch, Generation, Nonce, Stem};
use crate::backup::position::{self, PositionError};
use crate::backup::remote::{Answers, Object, ProbeReport, Progress, Remote, TrafficCounts};
use crate::config::Backup;
use crate::config::secret::Secret;
use crate::kernel::record::Instance;

/// What the backup is told about files that other modules own: their formats, and how a ledger in use is copied. All block.
pub trait Files: Formats {
    /// Writes a consistent copy of the ledger `source`, which may be in use, to `target`, which must not exist.
    fn copy_ledger(&self, source: &Path, target: &Path) -> Result<(), String>;

    /// The same with what is open or not older than `since`, and what says where every task stands.
    fn copy_recent(&self, source: &Path, target: &Path, since: DateTime<Utc>) -> Result<(), String>;
}

/// Whether the data directory is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// This process holds its lock.
    Owner,
    /// Somebody else may hold it: nothing is written, neither here nor on the server.
    Reader,
}

/// Folders of this host.
#[derive(Debug, Clone)]
pub struct Places {
    /// The data directory.
    pub datadir: PathBuf,
    /// The workdir.
    pub workdir: PathBuf,
}

/// An archive on its way, for a progress bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// "uploading", "reading back", "downloading".
    pub action: &'static str,
    /// Which part.
    pub part: &'static str,
    /// In bytes.
    pub total: u64,
}

/// Told when a transfer begins; what it answers is told how far it is.
pub type Watcher = Arc<dyn Fn(Transfer) -> Progress + Send + Sync>;

/// One data directory and one directory on a server. All operations need it alone, so there is one operation at a time.
pub struct Engine {
    pub(super) remote: Remote,
    pub(super) keys: Keys,
    pub(super) files: Arc<dyn Files>,
    pub(super) places: Places,
    pub(super) access: Access,
    pub(super) settings: Backup,
    key: Option<Secret<String>>,
    pub(super) instance: Option<String>,
    pub(super) epoch: Epoch,
    pub(super) position: Position,
    pub(super) notebook: Notebook,
    pub(super) applied: Applied,
    pub(super) memory: Memory,
    pub(super) lookout: Lookout,
    counted: TrafficCounts,
    pub(super) watcher: Watcher,
}

/// What was read once and never changes, so that it is not fetched again.
#[derive(Default)]
pub(super) struct Memory {
    /// The head's manifest as it came, with its name.
    pub(super) head: Option<(String, Object)>,
    /// Head checks that believed the server's "unchanged" since the last one that did not.
    pub(super) believed: u32,
    /// All manifests.
    pub(super) manifests: retention::Known,
    /// See [`Engine::others_came_between`].
    pub(super) others_came_between: bool,
    /// Boots of this process that may be on the server and have not let go.
    pub(super) announced: Vec<Epoch>,
    /// The directory is there.
    pub(super) directory_made: bool,
    /// What the newest generation is known to hold.
    pub(super) held: Held,
    /// Generations of the last listing.
    pub(super) generations: Option<u64>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("place", &self.place()).field("position", &self.position).finish_non_exhaustive()
    }
}

impl Engine {
    /// Ready to work; nothing was asked of the server yet. `instance` is that of the data directory, or `None` where nothing
    /// was restored and no daemon has run yet.
    ///
    /// # Errors
    /// Settings or keys that cannot be used, or a position that is damaged or belongs to another server.
    pub fn open(
        settings: &Backup,
        secrets: Secrets,
        places: Places,
        access: Access,
        instance: Option<&Instance>,
        files: Arc<dyn Files>,
    ) -> Result<Self, SyncError> {
        let remote = Remote::new(destination(settings, &secrets)?)?;
        Self::on(remote, settings, secrets.key, places, access, instance, files)
    }

    /// The same on a directory that was chosen otherwise than by `[backup] url` and `remote_path`; `key` is
    /// [`Secrets::key`].
    ///
    /// # Errors
    /// Those of [`Engine::open`].
    pub fn on(
        remote: Remote,
        settings: &Backup,
        key: Option<Secret<String>>,
        places: Places,
        access: Access,
        instance: Option<&Instance>,
        files: Arc<dyn Files>,
    ) -> Result<Self, SyncError> {
        let keys = Keys::new(settings, key.as_ref(), instance)?;
        let place = remote.destination().directory().to_owned();
        let stem = match remote.destination().stem() {
            "" => Stem::default(),
            name => Stem::from_file_name(name),
        };
        let known = match position::load(&places.datadir, &place) {
            // Who only looks may look anywhere.
            Err(PositionError::OtherRemote { .. }) if access == Access::Reader => None,
            known => known?,
        };
        let position = known.unwrap_or_else(|| Position::new(place.clone(), stem));
        let notebook = Notebook::load(&places.datadir);
        let applied = inbox::applied(&places.datadir);
        if let Some((at, capabilities)) = &notebook.probed
            && *at == place
        {
            remote.apply(capabilities);
        }
        if access == Access::Owner {
            let _ = scratch::sweep(&places.datadir);
        }
        // A command acts within the last boot; the daemon announces one of its own.
        let epoch = match &position.committed {
            Some(committed) => committed.manifest.epoch,
            None => Epoch { number: 1, nonce: nonce()? },
        };
        let instance = instance.map(|instance| instance.id.clone());
        let (stem, trusted) = (position.stem.clone(), keys.trusted.clone());
        Ok(Self {
            counted: remote.traffic(),
            lookout: Lookout::new(remote.clone(), stem, trusted, instance.clone(), epoch),
            remote,
            keys,
            files,
            places,
            access,
            settings: settings.clone(),
            key,
            instance,
            epoch,
            position,
            notebook,
            applied,
            memory: Memory::default(),
            watcher: Arc::new(|_| Progress::silent()),
        })
    }

    /// Shows transfers.
    pub fn watch(&mut self, watcher: Watcher) {
        self.watcher = watcher;
    }

    /// The data directory has become this instance: it was created or restored since the engine was opened.
    ///
    /// # Errors
    /// Only those of [`Engine::open`] about keys.
    pub fn become_instance(&mut self, instance: &Instance) -> Result<(), SyncError> {
        self.keys = Keys::new(&self.settings, self.key.as_ref(), Some(instance))?;
        self.instance = Some(instance.id.clone());
        self.look_out();
        Ok(())
    }

    /// What tells genuine records from others has changed.
    pub(super) fn look_out(&mut self) {
        let (stem, trusted) = (self.position.stem.clone(), self.keys.trusted.clone());
        self.lookout = Lookout::new(self.remote.clone(), stem, trusted, self.instance.clone(), self.epoch);
    }

    /// The address of the directory, without a password.
    pub fn place(&self) -> &str {
        self.remote.destination().directory()
    }

    /// That there is no backup. A `remote_path` that lacks its slash at the end looks for other names than a folder has.
    pub fn empty(&self) -> SyncError {
        SyncError::Empty(match self.remote.destination().stem() {
            "" => self.place().to_owned(),
            stem => format!("{}{stem}-… (remote_path names a file; a folder ends in /)", self.place()),
        })
    }

    /// Where this data directory stands.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// How many generations are on the server, when it was last looked at.
    pub fn generations_listed(&self) -> Option<u64> {
        self.memory.generations
    }

    /// Counters, times, and what the server proved to do.
    pub fn notebook(&self) -> &Notebook {
        &self.notebook
    }

    /// The keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The boot that this engine acts for; see [`Engine::take_over`].
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// What was sent and received since the engine was opened.
    pub fn traffic(&self) -> TrafficCounts {
        self.remote.traffic()
    }

    /// The requests since the engine was opened, by method and status.
    pub fn answers(&self) -> Answers {
        self.remote.answers()
    }

    /// Tries out what the server really does, in about twenty requests, and uses it from then on.
    pub async fn probe(&mut self) -> Result<ProbeReport, SyncError> {
        let report = self.remote.probe().await?;
        self.remote.apply(&report.capabilities);
        self.notebook.probed = Some((self.place().to_owned(), report.capabilities));
        self.note(Utc::now());
        Ok(report)
    }

    pub(super) fn signer(&self) -> Result<&SigningKey, SyncError> {
        self.keys.signing.as_ref().ok_or(SyncError::NoSigner)
    }

    pub(super) fn scratch(&self) -> Result<Scratch, SyncError> {
        Scratch::new(&self.places.datadir, self.access)
    }

    pub(super) fn must_own(&self) -> Result<(), SyncError> {
        if self.access == Access::Owner { Ok(()) } else { Err(SyncError::ReadOnly) }
    }

    /// Keeps a position durably, then uses it.
    pub(super) fn keep(&mut self, position: Position) -> Result<(), SyncError> {
        if self.access == Access::Owner {
            position::save(&self.places.datadir, &position)?;
        }
        self.position = position;
        Ok(())
    }

    /// Counts the traffic since the last call and keeps the notes. That they cannot be kept is no failure of the backup.
    pub(super) fn note(&mut self, now: DateTime<Utc>) {
        let seen = self.remote.traffic();
        self.notebook.count(now, seen.sent - self.counted.sent, seen.received - self.counted.received);
        self.counted = seen;
        if self.access == Access::Owner
            && let Err(error) = self.notebook.save(&self.places.datadir)
        {
            tracing::warn!(%error, "the notes of the backup cannot be kept");
        }
    }

    /// What an error about a generation that was asked for by number is about.
    pub(super) fn named(generation: Generation) -> SyncError {
        SyncError::NoSuchGeneration(generation)
    }
}

/// Randomness for a name.
pub(super) fn nonce() -> Result<Nonce, SyncError> {
    let mut bytes = [0; 6];
    getrandom::fill(&mut bytes)
        .map_err(|error| SyncError::Disk { path: "/dev/urandom".into(), cause: std::io::Error::other(error) })?;
    Ok(Nonce(bytes))
}

/// Program and host, for people.
pub(super) fn writer() -> String {
    let read = |file| std::fs::read_to_string(file).ok().map(|text| text.trim().to_owned());
    let host = read("/proc/sys/kernel/hostname").or_else(|| read("/etc/hostname")).filter(|name| !name.is_empty());
    let host: String =
        host.unwrap_or_else(|| "an unnamed host".to_owned()).chars().filter(|c| !c.is_control()).take(40).collect();
    format!("tgsignd {} on {host}", env!("CARGO_PKG_VERSION"))
}
