//! What a person decided about a log that is not as we left it.

use super::collect::Inputs;
use super::commit::{Outcome, Reason};
use super::engine::Engine;
use super::error::SyncError;
use super::restore::{Restoration, RestoreOrder};
use crate::backup::log::{self, Above, Keep, Resolution};
use crate::backup::place::Only;

/// What a decision did.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolved {
    /// Nothing disagrees.
    Nothing,
    /// What is here is the newest generation now.
    Committed(Outcome),
    /// What is there is here now.
    Restored {
        /// What that brought.
        restoration: Box<Restoration>,
        /// To end a fork, [`Engine::settle`] has to follow, when the restored ledger is open again.
        settle: Option<Above>,
    },
}

impl Engine {
    /// Does what a person decided after seeing both sides. What is not kept stays on the server until retention takes it.
    pub async fn resolve(&mut self, keep: &Keep, inputs: &Inputs) -> Result<Resolved, SyncError> {
        self.must_own()?;
        let survey = self.survey().await?;
        match log::resolve(&survey, keep)? {
            Resolution::Nothing => Ok(Resolved::Nothing),
            Resolution::Commit(above) => Ok(Resolved::Committed(self.settle(inputs, above).await?)),
            Resolution::Restore(head, settle) => {
                let order = RestoreOrder { generation: None, to: None, only: Only::ALL };
                let restoration = self.put_in_place((*head).clone(), *head, &order).await?;
                Ok(Resolved::Restored { restoration: Box::new(restoration), settle })
            }
        }
    }

    /// Commits what is here where a decision put it.
    pub async fn settle(&mut self, inputs: &Inputs, above: Above) -> Result<Outcome, SyncError> {
        let ended = self.commit_above(inputs, Reason::Command, Some(above)).await;
        self.note(chrono::Utc::now());
        ended
    }
}
