//! The update state and what was missed (<https://core.telegram.org/api/updates>).

use grammers_tl_types::{enums, functions as f, types};

use super::peers::{self, Need};
use super::{Call, RpcError, RpcResult, answer, state_of};
use crate::state::{BoxRef, Change, ChatKey, State};
use crate::tl::{Cast, View, notify_settings};
use crate::world::GroupKind;

/// How many changes one answer tells of; the client asks for the rest.
const SLICE: usize = 100;

pub(super) fn get_state(call: &Call<'_>, account: usize) -> RpcResult {
    let _: f::updates::GetState = call.read()?;
    let state = call.state();
    let date = call.centre.clock.unix();
    answer::<f::updates::GetState>(state_of(&View::new(&state, account), &state, account, date))
}

/// What happened in a box since a state.
struct Difference {
    new_messages: Vec<enums::Message>,
    other_updates: Vec<enums::Update>,
    cast: Cast,
    /// The state that this leads to.
    pts: i32,
    is_complete: bool,
}

/// `None` when the state is too long ago.
fn difference(state: &State, view: &View<'_>, of: BoxRef, pts: i32, limit: usize) -> Option<Difference> {
    let messages = state.messages(of);
    let mut changes = messages.changes_after(pts)?;
    let mut difference = Difference {
        new_messages: Vec::new(),
        other_updates: Vec::new(),
        cast: Cast::default(),
        pts,
        is_complete: true,
    };
    let mut new = std::collections::HashSet::new();
    for (after, change) in changes.by_ref().take(limit) {
        difference.pts = *after;
        match change {
            // A message is told of as it is now.
            Change::New(id) => {
                if let Some(message) = messages.get(*id) {
                    new.insert(*id);
                    difference.cast.message(message);
                    difference.new_messages.push(view.message(message));
                }
            }
            Change::Edited(id) if new.contains(id) => {}
            Change::Edited(_) | Change::Deleted(_) | Change::Read(..) => {
                if let Change::Edited(id) = change
                    && let Some(message) = messages.get(*id)
                {
                    difference.cast.message(message);
                }
                if let Change::Read(chat, _) = change {
                    difference.cast.chat(*chat);
                }
                difference.other_updates.extend(view.update(of, change, *after));
            }
        }
    }
    difference.is_complete = changes.next().is_none();
    if difference.is_complete {
        difference.pts = messages.pts();
    }
    Some(difference)
}

pub(super) fn get_difference(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::updates::GetDifference = call.read()?;
    let date = call.centre.clock.unix();
    let state = call.state();
    let view = View::new(&state, account);
    let of = BoxRef::Account(account);
    let limit = request.pts_limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(SLICE).clamp(1, SLICE);
    let Some(mut difference) = difference(&state, &view, of, request.pts, limit) else {
        let pts = state.messages(of).pts();
        return answer::<f::updates::GetDifference>(types::updates::DifferenceTooLong { pts });
    };
    // Supergroups have states of their own, which only the client knows: those with news are named.
    let has_news = |group: &&usize| {
        let group = &state.groups[**group];
        group.kind == GroupKind::Supergroup && group.messages.last_change() >= request.date
    };
    if difference.is_complete {
        for &group in state.accounts[account].groups.iter().filter(has_news) {
            difference.cast.group(group);
            let channel_id = state.groups[group].id;
            difference.other_updates.push(types::UpdateChannelTooLong { channel_id, pts: None }.into());
        }
    }
    let (users, chats) = (view.users(&difference.cast), view.groups(&difference.cast));
    let Difference { new_messages, other_updates, pts, is_complete, .. } = difference;
    let enums::updates::State::State(now) = state_of(&view, &state, account, date);
    let reached = types::updates::State { pts, ..now }.into();
    let new_encrypted_messages = Vec::new();
    let difference: enums::updates::Difference = if !is_complete {
        types::updates::DifferenceSlice {
            new_messages,
            new_encrypted_messages,
            other_updates,
            chats,
            users,
            intermediate_state: reached,
        }
        .into()
    } else if new_messages.is_empty() && other_updates.is_empty() && request.pts == pts {
        types::updates::DifferenceEmpty { date, seq: 0 }.into()
    } else {
        types::updates::Difference { new_messages, new_encrypted_messages, other_updates, chats, users, state: reached }
            .into()
    };
    answer::<f::updates::GetDifference>(difference)
}

pub(super) fn get_channel_difference(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::updates::GetChannelDifference = call.read()?;
    let state = call.state();
    let group = peers::channel(&state, account, &request.channel, Need::Read)?;
    if request.pts <= 0 {
        return Err(RpcError::bad_request("PERSISTENT_TIMESTAMP_INVALID"));
    }
    let view = View::new(&state, account);
    let of = BoxRef::Supergroup(group);
    let limit = usize::try_from(request.limit).unwrap_or(0).clamp(1, SLICE);
    let Some(mut difference) = difference(&state, &view, of, request.pts, limit) else {
        return answer::<f::updates::GetChannelDifference>(too_long(&state, &view, group, account));
    };
    difference.cast.group(group);
    let (users, chats) = (view.users(&difference.cast), view.groups(&difference.cast));
    let Difference { new_messages, other_updates, pts, is_complete, .. } = difference;
    let difference: enums::updates::ChannelDifference = if request.pts == pts {
        types::updates::ChannelDifferenceEmpty { r#final: true, pts, timeout: None }.into()
    } else {
        types::updates::ChannelDifference {
            r#final: is_complete,
            pts,
            timeout: None,
            new_messages,
            other_updates,
            chats,
            users,
        }
        .into()
    };
    answer::<f::updates::GetChannelDifference>(difference)
}

fn too_long(state: &State, view: &View<'_>, group: usize, account: usize) -> types::updates::ChannelDifferenceTooLong {
    let chat = ChatKey::Supergroup(group);
    let messages = &state.groups[group].messages;
    let read_until = state.groups[group].read_until.get(&account).copied().unwrap_or(0);
    let top = messages.top(chat);
    let mut cast = Cast::default();
    cast.group(group);
    if let Some(top) = top {
        cast.message(top);
    }
    types::updates::ChannelDifferenceTooLong {
        r#final: true,
        timeout: None,
        dialog: types::Dialog {
            pinned: false,
            unread_mark: false,
            view_forum_as_messages: false,
            peer: view.peer(chat),
            top_message: top.map_or(0, |top| top.id),
            read_inbox_max_id: read_until,
            read_outbox_max_id: 0,
            unread_count: messages.unread(chat, read_until, view.user_id()),
            unread_mentions_count: 0,
            unread_reactions_count: 0,
            unread_poll_votes_count: 0,
            notify_settings: notify_settings(),
            pts: Some(messages.pts()),
            draft: None,
            folder_id: None,
            ttl_period: None,
        }
        .into(),
        messages: top.map(|top| view.message(top)).into_iter().collect(),
        chats: view.groups(&cast),
        users: view.users(&cast),
    }
}
