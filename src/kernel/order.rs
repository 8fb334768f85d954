//! What the kernel asks the shells to do.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::record::{ClaimHistory, NotRun, RunRecord, Trigger};
use crate::config::Task;
use crate::names::{AccountName, RunId, RunKey};
use crate::script::Outcome;

/// Something for the shells to carry out.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Give an account work.
    Run(Box<RunOrder>),
    /// Keep that a slot never became a run.
    NotRun {
        /// The slot.
        key: RunKey,
        /// Missed or skipped.
        what: NotRun,
        /// One line for people.
        reason: String,
    },
    /// Keep that a claim is not taken up again: its last attempt is its end. The record has no `resume_at`.
    Close(Box<RunRecord>),
    /// Say which claims of an account are open, as [`Event::Recovered`](super::Event::Recovered).
    Recover {
        /// The account.
        account: AccountName,
    },
    /// Delete the own messages of a run.
    Delete {
        /// Who sent them.
        account: AccountName,
        /// Where.
        task: Arc<Task>,
        /// Which.
        messages: Vec<i32>,
    },
    /// Tell people.
    Alarm(Alarm),
}

/// Work for one account.
#[derive(Debug, Clone)]
pub struct RunOrder {
    /// The slot.
    pub key: RunKey,
    /// As it was when the order was given; a reload does not change a run in progress.
    pub task: Arc<Task>,
    /// Why.
    pub trigger: Trigger,
    /// When it was to begin.
    pub fire_at: DateTime<Utc>,
    /// What is to be done.
    pub work: Work,
}

/// What is to be done for a slot.
#[derive(Debug, Clone)]
pub enum Work {
    /// Claim the slot and perform the first attempt.
    First,
    /// Perform another attempt of a claimed slot.
    Again {
        /// The claim.
        run_id: RunId,
        /// From 2.
        attempt: u32,
        /// How the one before ended.
        last: Box<RunRecord>,
    },
    /// Read the chat's history again: the last attempt's outcome is unknown, or the daemon stopped in the middle of it.
    Review {
        /// The claim.
        run_id: RunId,
        /// How the attempt ended; `None` when it did not.
        last: Option<Box<RunRecord>>,
        /// What a crash left behind; `None` when the ledger has to be asked.
        left_behind: Option<Box<ClaimHistory>>,
    },
}

impl Work {
    /// Whether nothing was done for the slot yet.
    pub(super) fn is_first(&self) -> bool {
        matches!(self, Self::First)
    }
}

impl RunOrder {
    /// Whether it is in the middle of something that a crash cut off.
    pub fn is_left_behind(&self) -> bool {
        matches!(self.work, Work::Review { left_behind: Some(_), .. })
    }

    /// Whether it counts for the account's budget: reading a chat does not.
    pub(super) fn counts(&self) -> bool {
        !matches!(self.work, Work::Review { last: Some(_), .. })
    }

    /// Number of the attempt; a review looks at an attempt that is over.
    pub fn attempt(&self) -> u32 {
        match &self.work {
            Work::First | Work::Review { .. } => 1,
            Work::Again { attempt, .. } => *attempt,
        }
    }
}

/// Something that people have to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alarm {
    /// A slot is closed and its sign-in is not done.
    NotDone {
        /// The slot.
        key: RunKey,
        /// How it ended.
        outcome: Outcome,
        /// One line for people.
        reason: String,
    },
    /// The task's deadline passed and its sign-in is not done.
    DeadlinePassed {
        /// The slot.
        key: RunKey,
    },
    /// An account cannot be used until its owner signs in again.
    LoggedOut {
        /// The account.
        account: AccountName,
        /// What Telegram said.
        reason: String,
    },
}

impl Alarm {
    /// Every [`kind`](Self::kind).
    pub fn kinds() -> impl Iterator<Item = &'static str> {
        let not_done = Outcome::ALL.into_iter().filter(|outcome| !outcome.is_done()).map(Outcome::as_str);
        not_done.chain(["deadline", "logged_out"])
    }

    /// The word used in metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotDone { outcome, .. } => outcome.as_str(),
            Self::DeadlinePassed { .. } => "deadline",
            Self::LoggedOut { .. } => "logged_out",
        }
    }
}
