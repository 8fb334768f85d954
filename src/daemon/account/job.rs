//! What an actor is asked for, and what it answers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::config::Task;
use crate::daemon::backup::Superseded;
use crate::daemon::given_up::Before;
use crate::daemon::rehearsal::Rehearsal;
use crate::kernel::RunOrder;
use crate::kernel::record::RunRecord;
use crate::ledger::LockError;
use crate::telegram::error::CallError;
use crate::telegram::session::SessionError;

/// Something for an account to do.
#[derive(Debug)]
pub enum Job {
    /// A run or a review; the answer goes to `reply` too, if a person waits for it.
    Run {
        /// What.
        order: Box<RunOrder>,
        /// What has to be in the ledger before it.
        after: Before,
        /// To whoever asked for it.
        reply: Option<mpsc::Sender<RunReply>>,
    },
    /// Say what a run would do, and do nothing.
    Rehearse {
        /// Of what.
        task: Arc<Task>,
        /// To whoever asked for it.
        reply: mpsc::Sender<Result<Rehearsal, String>>,
    },
    /// Delete own messages.
    Delete {
        /// Where.
        task: Arc<Task>,
        /// Which.
        messages: Vec<i32>,
    },
}

/// What came of a run that a person asked for.
#[derive(Debug)]
pub enum RunReply {
    /// It ended.
    Ended(Box<Ended>),
    /// It could not begin.
    Refused(String),
}

/// How a run that a person asked for ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ended {
    /// As it was kept.
    #[serde(flatten)]
    pub record: RunRecord,
    /// There was no connection, and nothing was done: it can be asked for again.
    pub unreachable: bool,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(in crate::daemon) enum ConnectError {
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Held(#[from] LockError),
    #[error(transparent)]
    Superseded(#[from] Superseded),
}

impl ConnectError {
    /// Whether only a person can help.
    pub(in crate::daemon) fn is_final(&self) -> bool {
        match self {
            Self::Session(error) => !matches!(error, SessionError::File { .. }),
            Self::Held(_) | Self::Superseded(_) => false,
            Self::Call(error) => matches!(error, CallError::Unauthorised(_) | CallError::Session(_)),
        }
    }
}
