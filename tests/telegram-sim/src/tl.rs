//! The world in Telegram's types, as one account sees it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use grammers_tl_types::{Deserializable, Serializable, enums, types};

use crate::content::{Button, ButtonAction, Content, Markup, Media, Photo};
use crate::crypto::sha256;
use crate::state::{Body, BoxRef, Change, ChatKey, State, Stored, UserRef};
use crate::world::GroupKind;

/// The data centre that the simulation is, and the only one.
pub(crate) const DC_ID: i32 = 2;

/// The general topic of every forum.
pub(crate) const GENERAL_TOPIC: i32 = 1;

/// Telegram compares phone numbers by their digits.
pub(crate) fn normalised_phone(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}

/// A value of a type with dozens of optional fields, read from its mandatory ones with no flag set.
#[expect(
    clippy::expect_used,
    reason = "the bytes are constant; a test reads every template"
)]
fn template<T: Deserializable>(mandatory: &[&[u8]]) -> T {
    T::from_bytes(&mandatory.concat()).expect("the template follows the schema")
}

const NO_FLAGS: &[u8] = &[0; 4];
const ZERO_INT: &[u8] = &[0; 4];
const ZERO_LONG: &[u8] = &[0; 8];
const EMPTY_STRING: &[u8] = &[0; 4];

static USER: LazyLock<types::User> = LazyLock::new(|| template(&[NO_FLAGS, NO_FLAGS, ZERO_LONG]));

static MESSAGE: LazyLock<types::Message> = LazyLock::new(|| {
    let peer = user_peer(0).to_bytes();
    template(&[NO_FLAGS, NO_FLAGS, ZERO_INT, &peer, ZERO_INT, EMPTY_STRING])
});

static CHANNEL: LazyLock<types::Channel> = LazyLock::new(|| {
    let photo = enums::ChatPhoto::Empty.to_bytes();
    template(&[
        NO_FLAGS,
        NO_FLAGS,
        ZERO_LONG,
        EMPTY_STRING,
        &photo,
        ZERO_INT,
    ])
});

static CHAT: LazyLock<types::Chat> = LazyLock::new(|| {
    let photo = enums::ChatPhoto::Empty.to_bytes();
    template(&[
        NO_FLAGS,
        ZERO_LONG,
        EMPTY_STRING,
        &photo,
        ZERO_INT,
        ZERO_INT,
        ZERO_INT,
    ])
});

static USER_FULL: LazyLock<types::UserFull> = LazyLock::new(|| {
    let settings = peer_settings().to_bytes();
    let notify = notify_settings().to_bytes();
    template(&[NO_FLAGS, NO_FLAGS, ZERO_LONG, &settings, &notify, ZERO_INT])
});

/// The client configuration, with no addresses: advertised ones would replace those of the session.
pub(crate) fn config(date: i32) -> enums::Config {
    let mut bytes = NO_FLAGS.to_vec();
    (date, date.saturating_add(3600)).0.serialize(&mut bytes);
    date.saturating_add(3600).serialize(&mut bytes);
    false.serialize(&mut bytes);
    DC_ID.serialize(&mut bytes);
    Vec::<enums::DcOption>::new().serialize(&mut bytes);
    // Numbers and strings that no client of this simulation uses.
    let mut config: types::Config = template(&[&bytes, &[0; 256]]);
    config.chat_size_max = 200;
    config.megagroup_size_max = 200_000;
    config.caption_length_max = 1024;
    config.message_length_max = 4096;
    config.edit_time_limit = 172_800;
    config.into()
}

pub(crate) fn user_full(id: i64) -> types::UserFull {
    types::UserFull {
        id,
        ..USER_FULL.clone()
    }
}

pub(crate) fn notify_settings() -> enums::PeerNotifySettings {
    template(&[&0x9962_2c0c_u32.to_le_bytes(), NO_FLAGS])
}

fn peer_settings() -> enums::PeerSettings {
    template(&[&0xf477_41f7_u32.to_le_bytes(), NO_FLAGS])
}

pub(crate) fn user_peer(user_id: i64) -> enums::Peer {
    types::PeerUser { user_id }.into()
}

/// What an access hash is for.
#[derive(Clone, Copy)]
pub(crate) enum Guarded {
    User,
    Supergroup,
    Photo,
}

/// The access hash that `viewer` needs for a thing. As on Telegram, another account's hash is of no use.
pub(crate) fn access_hash(viewer: i64, kind: Guarded, id: i64) -> i64 {
    let hash = sha256(&[&viewer.to_le_bytes(), &[kind as u8], &id.to_le_bytes()]);
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    // Zero is how clients write "none".
    i64::from_le_bytes(first) | 1
}

/// The world through the eyes of one account.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    state: &'a State,
    account: usize,
    user_id: i64,
}

/// Who has to be described along with messages.
#[derive(Default)]
pub(crate) struct Cast {
    users: BTreeSet<i64>,
    groups: BTreeSet<usize>,
}

impl Cast {
    pub(crate) fn user(&mut self, id: i64) {
        self.users.insert(id);
    }

    pub(crate) fn group(&mut self, group: usize) {
        self.groups.insert(group);
    }

    pub(crate) fn chat(&mut self, chat: ChatKey) {
        match chat {
            ChatKey::User(id) => self.user(id),
            ChatKey::Group(group) | ChatKey::Supergroup(group) => self.group(group),
        }
    }

    pub(crate) fn message(&mut self, message: &Stored) {
        self.chat(message.chat);
        self.user(message.from);
    }
}

impl<'a> View<'a> {
    pub(crate) fn new(state: &'a State, account: usize) -> Self {
        Self {
            state,
            account,
            user_id: state.accounts[account].user_id,
        }
    }

    pub(crate) fn user_id(&self) -> i64 {
        self.user_id
    }

    pub(crate) fn user(&self, id: i64) -> enums::User {
        let mut user = types::User {
            id,
            access_hash: Some(access_hash(self.user_id, Guarded::User, id)),
            is_self: id == self.user_id,
            ..USER.clone()
        };
        match self.state.user(id) {
            Some(UserRef::Account(index)) => {
                let account = &self.state.accounts[index];
                user.first_name = Some(account.first_name.to_string());
                user.username.clone_from(&account.username);
                user.phone = user.is_self.then(|| account.phone.clone());
            }
            Some(UserRef::Bot(index)) => {
                let bot = &self.state.bots[index];
                user.bot = true;
                user.bot_info_version = Some(1);
                user.first_name = Some(bot.first_name.to_string());
                user.username = Some(bot.username.clone());
            }
            Some(UserRef::Stranger(index)) => {
                user.first_name = Some(self.state.strangers[index].name.to_string());
            }
            None => user.first_name = Some("Group".to_owned()),
        }
        user.into()
    }

    pub(crate) fn group(&self, index: usize) -> enums::Chat {
        let group = &self.state.groups[index];
        let is_member = group.members.contains(&self.account);
        let participants =
            i32::try_from(group.members.len() + group.bots.len()).unwrap_or(i32::MAX);
        match group.kind {
            GroupKind::Basic => types::Chat {
                id: group.id,
                title: group.title.clone(),
                left: !is_member,
                participants_count: participants,
                version: 1,
                ..CHAT.clone()
            }
            .into(),
            GroupKind::Supergroup => types::Channel {
                id: group.id,
                access_hash: Some(access_hash(self.user_id, Guarded::Supergroup, group.id)),
                title: group.title.clone(),
                username: group.username.clone(),
                megagroup: true,
                forum: group.is_forum(),
                left: !is_member,
                participants_count: Some(participants),
                ..CHANNEL.clone()
            }
            .into(),
        }
    }

    pub(crate) fn users(&self, cast: &Cast) -> Vec<enums::User> {
        cast.users.iter().map(|id| self.user(*id)).collect()
    }

    pub(crate) fn groups(&self, cast: &Cast) -> Vec<enums::Chat> {
        cast.groups.iter().map(|group| self.group(*group)).collect()
    }

    pub(crate) fn peer(&self, chat: ChatKey) -> enums::Peer {
        match chat {
            ChatKey::User(user_id) => user_peer(user_id),
            ChatKey::Group(group) => types::PeerChat {
                chat_id: self.state.groups[group].id,
            }
            .into(),
            ChatKey::Supergroup(group) => types::PeerChannel {
                channel_id: self.state.groups[group].id,
            }
            .into(),
        }
    }

    pub(crate) fn message(&self, message: &Stored) -> enums::Message {
        let is_private = matches!(message.chat, ChatKey::User(_));
        let from_id = (!is_private).then(|| user_peer(message.from));
        match &message.body {
            Body::Content(content) => types::Message {
                out: message.from == self.user_id,
                id: message.id,
                from_id,
                peer_id: self.peer(message.chat),
                reply_to: reply_header(message),
                date: message.date,
                message: content.text.clone(),
                media: content
                    .media
                    .as_ref()
                    .map(|media| self.media(media, message.date)),
                reply_markup: content.markup.as_ref().map(markup),
                edit_date: message.edit_date,
                ..MESSAGE.clone()
            }
            .into(),
            Body::TopicCreated { title } => types::MessageService {
                out: false,
                mentioned: false,
                media_unread: false,
                reactions_are_possible: false,
                silent: false,
                post: false,
                legacy: false,
                id: message.id,
                from_id,
                peer_id: self.peer(message.chat),
                saved_peer_id: None,
                reply_to: None,
                date: message.date,
                action: types::MessageActionTopicCreate {
                    title_missing: false,
                    title: title.clone(),
                    icon_color: TOPIC_COLOUR,
                    icon_emoji_id: None,
                }
                .into(),
                reactions: None,
                ttl_period: None,
            }
            .into(),
        }
    }

    fn media(&self, media: &Media, date: i32) -> enums::MessageMedia {
        match media {
            Media::Photo(photo) => types::MessageMediaPhoto {
                spoiler: false,
                live_photo: false,
                photo: Some(self.photo(photo, date)),
                ttl_seconds: None,
                video: None,
            }
            .into(),
            Media::Dice { emoji, value } => types::MessageMediaDice {
                value: *value,
                emoticon: emoji.clone(),
                game_outcome: None,
            }
            .into(),
        }
    }

    fn photo(&self, photo: &Photo, date: i32) -> enums::Photo {
        let (w, h) = photo.size();
        let size = i32::try_from(photo.bytes().len()).unwrap_or(i32::MAX);
        types::Photo {
            has_stickers: false,
            id: photo.id(),
            access_hash: access_hash(self.user_id, Guarded::Photo, photo.id()),
            file_reference: file_reference(self.user_id, photo.id()),
            date,
            sizes: vec![
                types::PhotoSize {
                    r#type: PHOTO_SIZE.to_owned(),
                    w,
                    h,
                    size,
                }
                .into(),
            ],
            video_sizes: None,
            dc_id: DC_ID,
        }
        .into()
    }

    /// The update that tells this account about a change.
    pub(crate) fn update(&self, of: BoxRef, change: &Change, pts: i32) -> Option<enums::Update> {
        let messages = self.state.messages(of);
        let pts_count = change.count();
        let message = |id: &i32| messages.get(*id).map(|message| self.message(message));
        Some(match (of, change) {
            (BoxRef::Account(_), Change::New(id)) => types::UpdateNewMessage {
                message: message(id)?,
                pts,
                pts_count,
            }
            .into(),
            (BoxRef::Supergroup(_), Change::New(id)) => types::UpdateNewChannelMessage {
                message: message(id)?,
                pts,
                pts_count,
            }
            .into(),
            (BoxRef::Account(_), Change::Edited(id)) => types::UpdateEditMessage {
                message: message(id)?,
                pts,
                pts_count,
            }
            .into(),
            (BoxRef::Supergroup(_), Change::Edited(id)) => types::UpdateEditChannelMessage {
                message: message(id)?,
                pts,
                pts_count,
            }
            .into(),
            (BoxRef::Account(_), Change::Deleted(ids)) => types::UpdateDeleteMessages {
                messages: ids.clone(),
                pts,
                pts_count,
            }
            .into(),
            (BoxRef::Supergroup(group), Change::Deleted(ids)) => {
                types::UpdateDeleteChannelMessages {
                    channel_id: self.state.groups[group].id,
                    messages: ids.clone(),
                    pts,
                    pts_count,
                }
                .into()
            }
            (BoxRef::Account(_), Change::Read(chat, max_id)) => types::UpdateReadHistoryInbox {
                folder_id: None,
                peer: self.peer(*chat),
                top_msg_id: None,
                max_id: *max_id,
                still_unread_count: messages.unread(*chat, *max_id, self.user_id),
                pts,
                pts_count,
            }
            .into(),
            // What is read in a supergroup is kept per member and moves no state.
            (BoxRef::Supergroup(_), Change::Read(..)) => return None,
        })
    }

    /// The newest change of a box as it is pushed.
    pub(crate) fn updates(&self, of: BoxRef, change: &Change) -> enums::Updates {
        let update = self.update(of, change, self.state.messages(of).pts());
        self.envelope(
            of,
            update.into_iter().collect(),
            std::slice::from_ref(change),
        )
    }

    pub(crate) fn envelope(
        &self,
        of: BoxRef,
        updates: Vec<enums::Update>,
        about: &[Change],
    ) -> enums::Updates {
        let mut cast = Cast::default();
        let mut date = 0;
        for change in about {
            match change {
                Change::New(id) | Change::Edited(id) => {
                    if let Some(message) = self.state.messages(of).get(*id) {
                        cast.message(message);
                        date = message.edit_date.unwrap_or(message.date);
                    }
                }
                Change::Read(chat, _) => cast.chat(*chat),
                Change::Deleted(_) => {}
            }
        }
        types::Updates {
            updates,
            users: self.users(&cast),
            chats: self.groups(&cast),
            date,
            seq: 0,
        }
        .into()
    }
}

/// The only size a photo comes in: "y", Telegram's name for up to 1280 pixels.
pub(crate) const PHOTO_SIZE: &str = "y";

/// Telegram's first topic colour.
pub(crate) const TOPIC_COLOUR: i32 = 0x6f_b9f0;

/// References are bound to an account, as on Telegram, but do not expire.
pub(crate) fn file_reference(viewer: i64, photo: i64) -> Vec<u8> {
    sha256(&[
        b"file reference",
        &viewer.to_le_bytes(),
        &photo.to_le_bytes(),
    ])[..16]
        .to_vec()
}

fn reply_header(message: &Stored) -> Option<enums::MessageReplyHeader> {
    let in_topic = message.topic.is_some_and(|topic| topic != GENERAL_TOPIC);
    let topic = message.topic.filter(|_| in_topic);
    let reply_to = message.reply_to.or(topic)?;
    Some(
        types::MessageReplyHeader {
            reply_to_scheduled: false,
            forum_topic: in_topic,
            quote: false,
            reply_to_ephemeral: false,
            reply_to_msg_id: Some(reply_to),
            reply_to_peer_id: None,
            reply_from: None,
            reply_media: None,
            reply_to_top_id: topic.filter(|_| message.reply_to.is_some()),
            quote_text: None,
            quote_entities: None,
            quote_offset: None,
            todo_item_id: None,
            poll_option: None,
        }
        .into(),
    )
}

fn markup(markup: &Markup) -> enums::ReplyMarkup {
    match markup {
        Markup::Inline(rows) => types::ReplyInlineMarkup {
            force_reply: false,
            rows: rows
                .iter()
                .map(|row| {
                    types::KeyboardInlineButtonRow {
                        buttons: row.iter().map(inline_button).collect(),
                    }
                    .into()
                })
                .collect(),
        }
        .into(),
        Markup::Keyboard(rows) => types::ReplyKeyboardMarkup {
            resize: true,
            single_use: false,
            selective: false,
            persistent: false,
            force_reply: false,
            rows: rows
                .iter()
                .map(|row| {
                    let key = |text: &String| {
                        types::KeyboardButton {
                            style: None,
                            text: text.clone(),
                            r#type: enums::ButtonType::Default,
                        }
                        .into()
                    };
                    types::KeyboardButtonRow {
                        buttons: row.iter().map(key).collect(),
                    }
                    .into()
                })
                .collect(),
            placeholder: None,
        }
        .into(),
        Markup::RemoveKeyboard => types::ReplyKeyboardHide { selective: false }.into(),
    }
}

fn inline_button(button: &Button) -> enums::KeyboardInlineButton {
    let kind = match &button.action {
        ButtonAction::Callback(data) => types::InlineButtonTypeCallback {
            requires_password: false,
            data: data.clone(),
        }
        .into(),
        ButtonAction::Url(url) => types::InlineButtonTypeUrl { url: url.clone() }.into(),
    };
    types::KeyboardInlineButton {
        style: None,
        text: button.text.clone(),
        r#type: kind,
    }
    .into()
}

/// The longest text of a message, in characters.
pub(crate) const MAX_TEXT_LENGTH: usize = 4096;

/// Whether Telegram would take this as a message.
pub(crate) fn is_sendable(content: &Content) -> bool {
    (!content.text.is_empty() || content.media.is_some())
        && content.text.chars().count() <= MAX_TEXT_LENGTH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_follows_the_schema() {
        LazyLock::force(&USER);
        LazyLock::force(&MESSAGE);
        LazyLock::force(&CHANNEL);
        LazyLock::force(&CHAT);
        LazyLock::force(&USER_FULL);
        let enums::Config::Config(config) = config(7);
        assert_eq!(
            (config.date, config.expires, config.this_dc),
            (7, 3607, DC_ID)
        );
        assert_eq!(config.dc_options, []);
    }

    #[test]
    fn access_hashes_differ_by_viewer_kind_and_thing() {
        let hashes = [
            access_hash(1, Guarded::User, 2),
            access_hash(3, Guarded::User, 2),
            access_hash(1, Guarded::Supergroup, 2),
            access_hash(1, Guarded::User, 4),
        ];
        assert_eq!(hashes.iter().collect::<BTreeSet<_>>().len(), hashes.len());
        assert!(!hashes.contains(&0));
    }
}
