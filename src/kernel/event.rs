//! What the kernel is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::pairs::PairKey;
use super::record::{ClaimHistory, Position, RunRecord};
use super::status::{AccountStatus, LedgerSizes};
use crate::config::Snapshot;
use crate::names::{AccountName, RunId, RunKey, TaskName};
use crate::schedule::Seed;

/// What the ledger knew when the process began.
#[derive(Debug, Clone)]
pub struct Seeds {
    /// Jitter and stagger are drawn from it.
    pub seed: Seed,
    /// Where every task and account stands.
    pub positions: Vec<Position>,
    /// Claims that are not closed.
    pub open: Vec<ClaimHistory>,
    /// When accounts began attempts lately, for their budgets; in any order.
    pub starts: Vec<(AccountName, DateTime<Utc>)>,
}

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// A configuration was accepted. `active_since` holds every enabled pair of its new and changed tasks.
    Loaded {
        /// The configuration.
        snapshot: Arc<Snapshot>,
        /// Since when a pair has had its schedule; earlier slots are not missed.
        active_since: BTreeMap<PairKey, DateTime<Utc>>,
    },
    /// The deadline was reached, or might have been.
    Tick,
    /// A run began its first step.
    Began {
        /// The slot.
        key: RunKey,
        /// Its claim.
        run_id: RunId,
        /// Number of the attempt.
        attempt: u32,
    },
    /// An attempt or a review ended and is in the ledger.
    Ended {
        /// As it was kept.
        record: Box<RunRecord>,
        /// Own messages in the chat.
        messages: Vec<i32>,
    },
    /// An order came to nothing: the slot had been claimed before, or the ledger refused.
    Dropped {
        /// The slot.
        key: RunKey,
    },
    /// An order could not be given to its account, and nothing was done.
    Undeliverable {
        /// The slot.
        key: RunKey,
        /// One line for people.
        reason: String,
    },
    /// An account's task died with everything it was doing.
    ActorLost {
        /// The account.
        account: AccountName,
    },
    /// The answer to [`Effect::Recover`](super::Effect::Recover).
    Recovered {
        /// The account.
        account: AccountName,
        /// Its claims that are not closed.
        open: Vec<ClaimHistory>,
    },
    /// The ledger was measured, or could not be.
    Measured(Result<LedgerSizes, String>),
    /// Telegram answered calls with errors.
    RpcErrors {
        /// Their codes.
        codes: Vec<i32>,
    },
    /// Something about an account changed.
    Account {
        /// The account.
        account: AccountName,
        /// Its status now.
        status: AccountStatus,
    },
    /// No further orders: the process ends.
    Stop,
}

/// Why a task cannot be run by hand now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OnceError {
    /// No such task.
    #[error("there is no task {0}")]
    NoSuchTask(TaskName),
    /// The task is not for this account.
    #[error("task {task} does not run on account {account}")]
    NotItsAccount {
        /// The task.
        task: TaskName,
        /// The account.
        account: AccountName,
    },
    /// It runs already.
    #[error("task {task} is running on account {account} at this moment")]
    Running {
        /// The task.
        task: TaskName,
        /// The account.
        account: AccountName,
    },
    /// The daemon is stopping.
    #[error("the daemon is stopping")]
    Stopping,
}
