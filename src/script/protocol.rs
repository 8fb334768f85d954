//! What goes into a conversation and what comes out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::message::{ChatMessage, Popup, Position};
use super::verdict::Verdict;

/// Time since the run began, by a clock that is never set: steps of the wall clock do not matter.
pub type Elapsed = Duration;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The run begins.
    Started {
        /// The newest messages of the chat. Only for scripts that click before they send anything, which press the buttons
        /// of what is already there; else empty.
        history: Vec<ChatMessage>,
    },
    /// A run that was cut off is taken up again, in place of [`Input::Started`].
    Resume {
        /// What was journaled, in order.
        journal: Vec<JournalMark>,
        /// What is in the chat since the first journaled mark, in any order.
        history: Vec<ChatMessage>,
    },
    /// Telegram took the message of a [`Command::Send`].
    Sent {
        /// The command's.
        step: usize,
        /// The id it got.
        message_id: i32,
        /// In Unix seconds of Telegram's clock.
        date: i64,
    },
    /// Telegram refused a [`Command::Send`].
    SendRefused {
        /// The command's.
        step: usize,
        /// What it said.
        refusal: Refusal,
    },
    /// A [`Command::Click`] was answered.
    Clicked {
        /// The command's.
        step: usize,
        /// What the bot said, if anything.
        popup: Option<Popup>,
    },
    /// A [`Command::Click`] was refused.
    ClickRefused {
        /// The command's.
        step: usize,
        /// What Telegram said.
        refusal: Refusal,
    },
    /// A command was carried out or not, and nobody will ever say: the connection ended and asking again is no option.
    Lost {
        /// The command's.
        step: usize,
    },
    /// A message came.
    Message(ChatMessage),
    /// A message became another one.
    Edited(ChatMessage),
    /// Messages were deleted.
    Deleted(Vec<i32>),
    /// [`Conversation::deadline`](super::Conversation::deadline) passed.
    TimerFired,
    /// The time of the attempt is up, or the daemon stops: the conversation ends with what it knows.
    Expired,
}

/// What is to be done. `step` counts from 0 and comes back with the result; at most one command is in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Send this text without markup; answered by [`Input::Sent`], [`Input::SendRefused`] or [`Input::Lost`]. Also how a
    /// button of a reply keyboard is pressed.
    Send {
        /// Position in the script.
        step: usize,
        /// The text.
        text: String,
    },
    /// Press a button once; answered by [`Input::Clicked`], [`Input::ClickRefused`] or [`Input::Lost`].
    Click {
        /// Position in the script.
        step: usize,
        /// The message that carries it.
        message_id: i32,
        /// What the bot gets.
        data: Vec<u8>,
        /// Where it is.
        position: Position,
        /// Its label, for the transcript.
        label: String,
    },
    /// The conversation is over; nothing follows.
    Finish(Verdict),
}

/// What Telegram says no with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For example 400.
    pub code: i32,
    /// For example `DATA_INVALID`.
    pub name: String,
}

impl Refusal {
    /// Whether the action may have happened all the same: Telegram failed within, or gave up waiting.
    pub(super) fn leaves_doubt(&self) -> bool {
        self.code >= 500 || self.code < 0
    }

    /// Whether the click arrived and the bot gave it no answer in time.
    pub(super) fn is_silence_of_the_bot(&self) -> bool {
        self.name == "BOT_RESPONSE_TIMEOUT"
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.name)
    }
}

/// What the ledger keeps of a run under way, in order. Dates are Unix seconds of Telegram's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mark", rename_all = "snake_case")]
pub enum JournalMark {
    /// Written before a command is carried out.
    Begun {
        /// The command's.
        step: usize,
        /// When.
        date: i64,
    },
    /// Written after [`Input::Sent`].
    Sent {
        /// The command's.
        step: usize,
        /// The id it got.
        message_id: i32,
        /// When.
        date: i64,
    },
    /// Written after [`Input::Clicked`].
    Clicked {
        /// The command's.
        step: usize,
        /// The message that carries the button.
        message_id: i32,
        /// When.
        date: i64,
        /// What the bot said, if anything.
        popup: Option<Popup>,
    },
}

impl JournalMark {
    /// The step it is about.
    pub fn step(&self) -> usize {
        match self {
            Self::Begun { step, .. } | Self::Sent { step, .. } | Self::Clicked { step, .. } => *step,
        }
    }
}
