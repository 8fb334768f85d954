//! Telegram's messages as the script sees them.

use std::collections::BTreeSet;

use grammers_session::updates::UpdatesLike;
use grammers_tl_types as tl;

use super::peer::Peer;
use crate::script::{Button, ButtonKind, ChatMessage, Link, Media, Mention, Place, Sender};

/// The topic that messages of a forum belong to when they name none.
const GENERAL_TOPIC: i32 = 1;

/// Something that was heard in the chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A new message.
    Message(ChatMessage),
    /// A new version of a message.
    Edited(ChatMessage),
    /// Messages that are gone.
    Deleted(Vec<i32>),
    /// Something may have been lost; the chat's history has to be read.
    Gap,
}

/// One chat as one account sees it.
#[derive(Debug)]
pub struct Chat {
    /// The chat.
    pub peer: Peer,
    /// Only this forum topic.
    pub topic: Option<i32>,
    my_id: i64,
    /// Bots among the senders that were introduced so far.
    bots: BTreeSet<i64>,
}

impl Chat {
    /// The chat, or one topic of it, as the account with the id `my_id` sees it.
    pub fn new(peer: Peer, topic: Option<i32>, my_id: i64) -> Self {
        let bots = match peer {
            Peer::User { id, bot: true, .. } => BTreeSet::from([id]),
            _ => BTreeSet::new(),
        };
        Self { peer, topic, my_id, bots }
    }

    /// The chat as the script tells places apart.
    pub fn place(&self) -> Place {
        match self.peer {
            Peer::User { id, .. } => Place::Private { peer: id },
            Peer::Channel { broadcast: true, .. } => Place::Channel,
            Peer::Group { .. } | Peer::Channel { .. } => Place::Group,
        }
    }

    /// What an update says about this chat.
    pub fn hear(&mut self, updates: UpdatesLike) -> Vec<Heard> {
        match updates {
            UpdatesLike::Updates(updates) => self.hear_updates(updates),
            UpdatesLike::ConnectionClosed | UpdatesLike::MalformedUpdates => vec![Heard::Gap],
            _ => Vec::new(),
        }
    }

    fn hear_updates(&mut self, updates: tl::enums::Updates) -> Vec<Heard> {
        use tl::enums::Updates;
        let (updates, users) = match updates {
            Updates::TooLong => return vec![Heard::Gap],
            Updates::UpdateShortMessage(short) => return self.hear_short(&short).into_iter().collect(),
            Updates::UpdateShortChatMessage(short) => return self.hear_short_in_group(&short).into_iter().collect(),
            Updates::UpdateShortSentMessage(_) => return Vec::new(),
            Updates::UpdateShort(short) => (vec![short.update], Vec::new()),
            Updates::Combined(all) => (all.updates, all.users),
            Updates::Updates(all) => (all.updates, all.users),
        };
        self.meet(&users);
        updates.into_iter().filter_map(|update| self.hear_one(update)).collect()
    }

    fn hear_one(&self, update: tl::enums::Update) -> Option<Heard> {
        use tl::enums::Update;
        match update {
            Update::NewMessage(new) => self.message(&new.message).map(Heard::Message),
            Update::NewChannelMessage(new) => self.message(&new.message).map(Heard::Message),
            Update::EditMessage(edit) => self.edited(&edit.message),
            Update::EditChannelMessage(edit) => self.edited(&edit.message),
            Update::DeleteMessages(gone) if !matches!(self.peer, Peer::Channel { .. }) => {
                Some(Heard::Deleted(gone.messages))
            }
            Update::DeleteChannelMessages(gone) => {
                let here = matches!(self.peer, Peer::Channel { id, .. } if id == gone.channel_id);
                here.then_some(Heard::Deleted(gone.messages))
            }
            Update::ChannelTooLong(gap) => {
                matches!(self.peer, Peer::Channel { id, .. } if id == gap.channel_id).then_some(Heard::Gap)
            }
            _ => None,
        }
    }

    fn edited(&self, message: &tl::enums::Message) -> Option<Heard> {
        let mut message = self.message(message)?;
        // Telegram leaves the date out of edits it does not call edits, such as a keyboard that changed.
        message.edited = message.edited.or(Some(message.date));
        Some(Heard::Edited(message))
    }

    fn hear_short(&self, short: &tl::types::UpdateShortMessage) -> Option<Heard> {
        let Peer::User { id, .. } = self.peer else { return None };
        let from = self.sender(if short.out { self.my_id } else { id });
        (short.user_id == id).then(|| {
            Heard::Message(ChatMessage {
                outgoing: short.out,
                reply_to: Self::reply(short.reply_to.as_ref()).0,
                mention: mention(short.mentioned, short.entities.as_deref()),
                forwarded: short.fwd_from.is_some(),
                ..plain(short.id, from, short.date, &short.message)
            })
        })
    }

    fn hear_short_in_group(&self, short: &tl::types::UpdateShortChatMessage) -> Option<Heard> {
        let Peer::Group { id } = self.peer else { return None };
        (short.chat_id == id).then(|| {
            Heard::Message(ChatMessage {
                outgoing: short.out,
                reply_to: Self::reply(short.reply_to.as_ref()).0,
                mention: mention(short.mentioned, short.entities.as_deref()),
                forwarded: short.fwd_from.is_some(),
                ..plain(short.id, self.sender(short.from_id), short.date, &short.message)
            })
        })
    }

    /// Remembers which users are bots.
    pub fn meet(&mut self, users: &[tl::enums::User]) {
        let bots = users.iter().filter_map(|user| match user {
            tl::enums::User::User(user) if user.bot => Some(user.id),
            _ => None,
        });
        self.bots.extend(bots);
    }

    /// The message, when it belongs to this chat and topic and is no service message.
    pub fn message(&self, message: &tl::enums::Message) -> Option<ChatMessage> {
        let tl::enums::Message::Message(message) = message else { return None };
        if !self.peer.is(&message.peer_id) {
            return None;
        }
        let (reply_to, topic) = Self::reply(message.reply_to.as_ref());
        if self.topic.is_some_and(|wanted| wanted != topic) {
            return None;
        }
        let mut heard = ChatMessage {
            outgoing: message.out,
            edited: message.edit_date.map(i64::from),
            keyboard: message.reply_markup.as_ref().map(keyboard).unwrap_or_default(),
            media: message.media.as_ref().map(media).unwrap_or_default(),
            reply_to,
            mention: mention(message.mentioned, message.entities.as_deref()),
            forwarded: message.fwd_from.is_some(),
            ..plain(message.id, self.sender_of(message), message.date, &message.message)
        };
        if let Some(tl::enums::MessageMedia::Poll(poll)) = &message.media {
            add_poll(&mut heard, &poll.poll);
        }
        Some(heard)
    }

    fn sender(&self, id: i64) -> Sender {
        Sender::Peer { id, is_bot: self.bots.contains(&id) }
    }

    fn sender_of(&self, message: &tl::types::Message) -> Sender {
        match (&message.from_id, self.peer) {
            (Some(tl::enums::Peer::User(user)), _) => self.sender(user.user_id),
            (Some(tl::enums::Peer::Channel(channel)), Peer::Channel { id, .. }) if channel.channel_id == id => {
                Sender::AnonymousAdmin
            }
            (None, _) if message.out => self.sender(self.my_id),
            (None, Peer::User { id, .. }) => self.sender(id),
            _ => Sender::Channel,
        }
    }

    /// The message that is answered and the topic. Every message of a topic names its root, answers or not.
    fn reply(header: Option<&tl::enums::MessageReplyHeader>) -> (Option<i32>, i32) {
        let Some(tl::enums::MessageReplyHeader::Header(header)) = header else { return (None, GENERAL_TOPIC) };
        match (header.forum_topic, header.reply_to_top_id) {
            (true, Some(top)) => (header.reply_to_msg_id, top),
            (true, None) => (None, header.reply_to_msg_id.unwrap_or(GENERAL_TOPIC)),
            (false, _) => (header.reply_to_msg_id, GENERAL_TOPIC),
        }
    }
}

/// A text and nothing else.
fn plain(id: i32, from: Sender, date: i32, text: &str) -> ChatMessage {
    ChatMessage {
        id,
        from,
        outgoing: false,
        date: date.into(),
        edited: None,
        text: text.to_owned(),
        keyboard: Vec::new(),
        media: Media::None,
        reply_to: None,
        mention: Mention::Nobody,
        forwarded: false,
    }
}

/// The question of a poll is what it says, and its answers are buttons.
fn add_poll(message: &mut ChatMessage, poll: &tl::enums::Poll) {
    let tl::enums::Poll::Poll(poll) = poll;
    let tl::enums::TextWithEntities::Entities(question) = &poll.question;
    if message.text.is_empty() {
        message.text.clone_from(&question.text);
    }
    message.keyboard.extend(poll.answers.iter().filter_map(|answer| {
        let tl::enums::PollAnswer::Answer(answer) = answer else { return None };
        let tl::enums::TextWithEntities::Entities(text) = &answer.text;
        let kind = if poll.closed { ButtonKind::Other } else { ButtonKind::Vote { option: answer.option.clone() } };
        Some(vec![Button { text: text.text.clone(), kind }])
    }));
}

fn mention(me: bool, entities: Option<&[tl::enums::MessageEntity]>) -> Mention {
    let somebody = entities.unwrap_or_default().iter().any(|entity| {
        matches!(entity, tl::enums::MessageEntity::Mention(_) | tl::enums::MessageEntity::MentionName(_))
    });
    match (me, somebody) {
        (true, _) => Mention::Me,
        (false, true) => Mention::Others,
        (false, false) => Mention::Nobody,
    }
}

fn media(media: &tl::enums::MessageMedia) -> Media {
    match media {
        tl::enums::MessageMedia::Empty | tl::enums::MessageMedia::WebPage(_) => Media::None,
        tl::enums::MessageMedia::Photo(_) => Media::Photo,
        tl::enums::MessageMedia::Document(media) if picture(media).is_some() => Media::Photo,
        tl::enums::MessageMedia::Document(_) => Media::Document,
        tl::enums::MessageMedia::Dice(_) => Media::Dice,
        _ => Media::Other,
    }
}

/// The document, when it is a picture that was sent as a file.
pub(super) fn picture(media: &tl::types::MessageMediaDocument) -> Option<&tl::types::Document> {
    let Some(tl::enums::Document::Document(document)) = &media.document else { return None };
    let moves = document.attributes.iter().any(|attribute| {
        use tl::enums::DocumentAttribute as Attribute;
        matches!(attribute, Attribute::Sticker(_) | Attribute::Animated | Attribute::CustomEmoji(_))
    });
    let still = matches!(document.mime_type.as_str(), "image/png" | "image/jpeg" | "image/webp");
    (still && !moves).then_some(document)
}

fn keyboard(markup: &tl::enums::ReplyMarkup) -> Vec<Vec<Button>> {
    use tl::enums::{KeyboardButton, KeyboardButtonRow, KeyboardInlineButton, KeyboardInlineButtonRow, ReplyMarkup};
    match markup {
        ReplyMarkup::ReplyInlineMarkup(inline) => {
            let rows = inline.rows.iter().map(|KeyboardInlineButtonRow::Row(row)| row.buttons.iter());
            rows.map(|row| row.map(|KeyboardInlineButton::Button(button)| inline_button(button)).collect()).collect()
        }
        ReplyMarkup::ReplyKeyboardMarkup(reply) => {
            let rows = reply.rows.iter().map(|KeyboardButtonRow::Row(row)| row.buttons.iter());
            rows.map(|row| row.map(|KeyboardButton::Button(button)| reply_button(button)).collect()).collect()
        }
        _ => Vec::new(),
    }
}

fn inline_button(button: &tl::types::KeyboardInlineButton) -> Button {
    use tl::enums::InlineButtonType as Kind;
    let kind = match &button.r#type {
        Kind::Callback(callback) if callback.requires_password => ButtonKind::RequestsPassword,
        Kind::Callback(callback) => ButtonKind::Callback { data: callback.data.clone() },
        Kind::Url(link) => ButtonKind::Url(Link { url: link.url.clone(), login: None }),
        Kind::UrlAuth(link) => ButtonKind::Url(Link { url: link.url.clone(), login: Some(link.button_id) }),
        Kind::WebView(_) => ButtonKind::MiniApp,
        _ => ButtonKind::Other,
    };
    Button { text: button.text.clone(), kind }
}

fn reply_button(button: &tl::types::KeyboardButton) -> Button {
    let kind = match &button.r#type {
        tl::enums::ButtonType::Default => ButtonKind::Reply,
        tl::enums::ButtonType::SimpleWebView(_) => ButtonKind::MiniApp,
        _ => ButtonKind::Other,
    };
    Button { text: button.text.clone(), kind }
}

/// Id and date of a message, for paging.
pub(super) fn id_and_date(message: &tl::enums::Message) -> Option<(i32, i32)> {
    match message {
        tl::enums::Message::Message(message) => Some((message.id, message.date)),
        tl::enums::Message::Service(message) => Some((message.id, message.date)),
        tl::enums::Message::Empty(_) => None,
    }
}
