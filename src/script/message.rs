//! Messages, keyboards and popups as the shell hands them over. The shell filters by chat and by topic.

use serde::{Deserialize, Serialize};

/// Where a task speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A private chat; only what this peer says counts.
    Private {
        /// The peer's bare id.
        peer: i64,
    },
    /// A group. See the `inbox` module for whose words count.
    Group,
    /// A channel: only its administrators post, and all they post counts.
    Channel,
}

/// Who a message is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// A user or a bot. In private chats Telegram may leave the sender out: then it is the peer of the chat.
    Peer {
        /// Bare id.
        id: i64,
        /// Whether the account is a bot.
        is_bot: bool,
    },
    /// A channel: a member who posts under one, or the linked channel's own posts.
    Channel,
    /// The group itself: an administrator who stays anonymous.
    AnonymousAdmin,
}

/// What is attached to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Media {
    /// Nothing, or a link preview.
    #[default]
    None,
    /// A photo, or a picture that was sent as a file.
    Photo,
    /// Another file, a video, a sticker or an animation.
    Document,
    /// A thrown emoji.
    Dice,
    /// Anything else.
    Other,
}

/// Whom a message names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mention {
    /// No member.
    #[default]
    Nobody,
    /// This account (Telegram's `mentioned` flag), perhaps among others.
    Me,
    /// Other members and not this account.
    Others,
}

/// One version of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMessage {
    /// Grows within the chat.
    pub id: i32,
    /// Who said it.
    pub from: Sender,
    /// Sent by this account, by the daemon or by another client.
    pub outgoing: bool,
    /// When it was sent, in Unix seconds of Telegram's clock.
    pub date: i64,
    /// When this version was made, in Unix seconds of Telegram's clock; `None` for the first version.
    pub edited: Option<i64>,
    /// Text, caption or the question of a poll; may be empty.
    pub text: String,
    /// Rows of buttons, of the inline or of the reply keyboard, or the answers of a poll, a row each; may be empty.
    pub keyboard: Vec<Vec<Button>>,
    /// What is attached.
    pub media: Media,
    /// The message it answers. `None` for a plain message in a forum topic, although Telegram names the topic's root there.
    pub reply_to: Option<i32>,
    /// Whom it names.
    pub mention: Mention,
    /// It was forwarded from somewhere.
    pub forwarded: bool,
}

impl ChatMessage {
    /// When this version came to be, in Unix seconds of Telegram's clock.
    pub(super) fn changed(&self) -> i64 {
        self.edited.unwrap_or(self.date)
    }
}

/// One button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// Its label.
    pub text: String,
    /// What pressing it does.
    pub kind: ButtonKind,
}

/// What pressing a button does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ButtonKind {
    /// Asks the bot, which may answer with a popup.
    Callback {
        /// Sent back to the bot.
        data: Vec<u8>,
    },
    /// Sends the label as a message: a plain button of a reply keyboard.
    Reply,
    /// Opens a page.
    Url(Link),
    /// Opens a mini app; is never pressed.
    MiniApp,
    /// An answer of an open poll.
    Vote {
        /// What Telegram gets.
        option: Vec<u8>,
    },
    /// A callback that asks for the account's password; is never pressed.
    RequestsPassword,
    /// Shares the phone number or the place, plays, pays, …; is never pressed.
    Other,
}

/// Where a button leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// As the bot wrote it.
    pub url: String,
    /// The number of the button, when Telegram offers to tell the page who opens it
    /// (<https://core.telegram.org/api/url-authorization>).
    pub login: Option<i32>,
}

/// What a step wants of a button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// To press it.
    Press,
    /// To open its page.
    Open,
    /// To vote for it.
    Vote,
}

impl ButtonKind {
    pub(super) fn serves(&self, wanted: Use) -> bool {
        match self {
            Self::Callback { .. } | Self::Reply => wanted == Use::Press,
            Self::Url(_) => wanted == Use::Open,
            Self::Vote { .. } => wanted == Use::Vote,
            Self::MiniApp | Self::RequestsPassword | Self::Other => false,
        }
    }

    /// What is to be said of it where it does not serve.
    pub(super) fn excuse(&self) -> &'static str {
        match self {
            Self::Url(_) => "a link: { open = … } opens it",
            Self::Vote { .. } => "an answer of a poll: { vote = … } chooses it",
            Self::MiniApp => "a mini app, which is never opened",
            Self::RequestsPassword => "asks for the password, and is never pressed",
            Self::Callback { .. } | Self::Reply | Self::Other => "cannot be pressed",
        }
    }
}

/// Where a button is; both count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// From the top.
    pub row: usize,
    /// From the left.
    pub column: usize,
}

/// The bot's answer to a click.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Popup {
    /// What it says.
    pub text: Option<String>,
    /// Shown as a dialog instead of a passing notice.
    pub alert: bool,
    /// A page the client is asked to open; never opened.
    pub url: Option<String>,
}
