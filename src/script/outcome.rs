//! How runs and slots end.

use serde::{Deserialize, Serialize};

/// How a run, or a slot that never became one, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The bot said that the sign-in worked.
    Succeeded,
    /// The bot said that it had been done before.
    AlreadyDone,
    /// Everything was sent, and the task asked for no more proof (`proof = "delivered"`).
    Delivered,
    /// The bot said no, a step could not be done, or Telegram refused.
    Failed,
    /// It may have worked: something was sent and no proof came.
    Unknown,
    /// The slot passed and could not be run within the task's window.
    Missed,
    /// The slot was left out on purpose.
    Skipped,
    /// The daemon was stopped or crashed in the middle.
    Interrupted,
}

impl Outcome {
    /// Every outcome, in the order of the definition.
    pub const ALL: [Self; 8] = [
        Self::Succeeded,
        Self::AlreadyDone,
        Self::Delivered,
        Self::Failed,
        Self::Unknown,
        Self::Missed,
        Self::Skipped,
        Self::Interrupted,
    ];

    /// The word used in the database, in metrics and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::AlreadyDone => "already_done",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Missed => "missed",
            Self::Skipped => "skipped",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether the day's sign-in is done: nothing has to be tried again.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Succeeded | Self::AlreadyDone | Self::Delivered)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
