//! Who owns the sessions: records of taking over and of letting go.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::envelope::{self, EnvelopeError, Kind, Signed};
use super::name::{Epoch, Generation};
use crate::backup::keys::SigningKey;

const LARGEST_RECORD: usize = 4 * 1024;

/// A boot takes over the sessions of an instance. Its name is [`super::ObjectName::Takeover`] with the same epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Takeover {
    /// The instance; empty for a boot that does not know yet which one it will restore.
    pub instance: String,
    /// The boot.
    pub epoch: Epoch,
    /// Program and host, for people.
    pub writer: String,
    /// When.
    pub time: DateTime<Utc>,
}

/// A boot has disconnected from Telegram and made its last commit. Its name is [`super::ObjectName::Release`] with the same
/// epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The instance.
    pub instance: String,
    /// The boot that lets go.
    pub epoch: Epoch,
    /// Its last generation, if it made any.
    pub last: Option<Generation>,
    /// When.
    pub time: DateTime<Utc>,
}

impl Takeover {
    /// The signed bytes.
    pub fn to_bytes(&self, key: &SigningKey) -> Vec<u8> {
        envelope::seal(Kind::Takeover, self, key)
    }

    /// Verifies and reads a record.
    pub fn parse(bytes: &[u8]) -> Result<Signed<Self>, EnvelopeError> {
        envelope::open(Kind::Takeover, bytes, LARGEST_RECORD)
    }
}

impl Release {
    /// The signed bytes.
    pub fn to_bytes(&self, key: &SigningKey) -> Vec<u8> {
        envelope::seal(Kind::Release, self, key)
    }

    /// Verifies and reads a record.
    pub fn parse(bytes: &[u8]) -> Result<Signed<Self>, EnvelopeError> {
        envelope::open(Kind::Release, bytes, LARGEST_RECORD)
    }
}
