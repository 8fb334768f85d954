//! Reading messages, searching, marking as read.

use grammers_tl_types::{enums, functions as f, types};

use super::peers::{self, Need};
use super::{Call, RpcError, RpcResult, answer};
use crate::content::Media;
use crate::state::{BoxRef, ChatKey, Place, State, Stored, Window};
use crate::tl::{Cast, View};

/// A page of a list of messages, newest first.
fn page(state: &State, account: usize, of: BoxRef, ids: &[i32], window: Window) -> enums::messages::Messages {
    let messages = state.messages(of);
    let range = window.page(ids, |id| messages.date_of(id));
    let is_everything = range.len() == ids.len();
    let found: Vec<&Stored> = ids[range].iter().rev().filter_map(|id| messages.get(*id)).collect();
    let count = i32::try_from(ids.len()).unwrap_or(i32::MAX);
    list(state, account, of, &found, (!is_everything).then_some(count))
}

/// Messages with everyone in them. `total` is given when there are more.
fn list(state: &State, account: usize, of: BoxRef, found: &[&Stored], total: Option<i32>) -> enums::messages::Messages {
    let view = View::new(state, account);
    let mut cast = Cast::default();
    for message in found {
        cast.message(message);
    }
    if let BoxRef::Supergroup(group) = of {
        cast.group(group);
    }
    let messages = found.iter().map(|message| view.message(message)).collect();
    let (chats, users) = (view.groups(&cast), view.users(&cast));
    let length = i32::try_from(found.len()).unwrap_or(i32::MAX);
    match (of, total) {
        (BoxRef::Supergroup(_), _) => types::messages::ChannelMessages {
            inexact: false,
            pts: state.messages(of).pts(),
            count: total.unwrap_or(length),
            offset_id_offset: None,
            messages,
            topics: Vec::new(),
            chats,
            users,
        }
        .into(),
        (BoxRef::Account(_), None) => types::messages::Messages { messages, topics: Vec::new(), chats, users }.into(),
        (BoxRef::Account(_), Some(count)) => types::messages::MessagesSlice {
            inexact: false,
            count,
            next_rate: None,
            offset_id_offset: None,
            search_flood: None,
            messages,
            topics: Vec::new(),
            chats,
            users,
        }
        .into(),
    }
}

pub(super) fn get_history(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::messages::GetHistory = call.read()?;
    let state = call.state();
    let place = peers::place(&state, account, &request.peer, Need::Read)?;
    let (of, chat) = state.chat_of(place, account);
    let window = Window {
        offset_id: request.offset_id,
        offset_date: request.offset_date,
        add_offset: request.add_offset,
        limit: request.limit,
        max_id: request.max_id,
        min_id: request.min_id,
    };
    answer::<f::messages::GetHistory>(page(&state, account, of, state.messages(of).ids(chat), window))
}

/// The messages of a chat that fulfil a condition, ascending.
fn filtered(state: &State, of: BoxRef, chat: ChatKey, condition: impl Fn(&Stored) -> bool) -> Vec<i32> {
    let messages = state.messages(of);
    let fulfils = |id: &i32| messages.get(*id).is_some_and(&condition);
    messages.ids(chat).iter().copied().filter(fulfils).collect()
}

pub(super) fn get_replies(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::messages::GetReplies = call.read()?;
    let state = call.state();
    let place = peers::place(&state, account, &request.peer, Need::Read)?;
    let (of, chat) = state.chat_of(place, account);
    let root = request.msg_id;
    let ids = filtered(&state, of, chat, |message| message.topic == Some(root) || message.reply_to == Some(root));
    let window = Window {
        offset_id: request.offset_id,
        offset_date: request.offset_date,
        add_offset: request.add_offset,
        limit: request.limit,
        max_id: request.max_id,
        min_id: request.min_id,
    };
    answer::<f::messages::GetReplies>(page(&state, account, of, &ids, window))
}

pub(super) fn search(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::messages::Search = call.read()?;
    let only_photos = match request.filter {
        enums::MessagesFilter::InputMessagesFilterEmpty => false,
        enums::MessagesFilter::InputMessagesFilterPhotos => true,
        _ => return Err(RpcError::bad_request("FILTER_NOT_SIMULATED")),
    };
    let state = call.state();
    let place = peers::place(&state, account, &request.peer, Need::Read)?;
    let (of, chat) = state.chat_of(place, account);
    let from = match &request.from_id {
        None => None,
        Some(peer) => match peers::place(&state, account, peer, Need::Read)? {
            Place::Private { with, .. } => Some(with),
            Place::Group(_) | Place::Supergroup(_) => {
                return Err(RpcError::bad_request("FROM_PEER_INVALID"));
            }
        },
    };
    let query = request.q.to_lowercase();
    let ids = filtered(&state, of, chat, |message| {
        from.is_none_or(|from| message.from == from)
            && request.top_msg_id.is_none_or(|topic| message.topic == Some(topic))
            && (request.min_date == 0 || message.date > request.min_date)
            && (request.max_date == 0 || message.date < request.max_date)
            && (!only_photos || matches!(message.content().and_then(|c| c.media.as_ref()), Some(Media::Photo(_))))
            && message.content().is_some()
            && message.text().to_lowercase().contains(&query)
    });
    let window = Window {
        offset_id: request.offset_id,
        offset_date: 0,
        add_offset: request.add_offset,
        limit: request.limit,
        max_id: request.max_id,
        min_id: request.min_id,
    };
    answer::<f::messages::Search>(page(&state, account, of, &ids, window))
}

/// Messages by identifier, in the order asked for; `messageEmpty` for what does not exist.
fn by_id(
    state: &State,
    account: usize,
    of: BoxRef,
    asked: &[enums::InputMessage],
) -> Result<enums::messages::Messages, RpcError> {
    let view = View::new(state, account);
    let messages = state.messages(of);
    let mut cast = Cast::default();
    let mut found = Vec::new();
    for input in asked.iter().take(100) {
        let id = match input {
            enums::InputMessage::Id(input) => input.id,
            enums::InputMessage::ReplyTo(input) => {
                messages.get(input.id).and_then(|message| message.reply_to).unwrap_or(0)
            }
            enums::InputMessage::Pinned | enums::InputMessage::CallbackQuery(_) => {
                return Err(RpcError::bad_request("MESSAGE_NOT_SIMULATED"));
            }
        };
        found.push(match messages.get(id) {
            Some(message) => {
                cast.message(message);
                view.message(message)
            }
            None => types::MessageEmpty { id, peer_id: None }.into(),
        });
    }
    let (chats, users) = (view.groups(&cast), view.users(&cast));
    Ok(match of {
        BoxRef::Account(_) => types::messages::Messages { messages: found, topics: Vec::new(), chats, users }.into(),
        BoxRef::Supergroup(_) => types::messages::ChannelMessages {
            inexact: false,
            pts: messages.pts(),
            count: i32::try_from(found.len()).unwrap_or(i32::MAX),
            offset_id_offset: None,
            messages: found,
            topics: Vec::new(),
            chats,
            users,
        }
        .into(),
    })
}

pub(super) fn get_messages(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::messages::GetMessages = call.read()?;
    answer::<f::messages::GetMessages>(by_id(&call.state(), account, BoxRef::Account(account), &request.id)?)
}

pub(super) fn get_channel_messages(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::channels::GetMessages = call.read()?;
    let state = call.state();
    let group = peers::channel(&state, account, &request.channel, Need::Read)?;
    answer::<f::channels::GetMessages>(by_id(&state, account, BoxRef::Supergroup(group), &request.id)?)
}

pub(super) fn read_history(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::messages::ReadHistory = call.read()?;
    let mut state = call.state();
    let place = peers::place(&state, account, &request.peer, Need::Read)?;
    let (of @ BoxRef::Account(_), chat) = state.chat_of(place, account) else {
        return Err(RpcError::bad_request("PEER_ID_INVALID"));
    };
    let change = state.messages_mut(of).read(chat, request.max_id);
    if let Some(change) = &change {
        state.push(of, change, Some(call.connection));
    }
    answer::<f::messages::ReadHistory>(types::messages::AffectedMessages {
        pts: state.messages(of).pts(),
        pts_count: i32::from(change.is_some()),
    })
}

pub(super) fn read_channel_history(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::channels::ReadHistory = call.read()?;
    let mut state = call.state();
    let index = peers::channel(&state, account, &request.channel, Need::Read)?;
    let group = &mut state.groups[index];
    let newest = group.messages.next_id() - 1;
    let until = if request.max_id > 0 { request.max_id.min(newest) } else { newest };
    let read = group.read_until.entry(account).or_insert(0);
    let is_new = until > *read;
    *read = until.max(*read);
    answer::<f::channels::ReadHistory>(is_new)
}
