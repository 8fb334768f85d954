//! What tests see of chats, and say in them.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::bot::Sent;
use crate::centre::{DataCentre, existing};
use crate::content::{Content, Media};
use crate::state::{Draft, Named, Place, State, Stored, UserRef};
use crate::world::GroupKind;

/// A message as an account sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its number.
    pub id: i32,
    /// Telegram's identifier of the sender.
    pub from: i64,
    /// The account sent it.
    pub outgoing: bool,
    /// When, by the world's clock.
    pub date: DateTime<Utc>,
    /// When it was edited last.
    pub edited: Option<DateTime<Utc>>,
    /// The topic, in forums.
    pub topic: Option<i32>,
    /// The message it replies to.
    pub reply_to: Option<i32>,
    /// What it shows.
    pub content: Content,
}

impl Message {
    fn new(message: &Stored, viewer: i64) -> Option<Self> {
        let time = |seconds: i32| DateTime::from_timestamp(seconds.into(), 0).unwrap_or_default();
        Some(Self {
            id: message.id,
            from: message.from,
            outgoing: message.from == viewer,
            date: time(message.date),
            edited: message.edit_date.map(time),
            topic: message.topic,
            reply_to: message.reply_to,
            content: (**message.content()?).clone(),
        })
    }

    /// The text, or the caption of the picture.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.content.text
    }

    /// Whether a picture or a die is attached.
    #[must_use]
    pub fn media(&self) -> Option<&Media> {
        self.content.media.as_ref()
    }
}

impl DataCentre {
    /// The messages of a chat as an account sees them, oldest first, without service messages. The chat is the short
    /// name of a bot, of another account or of a group.
    ///
    /// # Panics
    /// When a name does not exist in the world.
    #[must_use]
    pub fn messages(&self, account: &str, chat: &str) -> Vec<Message> {
        let state = self.inner.state();
        let account = existing(state.account_named(account), account);
        let place = existing(place(&state, account, chat), chat);
        let (of, key) = state.chat_of(place, account);
        let messages = state.messages(of);
        let viewer = state.accounts[account].user_id;
        messages.ids(key).iter().filter_map(|id| Message::new(messages.get(*id)?, viewer)).collect()
    }

    /// A bot writes to an account by itself. Returns the number of the message as the account sees it.
    ///
    /// # Panics
    /// When a name does not exist in the world.
    pub fn bot_says(&self, bot: &str, account: &str, message: impl Into<Content>) -> i32 {
        let mut state = self.inner.state();
        let account = existing(state.account_named(account), account);
        let bot = existing(bot_named(&state, bot), bot);
        let place = Place::Private { account, with: state.bots[bot].user_id };
        let id = self.post_as_bot(&mut state, bot, place, None, message.into());
        i32::try_from(id).unwrap_or(0)
    }

    /// A bot writes to a group by itself, to a topic of it or to none.
    ///
    /// # Panics
    /// When a name does not exist in the world.
    pub fn bot_says_in(&self, bot: &str, group: &str, topic: Option<i32>, message: impl Into<Content>) {
        let mut state = self.inner.state();
        let place = existing(group_place(&state, group), group);
        let bot = existing(bot_named(&state, bot), bot);
        self.post_as_bot(&mut state, bot, place, topic, message.into());
    }

    fn post_as_bot(&self, state: &mut State, bot: usize, place: Place, topic: Option<i32>, content: Content) -> i64 {
        let from = state.bots[bot].user_id;
        let draft = Draft { from, content: Arc::new(content), reply_to: None, topic };
        let id = state.post(place, &draft, self.inner.clock.unix(), None);
        self.inner.bots[bot].memory().sent(Sent { place, id }, None);
        id
    }

    /// A stranger, who is no account of the world, writes to a group, to a topic of it or to none. Bots do not react.
    ///
    /// # Panics
    /// When the group does not exist in the world.
    pub fn member_says(&self, group: &str, stranger: &str, topic: Option<i32>, message: impl Into<Content>) {
        let mut state = self.inner.state();
        let place = existing(group_place(&state, group), group);
        let from = state.stranger(stranger);
        let draft = Draft { from, content: Arc::new(message.into()), reply_to: None, topic };
        state.post(place, &draft, self.inner.clock.unix(), None);
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

fn bot_named(state: &State, name: &str) -> Option<usize> {
    match state.named(name)? {
        Named::User(UserRef::Bot(bot)) => Some(bot),
        _ => None,
    }
}

fn group_place(state: &State, name: &str) -> Option<Place> {
    match state.named(name)? {
        Named::Group(group) => Some(match state.groups[group].kind {
            GroupKind::Basic => Place::Group(group),
            GroupKind::Supergroup => Place::Supergroup(group),
        }),
        Named::User(_) => None,
    }
}

fn place(state: &State, account: usize, chat: &str) -> Option<Place> {
    let with = match state.named(chat)? {
        Named::Group(_) => return group_place(state, chat),
        Named::User(UserRef::Account(other)) => state.accounts[other].user_id,
        Named::User(UserRef::Bot(bot)) => state.bots[bot].user_id,
        Named::User(UserRef::Stranger(stranger)) => state.strangers[stranger].user_id,
    };
    Some(Place::Private { account, with })
}
