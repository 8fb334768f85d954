//! How the copy on the WebDAV server stands.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The backup, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BackupStatus {
    /// Whether this process is the one that signs in.
    pub role: BackupRole,
    /// The newest generation here.
    pub generation: Option<u64>,
    /// Generations on the server.
    pub generations: Option<u64>,
    /// When what is here was last known to be on the server.
    pub last_success_at: Option<DateTime<Utc>>,
    /// Bytes of the newest generation, encrypted.
    pub last_size_bytes: Option<u64>,
    /// Since when something here is not on the server; `None` when all is.
    pub unsaved_since: Option<DateTime<Utc>>,
    /// The last failure, in words for people; `None` after what worked.
    pub error: Option<String>,
    /// What is on the server is not what was left there; nothing is written until a person decides.
    pub conflict: Option<String>,
    /// What the server proved to be able to do.
    pub server: Option<String>,
    /// The last restore drill.
    pub drill: Option<Check>,
    /// The restore that this process began with.
    pub restored: Option<Restored>,
    /// Bytes sent and received in this month (UTC).
    pub month_bytes: u64,
    /// What was counted since the process began.
    pub totals: BackupTotals,
}

/// Whether this process is the one that signs in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupRole {
    /// The server has not answered yet.
    #[default]
    Starting,
    /// Another process signs in, and was asked to leave.
    TakingOver,
    /// This one.
    Holder,
    /// Another process took over; this one only waits for its end.
    Superseded,
}

impl BackupRole {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Starting, Self::TakingOver, Self::Holder, Self::Superseded];

    /// The word used in metrics and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::TakingOver => "taking_over",
            Self::Holder => "holder",
            Self::Superseded => "superseded",
        }
    }
}

/// A generation that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// When.
    pub at: DateTime<Utc>,
    /// Whether all of it could be restored.
    pub passed: bool,
}

/// A restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Which generation.
    pub generation: u64,
    /// When that generation was made: what was done later is decided by the chats.
    pub made_at: DateTime<Utc>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// What was counted since the process began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupTotals {
    /// Attempts to bring the server up to date, by how they ended.
    pub attempts: BTreeMap<BackupResult, u64>,
    /// Bytes sent.
    pub uploaded_bytes: u64,
    /// Times that the server's entity tag and the digest of what it gave disagreed.
    pub etag_disagreements: u64,
    /// Requests.
    pub requests: Vec<Requests>,
}

/// Requests of one kind with one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// `PUT`, `PROPFIND`, …
    pub method: String,
    /// The status of the answer; `None` where none came.
    pub status: Option<u16>,
    /// How many.
    pub count: u64,
}

/// How an attempt to bring the server up to date ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupResult {
    /// A new generation is there.
    Committed,
    /// Nothing had changed, and nothing was sent.
    Unchanged,
    /// The server or the way to it failed; it is tried again.
    Failed,
    /// What is on the server is not what was left there.
    Conflict,
}

impl BackupResult {
    /// Every result.
    pub const ALL: [Self; 4] = [Self::Committed, Self::Unchanged, Self::Failed, Self::Conflict];

    /// The word used in metrics and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
            Self::Conflict => "conflict",
        }
    }
}
