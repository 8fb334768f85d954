//! What a commit asks for, is told and may end with.

use chrono::{DateTime, Utc};

use super::position::Position;
use super::resolve::Above;
use super::survey::{Listing, Survey};
use crate::backup::digest::Sha256Digest;
use crate::backup::manifest::{Epoch, Nonce, Part};

/// A sealed archive that waits in a local file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPart {
    /// Bytes of the sealed archive.
    pub size: u64,
    /// Digest of the sealed archive.
    pub sha256: Sha256Digest,
    /// Digest of what was sealed; see `PartObject::content`.
    pub content: Sha256Digest,
    /// Whom it is sealed to; see `PartObject::recipients`.
    pub recipients: Sha256Digest,
}

/// What is to be committed.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The data directory.
    pub instance: String,
    /// This boot.
    pub epoch: Epoch,
    /// Program and host, for people.
    pub writer: String,
    /// When the contents were collected.
    pub time: DateTime<Utc>,
    /// The core part.
    pub core: NewPart,
    /// The history part; without one, the generation before lends its own, as long as it is listed.
    pub history: Option<NewPart>,
    /// Randomness, used once: for the core, the history and the manifest.
    pub nonces: [Nonce; 3],
    /// A person's decision ([`super::resolve()`]) about where the generation goes; without one it follows the one we know.
    pub above: Option<Above>,
}

/// What is asked for. Names are relative to the collection that was listed.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// All names with lengths, never from a cache. A collection that does not exist is an empty listing.
    List,
    /// A small object, no larger than [`crate::backup::manifest::LARGEST_MANIFEST`].
    Fetch(String),
    /// Send a sealed archive to a name that does not exist yet.
    Upload {
        /// Which.
        part: Part,
        /// As what.
        name: String,
    },
    /// Read an object back: are its length and digest these?
    Check {
        /// The object.
        name: String,
        /// Bytes.
        size: u64,
        /// Of all bytes.
        sha256: Sha256Digest,
    },
    /// Send a small object to a name that does not exist yet.
    Put {
        /// As what.
        name: String,
        /// The object.
        bytes: Vec<u8>,
    },
    /// Remove an object of ours; it is no failure when it does not exist.
    Delete(String),
    /// Keep this position durably before anything else is done.
    Save(Box<Position>),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// To [`Request::List`].
    Listed(Listing),
    /// To [`Request::Fetch`]; `None` when there is no such object.
    Fetched(Option<Vec<u8>>),
    /// It was done; to [`Request::Check`]: the object is as it should be.
    Done,
    /// To [`Request::Check`]: the object is there and differs, or it is not there.
    Differs,
    /// To [`Request::Put`]: it was sent, and whether it was stored is not known.
    Unclear(String),
    /// It was not done, and why.
    Failed(String),
}

/// Why there is no new generation.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Stop {
    /// The log is not as we left it. Nothing was changed; a person has to decide.
    #[error("the backup on the server is not as this host left it; see `tgsignd backup resolve`")]
    Refused(Box<Survey>),
    /// Somebody committed at the same time, and both manifests are there.
    #[error("two hosts committed the same generation; see `tgsignd backup resolve`")]
    Forked(Box<Survey>),
    /// A request failed; nothing was committed.
    #[error("{0}")]
    Failed(String),
    /// An object was sent, and the server gives back something else.
    #[error("the server said it stored {0}, but what it gives back differs; is its disk full?")]
    NotStored(String),
    /// Whether the generation is committed will be seen at the next look.
    #[error("whether the generation was stored is not known yet: {0}")]
    Unclear(String),
    /// Ten digits are used up.
    #[error("generation numbers are used up on this server; choose another remote path")]
    UsedUp,
}
