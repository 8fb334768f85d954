//! Shell: models that answer what scripts cannot.
//!
//! | file | what it owns |
//! |---|---|
//! | `endpoint` | any OpenAI-compatible chat completion |
//! | `command` | a program of the owner's as a solver |
//! | `budget` | how often models were asked today |
//!
//! Everything here may fail, and costs one step then. Whatever comes back has to pass [`Question::accept`].

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a shell reads the clock and talks")]

mod budget;
mod command;
mod endpoint;

use std::time::Duration;

pub use budget::Budget;
pub use command::Solver;
pub use endpoint::Endpoint;

use crate::script::{Answer, Question};

/// Why nobody answered.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// `daily_limit` of `[ai]`.
    #[error("models were asked {0} times today, which is [ai] daily_limit")]
    Spent(u32),
    /// All were asked, in order.
    #[error("{}", .0.join("; "))]
    Nobody(Vec<String>),
}

/// Who is asked, in order.
#[derive(Debug)]
pub struct Models {
    /// Endpoints first.
    pub endpoints: Vec<Endpoint>,
    /// Then the program.
    pub solver: Option<Solver>,
    /// For each of them.
    pub timeout: Duration,
}

impl Models {
    /// Asks one after the other until one gives an answer that is possible.
    pub async fn ask(&self, question: &Question, picture: Option<&[u8]>, budget: &Budget) -> Result<Answer, AskError> {
        let mut reasons = Vec::new();
        for endpoint in &self.endpoints {
            budget.spend()?;
            let asked = tokio::time::timeout(self.timeout, endpoint.ask(question, picture)).await;
            match judge(question, asked.unwrap_or_else(|_| Err(late(self.timeout)))) {
                Ok(answer) => return Ok(answer),
                Err(reason) => reasons.push(format!("model {}: {reason}", endpoint.model())),
            }
        }
        if let Some(solver) = &self.solver {
            budget.spend()?;
            match judge(question, solver.ask(question, picture, self.timeout).await) {
                Ok(answer) => return Ok(answer),
                Err(reason) => reasons.push(format!("command {}: {reason}", solver.program())),
            }
        }
        Err(AskError::Nobody(reasons))
    }
}

fn late(timeout: Duration) -> String {
    format!("no answer within {}s", timeout.as_secs())
}

/// An answer that is not possible is told in no message: it may hold anything.
fn judge(question: &Question, answer: Result<String, String>) -> Result<Answer, String> {
    question.accept(&answer?).ok_or_else(|| "its answer is none of the possible ones".to_owned())
}

#[cfg(test)]
mod tests;
