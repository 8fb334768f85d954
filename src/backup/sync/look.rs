//! What is on the server.

use chrono::Utc;

use super::engine::Engine;
use super::error::SyncError;
use crate::backup::digest::Sha256Digest;
use crate::backup::log::{self, Hold, Listing, Log, Problem, Survey, manifests_to_fetch, read_complete};
use crate::backup::manifest::{Generation, LARGEST_MANIFEST, Manifest, ObjectName};
use crate::backup::remote::{Conditional, Object, Problem as RemoteProblem, RemoteError};

/// After so many answers of "unchanged" that were believed, the head is read whatever the server says.
const BELIEVED_AT_MOST: u32 = 11;

/// What a look at the head brought.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadCheck {
    /// What the log means; see [`Survey::is_in_order`].
    pub survey: Survey,
    /// The server's validators said one thing and the digest another.
    pub disagreed: bool,
    /// Whether this boot owns the sessions still.
    pub hold: Hold,
}

/// A generation on the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Name of the manifest.
    pub name: String,
    /// As the name says.
    pub generation: Generation,
    /// What it says, or what is wrong with it.
    pub manifest: Result<Manifest, Problem>,
}

impl Engine {
    /// What the log means to this data directory. A directory that does not exist is empty; whether that is in order, the
    /// position decides. An error says nothing about what is there.
    pub async fn survey(&mut self) -> Result<Survey, SyncError> {
        let log = self.read_log().await?;
        Ok(self.meaning(&log))
    }

    /// Asks for the head conditionally, as every interval does even when nothing changed here. The digest decides; where the
    /// server's validators say something else, that is counted.
    pub async fn head_check(&mut self) -> Result<HeadCheck, SyncError> {
        let checked = self.look_at_head().await;
        if matches!(checked, Ok(HeadCheck { disagreed: true, .. })) {
            self.notebook.disagreements += 1;
        }
        self.note(Utc::now());
        checked
    }

    /// All generations, the newest first.
    pub async fn generations(&mut self) -> Result<Vec<Listed>, SyncError> {
        let listing = self.list().await?;
        let mut found = Vec::new();
        for name in listing.keys() {
            let Some(ObjectName::Manifest { generation, .. }) = ObjectName::parse(&self.position.stem, name) else {
                continue;
            };
            let manifest = match self.fetch(name).await? {
                Some(bytes) => read_complete(&listing, &self.position.stem, name, &bytes, &self.keys.trusted),
                None => Err(Problem::Missing),
            };
            found.push(Listed { name: name.clone(), generation, manifest });
        }
        found.sort_by(|a, b| (b.generation, &b.name).cmp(&(a.generation, &a.name)));
        Ok(found)
    }

    pub(super) async fn list(&mut self) -> Result<Listing, SyncError> {
        let listing = listing(self.remote.list().await).map_err(SyncError::Remote)?;
        let names = listing.keys().filter(|name| self.is_manifest(name));
        self.memory.generations = Some(names.count() as u64);
        Ok(listing)
    }

    pub(super) fn is_manifest(&self, name: &str) -> bool {
        matches!(ObjectName::parse(&self.position.stem, name), Some(ObjectName::Manifest { .. }))
    }

    /// A small object; `None` when there is none.
    pub(super) async fn fetch(&self, name: &str) -> Result<Option<Vec<u8>>, SyncError> {
        small(self.remote.get(name, LARGEST_MANIFEST as u64).await).map_err(SyncError::Remote)
    }

    async fn read_log(&mut self) -> Result<Log, SyncError> {
        let listing = self.list().await?;
        let mut log = Log { listing, ..Log::default() };
        for name in manifests_to_fetch(&log.listing, &self.position) {
            let bytes = self.fetch(&name).await?;
            log.fetched.insert(name, bytes);
        }
        Ok(log)
    }

    fn meaning(&self, log: &Log) -> Survey {
        let instance = self.instance.as_deref().unwrap_or_default();
        log::survey(log, &self.position, &self.keys.trusted, instance, self.epoch)
    }

    async fn look_at_head(&mut self) -> Result<HeadCheck, SyncError> {
        let listing = self.list().await?;
        let mut log = Log { listing, ..Log::default() };
        let mut disagreed = false;
        for name in manifests_to_fetch(&log.listing, &self.position) {
            let (bytes, lied) = self.read_head(&name).await?;
            disagreed |= lied;
            log.fetched.insert(name, bytes);
        }
        let hold = self.lookout.roster_of(&log.listing).await?.hold(self.epoch);
        Ok(HeadCheck { survey: self.meaning(&log), disagreed, hold })
    }

    /// The bytes of a manifest, and whether validators and digest disagreed about it.
    async fn read_head(&mut self, name: &str) -> Result<(Option<Vec<u8>>, bool), SyncError> {
        let limit = LARGEST_MANIFEST as u64;
        let Some((_, known)) = self.memory.head.take().filter(|(known, _)| known == name) else {
            return Ok((self.read_anew(name).await?, false));
        };
        match self.remote.get_conditional(name, limit, &known.validators).await {
            Ok(Conditional::Unchanged) if self.memory.believed < BELIEVED_AT_MOST => {
                self.memory.believed += 1;
                let bytes = known.bytes.clone();
                self.memory.head = Some((name.to_owned(), known));
                Ok((Some(bytes), false))
            }
            Ok(Conditional::Unchanged) => {
                let bytes = self.read_anew(name).await?;
                let lied = bytes.as_ref() != Some(&known.bytes);
                Ok((bytes, lied))
            }
            Ok(Conditional::Changed(object)) => {
                let same = Sha256Digest::of(&object.bytes) == Sha256Digest::of(&known.bytes);
                let other_tag = match (&object.validators.tag, &known.validators.tag) {
                    (Some(now), Some(before)) => !now.resembles(before),
                    _ => false,
                };
                let bytes = object.bytes.clone();
                self.memory.head = Some((name.to_owned(), object));
                Ok((Some(bytes), same == other_tag))
            }
            Err(error) => Ok((small(Err(error))?, false)),
        }
    }

    async fn read_anew(&mut self, name: &str) -> Result<Option<Vec<u8>>, SyncError> {
        self.memory.believed = 0;
        match self.remote.get(name, LARGEST_MANIFEST as u64).await {
            Ok(object) => {
                let bytes = object.bytes.clone();
                self.memory.head = Some((name.to_owned(), object));
                Ok(Some(bytes))
            }
            other => Ok(small(other)?),
        }
    }
}

/// A listing, where a directory that is not there is an empty one.
pub(super) fn listing(
    answer: Result<crate::backup::remote::listing::Listing, RemoteError>,
) -> Result<Listing, RemoteError> {
    match answer {
        Ok(listing) => Ok(listing.entries.into_iter().map(|entry| (entry.name, entry.length)).collect()),
        Err(error) if error.problem == RemoteProblem::MissingDirectory => Ok(Listing::new()),
        Err(error) => Err(error),
    }
}

/// A small object, where one that is not there is none, and one that is too large is certainly not what was written.
pub(super) fn small(answer: Result<Object, RemoteError>) -> Result<Option<Vec<u8>>, RemoteError> {
    match answer {
        Ok(object) => Ok(Some(object.bytes)),
        Err(error) if error.is_missing() => Ok(None),
        Err(RemoteError { problem: RemoteProblem::TooLarge { .. }, .. }) => Ok(Some(Vec::new())),
        Err(error) => Err(error),
    }
}
