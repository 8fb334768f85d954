//! The manifest of a generation: its commit point.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::envelope::{self, EnvelopeError, Kind, Signed};
use super::name::{Epoch, Generation, ObjectName, Part, Stem};
use crate::backup::digest::Sha256Digest;
use crate::backup::keys::SigningKey;

/// No manifest has more bytes; a usual one has about 1,300.
pub const LARGEST_MANIFEST: usize = 16 * 1024;

/// A manifest follows one manifest, or after a fork was resolved the several that it ended; it names no more than this.
pub const MOST_PREVIOUS: usize = 8;

const LONGEST_TEXT: usize = 200;
/// A petabyte: sums of sizes never overflow.
const LARGEST_PART: u64 = 1 << 50;

/// A sealed archive that belongs to a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartObject {
    /// Name of the object.
    pub object: String,
    /// Bytes of the sealed archive.
    pub size: u64,
    /// Digest of the sealed archive.
    pub sha256: Sha256Digest,
    /// Digest of what was sealed, without what changes and means nothing: two archives with the same one are the same backup.
    pub content: Sha256Digest,
    /// Whom it is sealed to; see [`crate::backup::keys::Recipients::fingerprint`].
    pub recipients: Sha256Digest,
}

/// One generation: what belongs to it and what it follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its number.
    pub generation: Generation,
    /// The data directory it is a backup of.
    pub instance: String,
    /// The boot that wrote it.
    pub epoch: Epoch,
    /// Names of the manifests it follows, which hold their digests; none for the very first generation.
    pub previous: Vec<String>,
    /// What a new host needs.
    pub core: PartObject,
    /// The whole ledger as of this or an earlier generation.
    pub history: Option<PartObject>,
    /// Program and host, for people.
    pub writer: String,
    /// When the contents were collected; whole seconds.
    pub time: DateTime<Utc>,
}

impl Manifest {
    /// The signed bytes.
    pub fn to_bytes(&self, key: &SigningKey) -> Vec<u8> {
        envelope::seal(Kind::Manifest, self, key)
    }

    /// Verifies and reads a manifest of the backup whose names begin with `stem`.
    pub fn parse(stem: &Stem, bytes: &[u8]) -> Result<Signed<Self>, EnvelopeError> {
        let signed: Signed<Self> = envelope::open(Kind::Manifest, bytes, LARGEST_MANIFEST)?;
        signed.content.check(stem).map_err(EnvelopeError::Malformed)?;
        Ok(signed)
    }

    /// Its parts.
    pub fn parts(&self) -> impl Iterator<Item = (Part, &PartObject)> {
        std::iter::once((Part::Core, &self.core)).chain(self.history.as_ref().map(|part| (Part::History, part)))
    }

    fn check(&self, stem: &Stem) -> Result<(), &'static str> {
        let short = |text: &str| (1..=LONGEST_TEXT).contains(&text.len()) && !text.chars().any(char::is_control);
        if !short(&self.instance) || !short(&self.writer) {
            return Err("its instance or writer is not a short text");
        }
        if self.time.timestamp_subsec_nanos() != 0 {
            return Err("its time has fractions of a second");
        }
        if self.previous.len() > MOST_PREVIOUS {
            return Err("it follows too many manifests");
        }
        for name in &self.previous {
            match ObjectName::parse(stem, name) {
                Some(ObjectName::Manifest { generation, .. }) if generation < self.generation => {}
                _ => return Err("what it follows is not an earlier manifest"),
            }
        }
        self.parts().try_for_each(|(part, object)| self.check_part(stem, part, object))
    }

    fn check_part(&self, stem: &Stem, expected: Part, object: &PartObject) -> Result<(), &'static str> {
        let Some(ObjectName::Part { generation, part, sha256_half, .. }) = ObjectName::parse(stem, &object.object)
        else {
            return Err("the name of a part is not one of this backup");
        };
        if part != expected || generation > self.generation {
            return Err("the name of a part is one of another part or of a later generation");
        }
        if object.sha256.as_bytes()[..16] != sha256_half {
            return Err("the name of a part does not fit its digest");
        }
        if !(1..=LARGEST_PART).contains(&object.size) {
            return Err("the size of a part is impossible");
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "generation_tests.rs"]
mod tests;
