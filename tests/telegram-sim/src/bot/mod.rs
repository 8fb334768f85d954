//! Bots: what they are told, what they can do.
//!
//! | module | what it holds |
//! |---|---|
//! | `script` | bots written as rules, usually in TOML |
//! | `pattern` | texts that rules compare with |
//! | `memory` | what a bot knows about each user |
//! | `play` | carrying the actions of a bot out in the world |

mod memory;
mod pattern;
mod play;
mod script;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, FixedOffset};

use crate::content::Content;

pub use memory::BotContext;
pub(crate) use memory::{BotMemory, Sent};
pub use pattern::{Pattern, PatternError};
pub(crate) use play::{BotRuntime, PressedAnswer, Stimulus, react};
pub use script::{Period, Rule, Script, ScriptAction, Trigger};

/// A bot's behaviour. Closures `Fn(&BotEvent, &mut BotContext) -> Vec<BotAction>` are bots too.
///
/// Every event of a bot is handled alone: no two calls run at the same time.
pub trait Bot: Send + Sync + 'static {
    /// What the bot does about an event. The waits of several actions add up.
    fn on_event(&self, event: &BotEvent, context: &mut BotContext<'_>) -> Vec<BotAction>;
}

impl<F> Bot for F
where
    F: Fn(&BotEvent, &mut BotContext<'_>) -> Vec<BotAction> + Send + Sync + 'static,
{
    fn on_event(&self, event: &BotEvent, context: &mut BotContext<'_>) -> Vec<BotAction> {
        self(event, context)
    }
}

/// Something that a user did in a chat with the bot.
#[derive(Clone, Debug)]
pub struct BotEvent {
    /// The world's time, in the bot's zone.
    pub time: DateTime<FixedOffset>,
    /// Who did it.
    pub user: BotUser,
    /// Name of the group, or `None` in a private chat.
    pub group: Option<Arc<str>>,
    /// The topic, in forums.
    pub topic: Option<i32>,
    /// The message that was sent, or the one whose button was pressed, as the user numbers it.
    pub message_id: i32,
    /// What was done.
    pub kind: BotEventKind,
}

/// A user as a bot sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotUser {
    /// Telegram's identifier.
    pub id: i64,
    /// Name of the account in this world.
    pub account: Arc<str>,
    /// The name that Telegram shows.
    pub first_name: Arc<str>,
}

/// What a user did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BotEventKind {
    /// Sent a text. `@botname` behind a command is already gone.
    Text {
        /// The text.
        text: String,
        /// The message it replies to, as the user numbers it.
        reply_to: Option<i32>,
    },
    /// Started the bot, with the parameter of the link or none.
    Start {
        /// What stands behind `/start `.
        parameter: String,
    },
    /// Pressed an inline button.
    Button {
        /// The callback data.
        data: Vec<u8>,
        /// What the button shows.
        text: String,
    },
    /// Forwarded a message to the chat.
    Forward {
        /// What it says.
        text: String,
    },
    /// Voted in a poll.
    Vote {
        /// The answer that was chosen.
        answer: String,
    },
    /// Threw a die.
    Dice {
        /// For example 🎲.
        emoji: String,
        /// What it shows.
        value: i32,
    },
}

/// One thing that a bot does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotAction {
    /// How long to wait before, in real time.
    pub after: Duration,
    /// What to do then.
    pub effect: Effect,
}

/// What a bot can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a message to the chat of the event.
    Send {
        /// The message.
        content: Content,
        /// Send it as a reply to the user's message.
        reply: bool,
        /// A name to edit or delete it by later.
        name: Option<String>,
    },
    /// Replace a message.
    Edit {
        /// Which one.
        target: Target,
        /// What it shows from now on. The picture stays when there is none here.
        content: Content,
    },
    /// Delete a message.
    Delete {
        /// Which one.
        target: Target,
    },
    /// Answer a pressed button. Without an answer among the actions an empty one is given at once.
    Answer {
        /// What the user is shown.
        text: String,
        /// As a dialogue that must be closed instead of a passing note.
        alert: bool,
    },
    /// Never answer the pressed button: the client gets `BOT_RESPONSE_TIMEOUT`.
    NoAnswer,
}

/// One of the bot's own messages in the chat of the event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// The message whose button was pressed; in other events the last one.
    #[default]
    Pressed,
    /// The last one sent.
    Last,
    /// The last one sent under this name.
    Named(String),
}

impl BotAction {
    /// Sends a message.
    #[must_use]
    pub fn send(content: Content) -> Self {
        Effect::Send { content, reply: false, name: None }.into()
    }

    /// Replaces the pressed or last message.
    #[must_use]
    pub fn edit(content: Content) -> Self {
        Effect::Edit { target: Target::Pressed, content }.into()
    }

    /// Deletes the pressed or last message.
    #[must_use]
    pub fn delete() -> Self {
        Effect::Delete { target: Target::Pressed }.into()
    }

    /// Answers the pressed button with a passing note.
    #[must_use]
    pub fn popup(text: impl Into<String>) -> Self {
        Effect::Answer { text: text.into(), alert: false }.into()
    }

    /// Answers the pressed button with a dialogue.
    #[must_use]
    pub fn alert(text: impl Into<String>) -> Self {
        Effect::Answer { text: text.into(), alert: true }.into()
    }

    /// The same after a wait.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.after = wait;
        self
    }
}

impl From<Effect> for BotAction {
    fn from(effect: Effect) -> Self {
        Self { after: Duration::ZERO, effect }
    }
}
