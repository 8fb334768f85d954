//! What the ledger keeps, as plain data.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::secret::Secret;
use crate::names::{AccountName, RunId, RunKey, Slot, TaskName};
use crate::script::{JournalMark, Outcome};

/// Why a run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Its slot came.
    Scheduled,
    /// Its slot had passed and was still within the task's window.
    Late,
    /// A person asked for it.
    Manual,
}

impl Trigger {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Scheduled, Self::Late, Self::Manual];

    /// The word used in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Late => "late",
            Self::Manual => "manual",
        }
    }
}

/// The right to perform the sign-in of one slot, asked for before anything else is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Name of the run; all attempts of the slot share it.
    pub run_id: RunId,
    /// What it is for; unique in the ledger.
    pub key: RunKey,
    /// Why it begins.
    pub trigger: Trigger,
    /// When it was to begin, after jitter and stagger.
    pub fire_at: DateTime<Utc>,
    /// When it was asked for.
    pub claimed_at: DateTime<Utc>,
    /// All that is needed to go on with the run after a crash (script, chat). The ledger does not look into it, and keeps it
    /// until the claim is closed; after that it is `null`.
    pub script: Value,
}

/// The answer to a [`Claim`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimResult {
    /// The slot was free and is now taken, durably.
    New,
    /// The slot had been taken, or recorded as missed or skipped. Nothing was changed.
    Taken {
        /// The run that took it.
        run_id: RunId,
        /// Of its last attempt; `None` while the first one has not ended.
        outcome: Option<Outcome>,
    },
}

/// A trace of what was done in the chat, durable before the next thing is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// Of the slot, from 1.
    pub attempt: u32,
    /// What was done, or is about to be done.
    pub mark: JournalMark,
    /// Of the message that is about to be sent; Telegram refuses the same one twice.
    pub random_id: Option<i64>,
}

/// One attempt that ended, or a slot that never became one (attempt 0).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The claim it belongs to.
    pub run_id: RunId,
    /// What it is for.
    pub key: RunKey,
    /// Why it began.
    pub trigger: Trigger,
    /// When it was to begin, after jitter and stagger.
    pub fire_at: DateTime<Utc>,
    /// When the slot was claimed.
    pub claimed_at: DateTime<Utc>,
    /// When the first step began; `None` when it never came to that.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// Of the slot, from 1; 0 for a slot that never became a run.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// One line for people.
    pub reason: String,
    /// What decided it, as JSON; `null` when there is nothing.
    pub evidence: Value,
    /// Position of the step that could not be done, from 0.
    pub failed_step: Option<usize>,
    /// When the claim is taken up again, for another attempt or to read the chat's history again; `None` closes it.
    pub resume_at: Option<DateTime<Utc>>,
}

/// Why a slot never became a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRun {
    /// It passed and could not be run within the task's window.
    Missed,
    /// It was left out on purpose.
    Skipped,
}

impl From<NotRun> for Outcome {
    fn from(not_run: NotRun) -> Self {
        match not_run {
            NotRun::Missed => Self::Missed,
            NotRun::Skipped => Self::Skipped,
        }
    }
}

/// A claim with everything that belongs to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimHistory {
    /// As it was made.
    pub claim: Claim,
    /// When it is taken up again; `None` when it is closed, or when its first attempt has not ended.
    pub resume_at: Option<DateTime<Utc>>,
    /// Attempts that ended, in order.
    pub attempts: Vec<RunRecord>,
    /// In the order of writing.
    pub journal: Vec<JournalEntry>,
}

impl ClaimHistory {
    /// The attempt that ended last and when the claim is taken up again. `None` as well when a further attempt had begun: that one
    /// was cut off, and what it did is in the journal.
    pub fn waiting(&self) -> Option<(&RunRecord, DateTime<Utc>)> {
        let (last, at) = (self.attempts.last()?, self.resume_at?);
        let is_cut_off = self.journal.iter().any(|entry| entry.attempt > last.attempt);
        (!is_cut_off).then_some((last, at))
    }
}

/// Where one account of one task stands; seeds scheduling and metrics at the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The task.
    pub task: TaskName,
    /// The account.
    pub account: AccountName,
    /// Latest slot of the schedule that was claimed or recorded. Manual runs are no slots of the schedule.
    pub last_slot: Option<Slot>,
    /// The closed claim that ended last.
    pub last: Option<LastEnded>,
    /// When a claim last ended with an outcome that counts as done.
    pub last_success_at: Option<DateTime<Utc>>,
    /// Closed claims since then that were not done; skipped ones do not count.
    pub consecutive_failures: u32,
    /// The latest slot whose deadline was told to have passed.
    pub deadline_alarm: Option<Slot>,
}

/// The closed claim that ended last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastEnded {
    /// Its run.
    pub run_id: RunId,
    /// What it was for.
    pub slot: Slot,
    /// When.
    pub ended_at: DateTime<Utc>,
    /// How.
    pub outcome: Outcome,
    /// One line for people.
    pub reason: String,
    /// What decided it, as JSON.
    pub evidence: Value,
}

/// A task and account that have slots now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivePair {
    /// The task.
    pub task: TaskName,
    /// The account.
    pub account: AccountName,
    /// Digest of everything that decides which slots there are; another one makes the pair active anew.
    pub schedule: String,
}

/// Which runs are asked for; the newest come first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFilter {
    /// Only of this task.
    pub task: Option<TaskName>,
    /// Only of this account.
    pub account: Option<AccountName>,
    /// Only those that ended at or after this instant.
    pub since: Option<DateTime<Utc>>,
    /// At most that many.
    pub limit: usize,
}

/// Which state of a ledger that is open: two equal ones have nothing between them that was written. It means nothing to another
/// process, and never equals one from before the ledger was opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerVersion {
    /// Which opening of a ledger, counted by this process.
    pub opening: u64,
    /// Rows this opening has written.
    pub written: u64,
    /// Changes with every transaction of somebody else.
    pub foreign: i64,
}

/// What is drawn once for a data directory and never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// A version 4 UUID.
    pub id: String,
    /// Jitter and stagger are drawn from this.
    pub install_seed: [u8; 32],
    /// The `random_id` of every message is derived from this.
    pub random_id_secret: Secret<[u8; 32]>,
}
