//! The names everything else speaks in: accounts, tasks, slots and runs.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// Longest name in bytes. A name becomes a file name (`sessions/NAME.session`), and most file systems end at 255.
pub const MAX_NAME_BYTES: usize = 64;

/// Why a text cannot be the name of an account or a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text has no characters.
    #[error("a name must not be empty")]
    Empty,
    /// The text is longer than [`MAX_NAME_BYTES`].
    #[error("a name has at most {MAX_NAME_BYTES} bytes")]
    TooLong,
    /// The text begins with a dot or a hyphen, which would make a hidden file or look like an option.
    #[error("a name must not begin with {0:?}")]
    BadStart(char),
    /// Anything but letters, digits, `_`, `-` and `.`.
    #[error("a name has only letters, digits, '_', '-' and '.', not {0:?}")]
    BadCharacter(char),
}

fn check(text: &str) -> Result<(), NameError> {
    if text.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong);
    }
    match text.chars().next() {
        None => return Err(NameError::Empty),
        Some(first @ ('.' | '-')) => return Err(NameError::BadStart(first)),
        Some(_) => {}
    }
    match text.chars().find(|c| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))) {
        Some(bad) => Err(NameError::BadCharacter(bad)),
        None => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            /// The name as written.
            #[inline]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text).map(|()| Self(text.into()))
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl Borrow<str> for $type {
            #[inline]
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

name! {
    /// An account as the workdir calls it (`[accounts.NAME]`); never a phone number.
    AccountName
}
name! {
    /// A task as the workdir calls it (`[tasks.NAME]`).
    TaskName
}

/// The planned instant of a run, after the daylight-saving policy and before jitter: the identity of a sign-in.
///
/// Whole seconds, UTC. Entries of one schedule that land on the same instant are one slot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(i64);

impl Slot {
    /// The slot at `instant`; fractions of a second are cut off.
    pub fn at(instant: DateTime<Utc>) -> Self {
        Self(instant.timestamp())
    }

    /// The slot that many seconds after the Unix epoch, if chrono can represent the instant.
    pub fn from_unix_seconds(seconds: i64) -> Option<Self> {
        DateTime::from_timestamp(seconds, 0).map(Self::at)
    }

    /// Seconds since the Unix epoch.
    pub fn unix_seconds(self) -> i64 {
        self.0
    }

    /// The planned instant.
    pub fn instant(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0, 0).unwrap_or_default()
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.instant().to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Slot {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Slot {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DateTime::<Utc>::deserialize(deserializer).map(Self::at)
    }
}

/// What at most one sign-in exists for: one task, one account, one slot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunKey {
    /// The task.
    pub task: TaskName,
    /// The account that performs it.
    pub account: AccountName,
    /// The planned instant.
    pub slot: Slot,
}

impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.task, self.account, self.slot)
    }
}

/// The name of one run: of its transcript file, its log lines and its row in the ledger.
///
/// Twelve lower-case hexadecimal digits of a hash over the key and the instant of the claim, so that it is unique without a
/// counter and short enough to type.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(Arc<str>);

impl RunId {
    /// The identifier of the run for `key` that was claimed at `claimed`.
    pub fn new(key: &RunKey, claimed: DateTime<Utc>) -> Self {
        use sha2::{Digest, Sha256};
        let hash = Sha256::new()
            .chain_update(key.task.as_str())
            .chain_update([0])
            .chain_update(key.account.as_str())
            .chain_update([0])
            .chain_update(key.slot.unix_seconds().to_be_bytes())
            .chain_update(claimed.timestamp_micros().to_be_bytes())
            .finalize();
        let number = hash[..6].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        Self(format!("{number:012x}").into())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is not the twelve hexadecimal digits of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run is named by 12 lower-case hexadecimal digits")]
pub struct RunIdError;

impl FromStr for RunId {
    type Err = RunIdError;
    fn from_str(text: &str) -> Result<Self, RunIdError> {
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == 12 && text.bytes().all(hexadecimal) { Ok(Self(text.into())) } else { Err(RunIdError) }
    }
}

impl TryFrom<String> for RunId {
    type Error = RunIdError;
    fn try_from(text: String) -> Result<Self, RunIdError> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A chat, as its owner writes it down.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatRef {
    /// A public name without the `@`.
    Username(String),
    /// A marked id as bots use it: a user's is positive, a basic group's `-id`, a channel's `-100…`.
    Id(i64),
}

impl std::fmt::Display for ChatRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Username(name) => write!(f, "@{name}"),
            Self::Id(id) => write!(f, "{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for bad in ["", ".hidden", "-x", "a/b", "a b", "a\0", "..", &"x".repeat(65)] {
            assert!(bad.parse::<TaskName>().is_err(), "{bad:?}");
        }
        for good in ["alice", "签到", "a.b-c_9"] {
            assert!(good.parse::<AccountName>().is_ok(), "{good:?}");
        }
    }

    #[test]
    fn a_slot_survives_json() {
        let slot = Slot::from_unix_seconds(1_790_000_000);
        let json = serde_json::to_string(&slot).map_err(|error| error.to_string());
        assert_eq!(json.as_deref(), Ok("\"2026-09-21T14:13:20Z\""));
        assert_eq!(json.ok().and_then(|json| serde_json::from_str(&json).ok()), slot);
    }

    #[test]
    fn run_ids_round_trip_and_refuse_paths() {
        assert!("0123456789ab".parse::<RunId>().is_ok());
        for bad in ["", "../../etc/pa", "0123456789AB", "0123456789abc"] {
            assert!(bad.parse::<RunId>().is_err(), "{bad:?}");
        }
    }
}
