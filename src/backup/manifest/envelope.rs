//! Signed JSON: the first line is the content, the second the signature over its exact bytes.
//!
//! Two lines instead of a field inside, so that what is verified are the bytes that arrived and not what a parser made of them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::backup::keys::{PublicKey, SigningKey};

/// The version of all signed objects.
const VERSION: u32 = 1;

/// What is signed; a signature of one kind does not hold for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A [`super::Manifest`].
    Manifest,
    /// A [`super::Takeover`].
    Takeover,
    /// A [`super::Release`].
    Release,
    /// What was pushed to the daemon.
    Inbox,
    /// The daemon's answer to it.
    Answer,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Takeover => "takeover",
            Self::Release => "release",
            Self::Inbox => "inbox",
            Self::Answer => "answer",
        }
    }
}

/// Content whose signature holds. Whether the signer is trusted is another question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed<T> {
    /// What was signed.
    pub content: T,
    /// Who signed it.
    pub signer: PublicKey,
}

/// Why bytes are not a signed object of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// More bytes than any has.
    #[error("it has more than {0} bytes")]
    TooLarge(usize),
    /// Not two lines, or the second one is no signature: cut off, or something else.
    #[error("it is cut off or something else than tgsignd wrote")]
    NotSigned,
    /// The bytes are not those that were signed.
    #[error("its signature does not hold: it was changed after it was signed")]
    BadSignature,
    /// Written by a later tgsignd.
    #[error("it has format version {found}, this tgsignd knows version {VERSION}; use the newer tgsignd")]
    Version {
        /// Its version.
        found: u32,
    },
    /// Signed, but not what this kind of object looks like.
    #[error("{0}")]
    Malformed(&'static str),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureLine {
    key: PublicKey,
    signature: String,
}

#[derive(Serialize)]
struct Versioned<'a, T> {
    version: u32,
    #[serde(flatten)]
    content: &'a T,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// The signed bytes of `content`.
pub(super) fn seal<T: Serialize>(kind: Kind, content: &T, key: &SigningKey) -> Vec<u8> {
    let mut bytes = line(content);
    let signature = BASE64_STANDARD_NO_PAD.encode(key.sign(&message(kind, &bytes)));
    let signature = SignatureLine { key: key.public(), signature };
    bytes.push(b'\n');
    bytes.extend(serde_json::to_vec(&signature).unwrap_or_default());
    bytes.push(b'\n');
    bytes
}

/// Verifies and reads what [`seal`] made. Of all bytes that mean the same content, only those that `seal` makes are valid.
pub(super) fn open<T>(kind: Kind, bytes: &[u8], largest: usize) -> Result<Signed<T>, EnvelopeError>
where
    T: Serialize + DeserializeOwned,
{
    if bytes.len() > largest {
        return Err(EnvelopeError::TooLarge(largest));
    }
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let (Some(payload), Some(signature), Some([]), None) = (lines.next(), lines.next(), lines.next(), lines.next())
    else {
        return Err(EnvelopeError::NotSigned);
    };
    let read: SignatureLine = serde_json::from_slice(signature).map_err(|_| EnvelopeError::NotSigned)?;
    if serde_json::to_vec(&read).ok().as_deref() != Some(signature) {
        return Err(EnvelopeError::NotSigned);
    }
    let signer = read.key;
    let signature = BASE64_STANDARD_NO_PAD.decode(read.signature).map_err(|_| EnvelopeError::NotSigned)?;
    let signature = <[u8; 64]>::try_from(signature).map_err(|_| EnvelopeError::NotSigned)?;
    if !signer.verifies(&message(kind, payload), &signature) {
        return Err(EnvelopeError::BadSignature);
    }
    let version: Version =
        serde_json::from_slice(payload).map_err(|_| EnvelopeError::Malformed("it has no version"))?;
    if version.version != VERSION {
        return Err(EnvelopeError::Version { found: version.version });
    }
    let content: T = serde_json::from_slice(payload)
        .map_err(|_| EnvelopeError::Malformed("its fields are not those of version 1"))?;
    if line(&content) != payload {
        return Err(EnvelopeError::Malformed("it is not written the way tgsignd writes it"));
    }
    Ok(Signed { content, signer })
}

fn line<T: Serialize>(content: &T) -> Vec<u8> {
    // Only maps with keys that are not text cannot be written; there are none.
    serde_json::to_vec(&Versioned { version: VERSION, content }).unwrap_or_default()
}

fn message(kind: Kind, payload: &[u8]) -> Vec<u8> {
    [b"tgsignd ", kind.as_str().as_bytes(), b"\n", payload].concat()
}
