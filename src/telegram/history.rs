//! Reading a chat's history, and taking from it.

use grammers_tl_types as tl;

use super::connection::Connection;
use super::error::CallError;
use super::messages::{Chat, id_and_date};
use super::peer::Peer;
use crate::script::ChatMessage;

/// Messages in one request; Telegram gives no more.
const PAGE: i32 = 100;

/// Pages read at most: a busy group must not keep a run for ever. Enough for what a chat brings while a slot may be made up for; an own
/// message beyond that is taken for one that was not sent, and only its `random_id` keeps it from being sent twice.
const MOST_PAGES: usize = 30;

/// The newest messages of the chat, newest first.
pub async fn newest(connection: &Connection, chat: &mut Chat) -> Result<Vec<ChatMessage>, CallError> {
    let messages = page(connection, chat, 0).await?;
    Ok(messages.iter().filter_map(|message| chat.message(message)).collect())
}

/// The messages since an instant, in Unix seconds of Telegram's clock, oldest first.
pub async fn since(connection: &Connection, chat: &mut Chat, since: i64) -> Result<Vec<ChatMessage>, CallError> {
    let mut found = Vec::new();
    let mut before = 0;
    for _ in 0..MOST_PAGES {
        let messages = page(connection, chat, before).await?;
        let Some((lowest, oldest)) = messages.iter().filter_map(id_and_date).min() else { break };
        found.extend(messages.iter().filter_map(|message| chat.message(message)));
        if i64::from(oldest) < since {
            break;
        }
        before = lowest;
    }
    found.retain(|message| message.edited.unwrap_or(message.date) >= since);
    found.sort_by_key(|message| message.id);
    Ok(found)
}

/// A request for the page before a message, newest first; 0 asks for the newest.
macro_rules! page_before {
    ($method:ident { $($field:ident),* }, $before:expr) => {
        tl::functions::messages::$method {
            $($field,)*
            offset_id: $before,
            offset_date: 0,
            add_offset: 0,
            limit: PAGE,
            max_id: 0,
            min_id: 0,
            hash: 0,
        }
    };
}

async fn page(connection: &Connection, chat: &mut Chat, before: i32) -> Result<Vec<tl::enums::Message>, CallError> {
    let peer = chat.peer.input();
    let answer = match chat.topic {
        None => connection.call(&page_before!(GetHistory { peer }, before)).await?,
        Some(msg_id) => connection.call(&page_before!(GetReplies { peer, msg_id }, before)).await?,
    };
    let (messages, users) = match answer {
        tl::enums::messages::Messages::Messages(all) => (all.messages, all.users),
        tl::enums::messages::Messages::Slice(part) => (part.messages, part.users),
        tl::enums::messages::Messages::ChannelMessages(part) => (part.messages, part.users),
        tl::enums::messages::Messages::NotModified(_) => (Vec::new(), Vec::new()),
    };
    chat.meet(&users);
    Ok(messages)
}

/// Deletes own messages for everybody.
pub async fn delete(connection: &Connection, peer: Peer, ids: Vec<i32>) -> Result<(), CallError> {
    match peer.input_channel() {
        Some(channel) => connection.call(&tl::functions::channels::DeleteMessages { channel, id: ids }).await.map(drop),
        None => connection.call(&tl::functions::messages::DeleteMessages { revoke: true, id: ids }).await.map(drop),
    }
}
