//! What goes into a conversation and what comes out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::consult::{Answer, Question};
use super::message::{ChatMessage, Link, Media, Popup, Position};
use super::pattern::Pattern;
use super::step::{Page, Quiet};
use super::template::Memory;
use super::verdict::Verdict;
use crate::names::ChatRef;

/// Time since the run began, by a clock that is never set: steps of the wall clock do not matter.
pub type Elapsed = Duration;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The run begins.
    Started {
        /// The newest messages of the chat. Only for scripts that [look first](super::Script::looks_first); else empty.
        history: Vec<ChatMessage>,
    },
    /// A run that was cut off is taken up again, in place of [`Input::Started`].
    Resume {
        /// What was journaled, in order.
        journal: Vec<JournalMark>,
        /// What is in the chat since the first journaled mark, in any order.
        history: Vec<ChatMessage>,
    },
    /// Telegram took the message of an [`Act::Send`].
    Sent {
        /// The command's.
        step: usize,
        /// The id it got.
        message_id: i32,
        /// In Unix seconds of Telegram's clock.
        date: i64,
    },
    /// An [`Act::Click`] was answered.
    Clicked {
        /// The command's.
        step: usize,
        /// What the bot said, if anything.
        popup: Option<Popup>,
    },
    /// An [`Act::Quiet`] was done.
    Done {
        /// The command's.
        step: usize,
    },
    /// What came of a [`Command::Ask`].
    Answered {
        /// The command's.
        step: usize,
        /// An answer that [`Question::accept`] let pass, or why there is none.
        answer: Result<Answer, String>,
    },
    /// It was surely not done, for a reason of ours.
    NotDone {
        /// The command's.
        step: usize,
        /// For people.
        reason: String,
    },
    /// Telegram refused.
    Refused {
        /// The command's.
        step: usize,
        /// What it said.
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

/// What is to be done; at most one command is in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Do this once; answered by [`Input::Sent`], [`Input::Clicked`] or [`Input::Done`], or else by [`Input::Refused`] or
    /// [`Input::Lost`].
    Act {
        /// Position in the script, counted from 0; comes back with the result. No position acts twice.
        step: usize,
        /// What.
        act: Act,
        /// To be journaled before it is done.
        memory: Memory,
    },
    /// Ask a model; answered by [`Input::Answered`]. Telegram sees nothing of it, and each step asks once at most.
    Ask {
        /// Position in the script.
        step: usize,
        /// What.
        question: Question,
    },
    /// The conversation is over; nothing follows.
    Finish(Verdict),
}

/// Something that Telegram sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// A message, also by a button of a reply keyboard.
    Send(Outgoing),
    /// Press a button.
    Click {
        /// The message that carries it.
        message_id: i32,
        /// What pressing it does.
        press: Press,
        /// Where it is.
        position: Position,
        /// Its label, for the transcript.
        label: String,
    },
    /// What may be done twice.
    Quiet(Quiet),
}

/// What pressing a button does. None of it is ever done a second time when its result is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Press {
    /// Sends this to the bot.
    Callback(Vec<u8>),
    /// Votes for this answer of a poll.
    Vote(Vec<u8>),
    /// Gets a page.
    Open(Link, Page),
}

/// A message of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outgoing {
    /// A text without markup.
    Text {
        /// The text.
        text: String,
        /// The message it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<i32>,
    },
    /// `/start` with this parameter, which the chat does not show.
    Start(String),
    /// A thrown emoji.
    Dice(String),
    /// A message of somebody else.
    Forward(Original),
}

/// What is forwarded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Original {
    /// This message of the chat.
    Here(i32),
    /// The newest message of another chat that the pattern matches.
    Newest {
        /// Where it is looked for.
        chat: ChatRef,
        /// What it says.
        pattern: Pattern,
    },
}

impl Outgoing {
    /// How a transcript shows it.
    pub fn shown(&self) -> String {
        match self {
            Self::Text { text, .. } | Self::Dice(text) => text.clone(),
            Self::Start(parameter) => format!("/start {parameter}"),
            Self::Forward(Original::Here(id)) => format!("(forwards message {id})"),
            Self::Forward(Original::Newest { chat, pattern }) => format!("(forwards '{pattern}' from {chat})"),
        }
    }

    /// Whether `message` is this message of ours, as far as it can be told from the message itself.
    pub fn is_like(&self, message: &ChatMessage) -> bool {
        let shown = message.text.trim();
        message.outgoing
            && match self {
                Self::Text { text, .. } => shown == text.trim(),
                Self::Start(parameter) => shown == "/start" || shown == format!("/start {parameter}"),
                Self::Dice(_) => message.media == Media::Dice,
                Self::Forward(_) => message.forwarded,
            }
    }
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

    /// Whether what was to be done had been done before.
    pub(super) fn says_it_is_so(&self, quiet: Quiet) -> bool {
        match quiet {
            Quiet::Join => self.name == "USER_ALREADY_PARTICIPANT",
            Quiet::Leave => self.name == "USER_NOT_PARTICIPANT",
            Quiet::ReadHistory | Quiet::Delete => false,
        }
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
        /// The message it sends, if it sends one: what was drawn, solved or filled in is not decided again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<Outgoing>,
        /// What the run knew.
        #[serde(default, skip_serializing_if = "Memory::is_empty")]
        memory: Memory,
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
    /// Written after [`Input::Done`].
    Done {
        /// The command's.
        step: usize,
        /// When.
        date: i64,
    },
}

impl JournalMark {
    /// The step it is about.
    pub fn step(&self) -> usize {
        match self {
            Self::Begun { step, .. }
            | Self::Sent { step, .. }
            | Self::Clicked { step, .. }
            | Self::Done { step, .. } => *step,
        }
    }

    /// When it was made, in Unix seconds of Telegram's clock.
    pub fn date(&self) -> i64 {
        match self {
            Self::Begun { date, .. }
            | Self::Sent { date, .. }
            | Self::Clicked { date, .. }
            | Self::Done { date, .. } => *date,
        }
    }

    /// The message that was sent.
    pub fn sent_id(&self) -> Option<i32> {
        match self {
            Self::Sent { message_id, .. } => Some(*message_id),
            _ => None,
        }
    }
}
