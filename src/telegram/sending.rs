//! The requests that add a message to a chat.

use grammers_tl_types as tl;

use super::connection::Connection;
use super::error::CallError;
use super::messages::Chat;
use super::peer::Peer;
use crate::script::Outgoing;

/// Sends a message, in the topic of the chat if it has one. `original` is what is forwarded.
pub async fn send(
    connection: &Connection,
    chat: &Chat,
    message: &Outgoing,
    original: Option<(Peer, i32)>,
    random_id: i64,
) -> Result<tl::enums::Updates, CallError> {
    match message {
        Outgoing::Text { text, reply_to } => connection.call(&text_message(chat, text, *reply_to, random_id)).await,
        Outgoing::Start(parameter) => {
            let Some(bot) = chat.peer.input_user() else {
                return Err(CallError::Refused { code: 400, name: "BOT_INVALID".to_owned() });
            };
            let (peer, start_param) = (chat.peer.input(), parameter.clone());
            connection.call(&tl::functions::messages::StartBot { bot, peer, random_id, start_param }).await
        }
        Outgoing::Dice(emoji) => connection.call(&dice(chat, emoji, random_id)).await,
        Outgoing::Forward(_) => {
            let Some((from, message_id)) = original else {
                return Err(CallError::Refused { code: 400, name: "MESSAGE_ID_INVALID".to_owned() });
            };
            connection.call(&forwarded(chat, from, message_id, random_id)).await
        }
    }
}

fn reply_header(chat: &Chat, reply_to: Option<i32>) -> Option<tl::enums::InputReplyTo> {
    // The general topic has no root to answer.
    let topic = chat.topic.filter(|topic| *topic != 1);
    let header = |message| {
        tl::enums::InputReplyTo::Message(tl::types::InputReplyToMessage {
            reply_to_msg_id: message,
            top_msg_id: topic,
            reply_to_peer_id: None,
            quote_text: None,
            quote_entities: None,
            quote_offset: None,
            monoforum_peer_id: None,
            todo_item_id: None,
            poll_option: None,
        })
    };
    reply_to.or(topic).map(header)
}

/// A request that adds a message, with nothing out of the ordinary about it.
macro_rules! ordinary {
    ($method:ident { $($field:ident: $value:expr),* $(,)? }) => {
        tl::functions::messages::$method {
            $($field: $value,)*
            silent: false,
            background: false,
            clear_draft: false,
            noforwards: false,
            update_stickersets_order: false,
            invert_media: false,
            allow_paid_floodskip: false,
            reply_markup: None,
            entities: None,
            schedule_date: None,
            schedule_repeat_period: None,
            send_as: None,
            quick_reply_shortcut: None,
            effect: None,
            allow_paid_stars: None,
            suggested_post: None,
        }
    };
}

fn text_message(
    chat: &Chat,
    text: &str,
    reply_to: Option<i32>,
    random_id: i64,
) -> tl::functions::messages::SendMessage {
    ordinary!(SendMessage {
        no_webpage: true,
        peer: chat.peer.input(),
        reply_to: reply_header(chat, reply_to),
        message: text.to_owned(),
        random_id: random_id,
        rich_message: None,
    })
}

fn dice(chat: &Chat, emoji: &str, random_id: i64) -> tl::functions::messages::SendMedia {
    ordinary!(SendMedia {
        peer: chat.peer.input(),
        reply_to: reply_header(chat, None),
        media: tl::types::InputMediaDice { emoticon: emoji.to_owned() }.into(),
        message: String::new(),
        random_id: random_id,
    })
}

fn forwarded(chat: &Chat, from: Peer, message_id: i32, random_id: i64) -> tl::functions::messages::ForwardMessages {
    tl::functions::messages::ForwardMessages {
        silent: false,
        background: false,
        with_my_score: false,
        drop_author: false,
        drop_media_captions: false,
        noforwards: false,
        allow_paid_floodskip: false,
        from_ephemeral: false,
        from_peer: from.input(),
        id: vec![message_id],
        random_id: vec![random_id],
        to_peer: chat.peer.input(),
        top_msg_id: chat.topic.filter(|topic| *topic != 1),
        reply_to: None,
        schedule_date: None,
        schedule_repeat_period: None,
        send_as: None,
        quick_reply_shortcut: None,
        effect: None,
        video_timestamp: None,
        allow_paid_stars: None,
        suggested_post: None,
    }
}

/// Id and date of the message that Telegram took under `random_id`.
pub fn sent_message(updates: &tl::enums::Updates, random_id: i64) -> Option<(i32, i64)> {
    let (updates, date) = match updates {
        tl::enums::Updates::UpdateShortSentMessage(sent) => return Some((sent.id, sent.date.into())),
        tl::enums::Updates::Updates(all) => (&all.updates, all.date),
        tl::enums::Updates::Combined(all) => (&all.updates, all.date),
        _ => return None,
    };
    updates.iter().find_map(|update| match update {
        tl::enums::Update::MessageId(named) if named.random_id == random_id => Some((named.id, date.into())),
        _ => None,
    })
}
