//! Users, groups, messages and updates through the eyes of one account.

use std::collections::BTreeSet;

use grammers_tl_types::{enums, types};

use super::markup::{album_id, forward_header, markup, no_results, poll_of, reply_header};
use super::templates::{CHANNEL, CHAT, MESSAGE, USER};
use super::{DC_ID, Guarded, PHOTO_SIZE, TOPIC_COLOUR, access_hash, file_reference, user_peer};
use crate::content::{Content, Document, Media, Photo};
use crate::state::{Body, BoxRef, Change, ChatKey, State, Stored, UserRef};
use crate::world::GroupKind;

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
        Self { state, account, user_id: state.accounts[account].user_id }
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
        let participants = i32::try_from(group.members.len() + group.bots.len()).unwrap_or(i32::MAX);
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
                megagroup: !group.broadcast,
                broadcast: group.broadcast,
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
            ChatKey::Group(group) => types::PeerChat { chat_id: self.state.groups[group].id }.into(),
            ChatKey::Supergroup(group) => types::PeerChannel { channel_id: self.state.groups[group].id }.into(),
        }
    }

    pub(crate) fn message(&self, message: &Stored) -> enums::Message {
        let anonymous = message.content().is_some_and(|content| content.anonymous);
        let from_id = match message.chat {
            ChatKey::User(_) => None,
            ChatKey::Supergroup(group) if self.state.groups[group].broadcast => None,
            _ if anonymous => Some(self.peer(message.chat)),
            _ => Some(user_peer(message.from)),
        };
        let is_poll = |content: &Content| matches!(content.media, Some(Media::Poll(_)));
        match &message.body {
            Body::Content(content) => types::Message {
                out: message.from == self.user_id,
                id: message.id,
                from_id,
                peer_id: self.peer(message.chat),
                reply_to: reply_header(message),
                date: message.date,
                post: matches!(message.chat, ChatKey::Supergroup(group) if self.state.groups[group].broadcast),
                // The text of a poll is its question.
                message: if is_poll(content) { String::new() } else { content.text.clone() },
                media: content.media.as_ref().map(|media| self.media(media, content, message)),
                grouped_id: content.album.as_deref().map(album_id),
                fwd_from: content.forwarded.then(|| forward_header(message.date)),
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

    fn media(&self, media: &Media, content: &Content, message: &Stored) -> enums::MessageMedia {
        match media {
            Media::Document(document) => types::MessageMediaDocument {
                nopremium: false,
                spoiler: false,
                video: false,
                round: false,
                voice: false,
                document: Some(self.document(document, message.date)),
                alt_documents: None,
                video_cover: None,
                video_timestamp: None,
                ttl_seconds: None,
            }
            .into(),
            Media::Poll(poll) => types::MessageMediaPoll {
                poll: poll_of(poll, &content.text, message.id),
                results: no_results(),
                attached_media: None,
            }
            .into(),
            Media::Photo(photo) => types::MessageMediaPhoto {
                spoiler: false,
                live_photo: false,
                photo: Some(self.photo(photo, message.date)),
                ttl_seconds: None,
                video: None,
            }
            .into(),
            Media::Dice { emoji, value } => {
                types::MessageMediaDice { value: *value, emoticon: emoji.clone(), game_outcome: None }.into()
            }
        }
    }

    fn document(&self, document: &Document, date: i32) -> enums::Document {
        let file_name = document.name().to_owned();
        types::Document {
            id: document.id(),
            access_hash: access_hash(self.user_id, Guarded::Document, document.id()),
            file_reference: file_reference(self.user_id, document.id()),
            date,
            mime_type: document.mime_type().to_owned(),
            size: i64::try_from(document.bytes().len()).unwrap_or(i64::MAX),
            thumbs: None,
            video_thumbs: None,
            dc_id: DC_ID,
            attributes: vec![types::DocumentAttributeFilename { file_name }.into()],
        }
        .into()
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
            sizes: vec![types::PhotoSize { r#type: PHOTO_SIZE.to_owned(), w, h, size }.into()],
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
            (BoxRef::Account(_), Change::New(id)) => {
                types::UpdateNewMessage { message: message(id)?, pts, pts_count }.into()
            }
            (BoxRef::Supergroup(_), Change::New(id)) => {
                types::UpdateNewChannelMessage { message: message(id)?, pts, pts_count }.into()
            }
            (BoxRef::Account(_), Change::Edited(id)) => {
                types::UpdateEditMessage { message: message(id)?, pts, pts_count }.into()
            }
            (BoxRef::Supergroup(_), Change::Edited(id)) => {
                types::UpdateEditChannelMessage { message: message(id)?, pts, pts_count }.into()
            }
            (BoxRef::Account(_), Change::Deleted(ids)) => {
                types::UpdateDeleteMessages { messages: ids.clone(), pts, pts_count }.into()
            }
            (BoxRef::Supergroup(group), Change::Deleted(ids)) => types::UpdateDeleteChannelMessages {
                channel_id: self.state.groups[group].id,
                messages: ids.clone(),
                pts,
                pts_count,
            }
            .into(),
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
        self.envelope(of, update.into_iter().collect(), std::slice::from_ref(change))
    }

    pub(crate) fn envelope(&self, of: BoxRef, updates: Vec<enums::Update>, about: &[Change]) -> enums::Updates {
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
        types::Updates { updates, users: self.users(&cast), chats: self.groups(&cast), date, seq: 0 }.into()
    }
}
