//! Chats as Telegram addresses them.

use grammers_tl_types as tl;
use serde::{Deserialize, Serialize};

/// What is added to a channel's id, negated, in the marked ids that bots and users see (`-100…`).
const CHANNEL_MARK: i64 = 1_000_000_000_000;

/// One chat with the access hash this account was given for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Peer {
    /// A person or a bot.
    User {
        /// Telegram's id.
        id: i64,
        /// Only valid for this account.
        access_hash: i64,
        /// Whether it is a bot.
        bot: bool,
    },
    /// A basic group.
    Group {
        /// Telegram's id.
        id: i64,
    },
    /// A supergroup or a channel.
    Channel {
        /// Telegram's id.
        id: i64,
        /// Only valid for this account.
        access_hash: i64,
        /// Whether only admins post.
        broadcast: bool,
    },
}

impl Peer {
    /// The id as bots and configuration files write it.
    pub fn marked_id(self) -> i64 {
        match self {
            Self::User { id, .. } => id,
            Self::Group { id } => -id,
            Self::Channel { id, .. } => -CHANNEL_MARK - id,
        }
    }

    /// For requests.
    pub fn input(self) -> tl::enums::InputPeer {
        match self {
            Self::User { id: user_id, access_hash, .. } => tl::types::InputPeerUser { user_id, access_hash }.into(),
            Self::Group { id: chat_id } => tl::types::InputPeerChat { chat_id }.into(),
            Self::Channel { id: channel_id, access_hash, .. } => {
                tl::types::InputPeerChannel { channel_id, access_hash }.into()
            }
        }
    }

    /// For the requests that only channels have.
    pub fn input_channel(self) -> Option<tl::enums::InputChannel> {
        match self {
            Self::Channel { id: channel_id, access_hash, .. } => {
                Some(tl::types::InputChannel { channel_id, access_hash }.into())
            }
            _ => None,
        }
    }

    /// For the requests that are about a person or a bot.
    pub fn input_user(self) -> Option<tl::enums::InputUser> {
        match self {
            Self::User { id: user_id, access_hash, .. } => Some(tl::types::InputUser { user_id, access_hash }.into()),
            _ => None,
        }
    }

    /// Whether a message's or an update's peer is this chat.
    pub fn is(self, peer: &tl::enums::Peer) -> bool {
        match (self, peer) {
            (Self::User { id, .. }, tl::enums::Peer::User(other)) => id == other.user_id,
            (Self::Group { id }, tl::enums::Peer::Chat(other)) => id == other.chat_id,
            (Self::Channel { id, .. }, tl::enums::Peer::Channel(other)) => id == other.channel_id,
            _ => false,
        }
    }

    /// A user that can be written to; `None` where Telegram left the access hash out.
    pub fn from_user(user: &tl::enums::User) -> Option<Self> {
        match user {
            tl::enums::User::User(user) if !user.min => {
                Some(Self::User { id: user.id, access_hash: user.access_hash?, bot: user.bot })
            }
            _ => None,
        }
    }

    /// A group or channel that can be written to.
    pub fn from_chat(chat: &tl::enums::Chat) -> Option<Self> {
        match chat {
            tl::enums::Chat::Chat(chat) => Some(Self::Group { id: chat.id }),
            tl::enums::Chat::Channel(channel) if !channel.min => {
                Some(Self::Channel { id: channel.id, access_hash: channel.access_hash?, broadcast: channel.broadcast })
            }
            _ => None,
        }
    }
}
