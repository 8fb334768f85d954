//! The outcome of a conversation with its evidence.

use serde::{Deserialize, Serialize};

use super::amounts::Amount;
use super::outcome::Outcome;
use super::protocol::Elapsed;

/// Longest text that is kept as evidence, in characters.
pub(super) const MAX_EVIDENCE_CHARS: usize = 500;

/// How a conversation ended and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The outcome.
    pub outcome: Outcome,
    /// One sentence for people. It may quote the bot and the script, nothing else.
    pub reason: String,
    /// What was sent and what was heard last, oldest first; the texts that decided carry a rule.
    pub evidence: Vec<Evidence>,
    /// The step that could not be done, counted from 0.
    pub failed_step: Option<usize>,
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// How it was said.
    pub source: EvidenceSource,
    /// The message; for a popup the one that carries the button, if known.
    pub message_id: Option<i32>,
    /// At most 500 characters.
    pub text: String,
    /// When it was heard, since the run began.
    pub at: Elapsed,
    /// What decided, if this text did.
    pub rule: Option<Rule>,
    /// The numbers it names.
    pub amounts: Vec<Amount>,
}

/// How something was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceSource {
    /// By us.
    Sent,
    /// In a new message.
    Message,
    /// By editing a message.
    Edit,
    /// In the answer to a click.
    Popup,
}

/// Why a text means what it is taken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A pattern under the task's `[outcome]`, as written.
    Own(String),
    /// A default phrase, as found in the text.
    Default(String),
    /// The pattern of an `expect` step or of a repetition's `until`, as written.
    Expect(String),
    /// The pattern of a `refuse` step, as written.
    Refuse(String),
}
