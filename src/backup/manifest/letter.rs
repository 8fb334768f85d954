//! What is pushed to the daemon, and its answer.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::envelope::{self, EnvelopeError, Kind, Signed};
use crate::backup::keys::SigningKey;
use crate::names::AccountName;

/// Bytes of a letter before it is sealed: a session of 16 MiB in base64, and room for the rest.
pub const LARGEST_LETTER: usize = 24 * 1024 * 1024;

/// No answer has more bytes.
pub const LARGEST_ANSWER: usize = 64 * 1024;

/// What somebody pushes; on the server it is sealed with age around the signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Name of its object, so that a signature holds for one object only.
    pub name: String,
    /// Program and host, for people.
    pub writer: String,
    /// When; whole seconds.
    pub time: DateTime<Utc>,
    /// What.
    pub content: LetterContent,
}

/// What is pushed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LetterContent {
    /// A whole workdir.
    Workdir {
        /// Texts by relative path.
        files: BTreeMap<String, String>,
    },
    /// The session of one account.
    Session {
        /// The account.
        account: AccountName,
        /// The file, in base64.
        file: String,
    },
}

/// The daemon's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterAnswer {
    /// Name of the letter's object.
    pub letter: String,
    /// Whether it was applied.
    pub applied: bool,
    /// What became of it, for people.
    pub message: String,
    /// Program and host, for people.
    pub writer: String,
    /// When; whole seconds.
    pub time: DateTime<Utc>,
}

impl Letter {
    /// The signed bytes, to be sealed.
    pub fn to_bytes(&self, key: &SigningKey) -> Vec<u8> {
        envelope::seal(Kind::Inbox, self, key)
    }

    /// Verifies and reads a letter.
    pub fn parse(bytes: &[u8]) -> Result<Signed<Self>, EnvelopeError> {
        envelope::open(Kind::Inbox, bytes, LARGEST_LETTER)
    }
}

impl LetterAnswer {
    /// The signed bytes.
    pub fn to_bytes(&self, key: &SigningKey) -> Vec<u8> {
        envelope::seal(Kind::Answer, self, key)
    }

    /// Verifies and reads an answer.
    pub fn parse(bytes: &[u8]) -> Result<Signed<Self>, EnvelopeError> {
        envelope::open(Kind::Answer, bytes, LARGEST_ANSWER)
    }
}

/// Sessions are secrets, and a workdir may hold some.
impl fmt::Debug for LetterContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workdir { files } => f.debug_tuple("Workdir").field(&files.keys()).finish(),
            Self::Session { account, .. } => f.debug_tuple("Session").field(account).finish(),
        }
    }
}
