//! The validated script of a task.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pattern::Pattern;

/// What is said and expected, and how the answers are read. Journaled with every claim, so that a run which is taken up
/// again after a crash goes on with the script it began with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// In order; never empty.
    pub steps: Vec<Step>,
    /// How texts of the bot decide the outcome.
    pub rules: OutcomeRules,
    /// What counts as proof.
    pub proof: Proof,
}

/// One step and the time it may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is done.
    pub verb: Verb,
    /// How long its answer is waited for; `None` means [`DEFAULT_WITHIN`].
    pub within: Option<Duration>,
}

/// How long a step waits for its answer when the task says nothing.
pub const DEFAULT_WITHIN: Duration = Duration::from_secs(30);

/// What one step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Sends this text as it is, without markup.
    Send(String),
    /// Presses the first button, inline or of a reply keyboard, that one of the patterns matches; earlier patterns win.
    Click(Vec<Pattern>),
    /// Waits for a text, a caption or a popup that matches.
    Expect(Pattern),
    /// Lets time pass.
    Wait(Duration),
}

/// What counts as proof that the sign-in worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// The bot's own words.
    #[default]
    Bot,
    /// Telegram took the messages: for places that never answer.
    Delivered,
}

/// A task's own patterns; the defaults for Chinese, English and Russian apply after them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutcomeRules {
    /// The sign-in worked.
    pub success: Vec<Pattern>,
    /// It had been done before.
    pub already: Vec<Pattern>,
    /// It did not work.
    pub failure: Vec<Pattern>,
}
