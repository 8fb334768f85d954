//! What is asked for, what comes of it, and where its traces go.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::posts::Posts;
use crate::config::ChatRef;
use crate::script::{Answer, ChatMessage, JournalMark, Popup, Question, Quiet, Script, Verdict};
use crate::telegram::chats::ChatError;
use crate::telegram::error::CallError;
use crate::telegram::pages::Reach;

/// What is to be done, where.
pub struct Plan<'a> {
    /// The chat.
    pub chat: &'a ChatRef,
    /// Only this forum topic.
    pub topic: Option<i32>,
    /// The steps.
    pub script: Arc<Script>,
    /// For the whole attempt.
    pub timeout: Duration,
    /// The `random_id` of a step's message.
    pub random_id: &'a (dyn Fn(usize) -> i64 + Send + Sync),
    /// Decides what is drawn; of this attempt alone, and the same when it is taken up again.
    pub seed: u64,
    /// Answers what the script cannot.
    pub advisor: &'a dyn Advisor,
    /// When the account wrote in its groups last.
    pub posts: &'a Posts,
    /// Shortest time between own messages in a group.
    pub post_gap: Duration,
    /// Which machines pages are got from.
    pub reach: Reach,
    /// What an interrupted attempt had done; empty for a new one.
    pub journal: Vec<JournalMark>,
    /// Own messages of earlier attempts that this one does not go on from. They may say the same, and are not this one's.
    pub earlier: Vec<i32>,
    /// When the attempt began; for a new one, now; for one whose beginning is not known, when its slot was planned.
    pub since: DateTime<Utc>,
    /// The journal may lack its end, or all of it, because the state came from a backup: the chat is looked at first.
    pub uncertain: bool,
}

impl Plan<'_> {
    /// Whether a message of the chat may have to do with this attempt.
    pub(super) fn concerns(&self, message: &ChatMessage) -> bool {
        !self.earlier.contains(&message.id)
    }
}

/// Answers what the script cannot.
pub trait Advisor: Send + Sync {
    /// An answer that [`Question::accept`] let pass, or why there is none.
    fn ask<'a>(
        &'a self,
        question: &'a Question,
        picture: Option<Vec<u8>>,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, String>> + Send + 'a>>;
}

/// Where the traces of a run go. The run goes on only after a trace is kept.
pub trait Recorder: Send {
    /// Keeps a mark durably. `random_id` goes with the beginning of a send.
    fn mark(&mut self, mark: &JournalMark, random_id: Option<i64>) -> impl Future<Output = Result<(), String>> + Send;

    /// Notes a line of the transcript.
    fn note(&mut self, note: Note<'_>);
}

/// A line of the transcript.
#[derive(Debug)]
pub enum Note<'a> {
    /// We said something.
    Sent {
        /// Its id.
        message_id: i32,
        /// What.
        text: &'a str,
    },
    /// A message came.
    Message(&'a ChatMessage),
    /// A message became another one.
    Edited(&'a ChatMessage),
    /// We pressed a button.
    Clicked {
        /// The message that carries it.
        message_id: i32,
        /// Its label.
        label: &'a str,
    },
    /// The answer to a click.
    Popup(&'a Popup),
    /// A model was asked.
    Asked {
        /// What it chose or read, or why there is no answer.
        answer: &'a Result<Answer, String>,
    },
    /// Something that leaves no message was done.
    Done(Quiet),
    /// Anything else, in our words.
    Remark(&'a str),
    /// Telegram or the connection failed.
    Trouble(&'a CallError),
}

/// What came of an attempt.
#[derive(Debug)]
pub struct Performed {
    /// The verdict.
    pub verdict: Verdict,
    /// Own messages in the chat.
    pub messages: Vec<i32>,
    /// Whether anything was sent or pressed, or may have been.
    pub acted: bool,
}

/// Why an attempt could not even begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The chat.
    #[error(transparent)]
    Chat(#[from] ChatError),
    /// A call before the first step.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The traces could not be kept, so nothing more was done.
    #[error("the ledger refused: {0}")]
    Ledger(String),
}

impl RunError {
    /// The failed call behind it.
    pub fn call(&self) -> Option<&CallError> {
        match self {
            Self::Chat(ChatError::Call(error)) | Self::Call(error) => Some(error),
            _ => None,
        }
    }
}
