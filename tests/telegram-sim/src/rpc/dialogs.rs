//! The list of conversations, forum topics.

use std::cmp::Reverse;

use grammers_tl_types::{enums, functions as f, types};

use super::peers::{self, Need};
use super::{Call, RpcError, RpcResult, answer, state_of};
use crate::state::{Body, BoxRef, ChatKey, Place, State, Stored};
use crate::tl::{Cast, GENERAL_TOPIC, TOPIC_COLOUR, View, notify_settings, user_peer};
use crate::world::GroupKind;

/// A conversation and its newest message.
#[derive(Clone, Copy)]
struct Conversation<'a> {
    of: BoxRef,
    chat: ChatKey,
    top: Option<&'a Stored>,
}

impl<'a> Conversation<'a> {
    fn new(state: &'a State, account: usize, chat: ChatKey) -> Self {
        let of = match chat {
            ChatKey::Supergroup(group) => BoxRef::Supergroup(group),
            ChatKey::User(_) | ChatKey::Group(_) => BoxRef::Account(account),
        };
        Self { of, chat, top: state.messages(of).top(chat) }
    }

    /// Newest first, in an order that pages can be cut from.
    fn order(&self) -> Reverse<(i32, i32, ChatKey)> {
        Reverse((self.top.map_or(0, |top| top.date), self.top.map_or(0, |top| top.id), self.chat))
    }

    fn dialog(&self, view: &View<'_>, state: &State, account: usize) -> enums::Dialog {
        let messages = state.messages(self.of);
        let (read_until, pts) = match self.chat {
            ChatKey::Supergroup(group) => {
                (state.groups[group].read_until.get(&account).copied().unwrap_or(0), Some(messages.pts()))
            }
            ChatKey::User(_) | ChatKey::Group(_) => (messages.read_until(self.chat), None),
        };
        let top_message = self.top.map_or(0, |top| top.id);
        types::Dialog {
            pinned: false,
            unread_mark: false,
            view_forum_as_messages: false,
            peer: view.peer(self.chat),
            top_message,
            read_inbox_max_id: read_until,
            read_outbox_max_id: top_message,
            unread_count: messages.unread(self.chat, read_until, view.user_id()),
            unread_mentions_count: 0,
            unread_reactions_count: 0,
            unread_poll_votes_count: 0,
            notify_settings: notify_settings(),
            pts,
            draft: None,
            folder_id: None,
            ttl_period: None,
        }
        .into()
    }
}

/// Dialogs with their newest messages and everyone in them.
struct Listed {
    dialogs: Vec<enums::Dialog>,
    messages: Vec<enums::Message>,
    chats: Vec<enums::Chat>,
    users: Vec<enums::User>,
}

fn listed(state: &State, account: usize, conversations: &[Conversation<'_>]) -> Listed {
    let view = View::new(state, account);
    let mut cast = Cast::default();
    for conversation in conversations {
        cast.chat(conversation.chat);
        if let Some(top) = conversation.top {
            cast.message(top);
        }
    }
    Listed {
        dialogs: conversations.iter().map(|conversation| conversation.dialog(&view, state, account)).collect(),
        messages: conversations
            .iter()
            .filter_map(|conversation| conversation.top)
            .map(|top| view.message(top))
            .collect(),
        chats: view.groups(&cast),
        users: view.users(&cast),
    }
}

pub(super) fn get_dialogs(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::messages::GetDialogs = call.read()?;
    let state = call.state();
    let own = &state.accounts[account];
    let groups = own.groups.iter().map(|&group| match state.groups[group].kind {
        GroupKind::Basic => ChatKey::Group(group),
        GroupKind::Supergroup => ChatKey::Supergroup(group),
    });
    let private = own.messages.chats().filter(|chat| matches!(chat, ChatKey::User(_)));
    let mut all: Vec<Conversation<'_>> =
        groups.chain(private).map(|chat| Conversation::new(&state, account, chat)).collect();
    all.sort_by_key(Conversation::order);
    let after = match &request.offset_peer {
        enums::InputPeer::Empty => None,
        peer => Some(state.chat_of(peers::place(&state, account, peer, Need::Read)?, account).1),
    };
    let start = match after {
        Some(chat) => all.iter().position(|conversation| conversation.chat == chat).map_or(0, |position| position + 1),
        None if request.offset_date > 0 => {
            all.partition_point(|conversation| conversation.top.is_some_and(|top| top.date >= request.offset_date))
        }
        None => 0,
    };
    let limit = usize::try_from(request.limit).unwrap_or(0).min(100);
    let page = &all[start..(start + limit).min(all.len())];
    let Listed { dialogs, messages, chats, users } = listed(&state, account, page);
    let dialogs: enums::messages::Dialogs = if page.len() == all.len() {
        types::messages::Dialogs { dialogs, messages, chats, users }.into()
    } else {
        let count = i32::try_from(all.len()).unwrap_or(i32::MAX);
        types::messages::DialogsSlice { count, dialogs, messages, chats, users }.into()
    };
    answer::<f::messages::GetDialogs>(dialogs)
}

pub(super) fn get_peer_dialogs(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::messages::GetPeerDialogs = call.read()?;
    let state = call.state();
    let mut conversations = Vec::new();
    for peer in &request.peers {
        let enums::InputDialogPeer::Peer(peer) = peer else {
            return Err(RpcError::bad_request("FOLDER_ID_INVALID"));
        };
        let place = peers::place(&state, account, &peer.peer, Need::Read)?;
        conversations.push(Conversation::new(&state, account, state.chat_of(place, account).1));
    }
    let Listed { dialogs, messages, chats, users } = listed(&state, account, &conversations);
    let state = state_of(&View::new(&state, account), &state, account, call.centre.clock.unix());
    answer::<f::messages::GetPeerDialogs>(types::messages::PeerDialogs { dialogs, messages, chats, users, state })
}

fn forum(state: &State, account: usize, peer: &enums::InputPeer) -> Result<usize, RpcError> {
    match peers::place(state, account, peer, Need::Read)? {
        Place::Supergroup(group) if state.groups[group].is_forum() => Ok(group),
        Place::Supergroup(_) => Err(RpcError::bad_request("CHANNEL_FORUM_MISSING")),
        Place::Private { .. } | Place::Group(_) => Err(RpcError::bad_request("PEER_ID_INVALID")),
    }
}

pub(super) fn get_forum_topics(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::messages::GetForumTopics = call.read()?;
    let state = call.state();
    let group = forum(&state, account, &request.peer)?;
    let wanted = request.q.unwrap_or_default().to_lowercase();
    let mut topics = vec![GENERAL_TOPIC];
    topics.extend(&state.groups[group].topics);
    topics.retain(|topic| topic_title(&state, group, *topic).to_lowercase().contains(&wanted));
    let start = topics.iter().position(|topic| *topic == request.offset_topic).map_or(0, |position| position + 1);
    let limit = usize::try_from(request.limit).unwrap_or(0).min(100);
    let page = &topics[start..(start + limit).min(topics.len())];
    let count = i32::try_from(topics.len()).unwrap_or(i32::MAX);
    answer::<f::messages::GetForumTopics>(forum_topics(&state, account, group, page, count))
}

pub(super) fn get_forum_topics_by_id(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::messages::GetForumTopicsById = call.read()?;
    let state = call.state();
    let group = forum(&state, account, &request.peer)?;
    let known = |topic: &i32| *topic == GENERAL_TOPIC || state.groups[group].topics.contains(topic);
    let topics: Vec<i32> = request.topics.into_iter().take(100).filter(known).collect();
    let count = i32::try_from(topics.len()).unwrap_or(i32::MAX);
    answer::<f::messages::GetForumTopicsById>(forum_topics(&state, account, group, &topics, count))
}

fn topic_title(state: &State, group: usize, topic: i32) -> &str {
    match state.groups[group].messages.get(topic).map(|message| &message.body) {
        Some(Body::TopicCreated { title }) => title,
        _ => "General",
    }
}

fn forum_topics(
    state: &State,
    account: usize,
    group: usize,
    topics: &[i32],
    count: i32,
) -> types::messages::ForumTopics {
    let view = View::new(state, account);
    let messages = &state.groups[group].messages;
    let chat = ChatKey::Supergroup(group);
    let mut cast = Cast::default();
    cast.group(group);
    let mut listed = Vec::new();
    let mut newest = Vec::new();
    for &id in topics {
        let in_topic = |message: &&Stored| message.topic == Some(id) || message.id == id;
        let top = messages.ids(chat).iter().rev().filter_map(|id| messages.get(*id)).find(in_topic);
        if let Some(top) = top {
            cast.message(top);
            newest.push(view.message(top));
        }
        let top_message = top.map_or(id, |top| top.id);
        let from = messages.get(id).map_or(0, |message| message.from);
        listed.push(
            types::ForumTopic {
                my: false,
                closed: false,
                pinned: false,
                short: false,
                hidden: false,
                title_missing: false,
                id,
                date: messages.date_of(id),
                peer: view.peer(chat),
                title: topic_title(state, group, id).to_owned(),
                icon_color: TOPIC_COLOUR,
                icon_emoji_id: None,
                top_message,
                read_inbox_max_id: state.groups[group].read_until.get(&account).copied().unwrap_or(0),
                read_outbox_max_id: top_message,
                unread_count: 0,
                unread_mentions_count: 0,
                unread_reactions_count: 0,
                unread_poll_votes_count: 0,
                from_id: user_peer(from),
                notify_settings: notify_settings(),
                draft: None,
            }
            .into(),
        );
    }
    types::messages::ForumTopics {
        order_by_create_date: true,
        count,
        topics: listed,
        messages: newest,
        chats: view.groups(&cast),
        users: view.users(&cast),
        pts: messages.pts(),
    }
}
