//! What input peers stand for, users, usernames, groups.

use grammers_tl_types::{enums, functions as f, types};

use super::{Call, RpcError, RpcResult, answer};
use crate::state::{BoxRef, Named, Place, State, UserRef};
use crate::tl::{Guarded, View, access_hash, user_full, user_peer};
use crate::world::GroupKind;

/// What a conversation is needed for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Read,
    /// Of a member: to press a button or to vote.
    Press,
    Write,
}

/// The conversation of an input peer, if its access hash is the account's own and it may do what it needs.
pub(super) fn place(state: &State, account: usize, peer: &enums::InputPeer, need: Need) -> Result<Place, RpcError> {
    let own = state.accounts[account].user_id;
    match peer {
        enums::InputPeer::PeerSelf => Ok(Place::Private { account, with: own }),
        enums::InputPeer::User(user) => {
            let with = user_id(state, account, user.user_id, user.access_hash)
                .ok_or_else(|| RpcError::bad_request("PEER_ID_INVALID"))?;
            Ok(Place::Private { account, with })
        }
        enums::InputPeer::Chat(chat) => {
            let group = state
                .group_by_id(GroupKind::Basic, chat.chat_id)
                .filter(|&group| state.groups[group].members.contains(&account))
                .ok_or_else(|| RpcError::bad_request("CHAT_ID_INVALID"))?;
            if need == Need::Write && state.groups[group].muted.contains(&account) {
                return Err(RpcError::forbidden("CHAT_WRITE_FORBIDDEN"));
            }
            Ok(Place::Group(group))
        }
        enums::InputPeer::Channel(channel) => {
            supergroup(state, account, channel.channel_id, channel.access_hash, need).map(Place::Supergroup)
        }
        enums::InputPeer::Empty | enums::InputPeer::UserFromMessage(_) | enums::InputPeer::ChannelFromMessage(_) => {
            Err(RpcError::bad_request("PEER_ID_INVALID"))
        }
    }
}

fn user_id(state: &State, account: usize, id: i64, hash: i64) -> Option<i64> {
    let own = state.accounts[account].user_id;
    state.user(id)?;
    (id == own || hash == access_hash(own, Guarded::User, id)).then_some(id)
}

fn supergroup(state: &State, account: usize, id: i64, hash: i64, need: Need) -> Result<usize, RpcError> {
    let own = state.accounts[account].user_id;
    let index = state
        .group_by_id(GroupKind::Supergroup, id)
        .filter(|_| hash == access_hash(own, Guarded::Supergroup, id))
        .ok_or_else(|| RpcError::bad_request("CHANNEL_INVALID"))?;
    let group = &state.groups[index];
    let silenced = group.broadcast || group.muted.contains(&account);
    match (group.members.contains(&account), &group.username, need) {
        (true, _, Need::Write) if silenced => Err(RpcError::forbidden("CHAT_WRITE_FORBIDDEN")),
        (true, _, _) | (false, Some(_), Need::Read) => Ok(index),
        (false, Some(_), Need::Press | Need::Write) => Err(RpcError::forbidden("CHAT_WRITE_FORBIDDEN")),
        (false, None, _) => Err(RpcError::bad_request("CHANNEL_PRIVATE")),
    }
}

pub(super) fn channel(
    state: &State,
    account: usize,
    channel: &enums::InputChannel,
    need: Need,
) -> Result<usize, RpcError> {
    match channel {
        enums::InputChannel::Channel(channel) => {
            supergroup(state, account, channel.channel_id, channel.access_hash, need)
        }
        enums::InputChannel::Empty | enums::InputChannel::FromMessage(_) => {
            Err(RpcError::bad_request("CHANNEL_INVALID"))
        }
    }
}

/// The user of an input user.
pub(super) fn user(state: &State, account: usize, user: &enums::InputUser) -> Result<i64, RpcError> {
    match user {
        enums::InputUser::UserSelf => Some(state.accounts[account].user_id),
        enums::InputUser::User(user) => user_id(state, account, user.user_id, user.access_hash),
        enums::InputUser::Empty | enums::InputUser::FromMessage(_) => None,
    }
    .ok_or_else(|| RpcError::bad_request("USER_ID_INVALID"))
}

/// The box of a place, for the account.
pub(super) fn box_of(place: Place, account: usize) -> BoxRef {
    match place {
        Place::Supergroup(group) => BoxRef::Supergroup(group),
        Place::Private { .. } | Place::Group(_) => BoxRef::Account(account),
    }
}

pub(super) fn get_users(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::users::GetUsers = call.read()?;
    let state = call.state();
    let view = View::new(&state, account);
    // As on Telegram, what cannot be found is left out.
    let ids = request.id.iter().filter_map(|id| user(&state, account, id).ok());
    answer::<f::users::GetUsers>(ids.map(|id| view.user(id)).collect::<Vec<_>>())
}

pub(super) fn get_full_user(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::users::GetFullUser = call.read()?;
    let state = call.state();
    let id = user(&state, account, &request.id)?;
    answer::<f::users::GetFullUser>(types::users::UserFull {
        full_user: user_full(id).into(),
        chats: Vec::new(),
        users: vec![View::new(&state, account).user(id)],
    })
}

pub(super) fn resolve_username(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::contacts::ResolveUsername = call.read()?;
    let state = call.state();
    let view = View::new(&state, account);
    let user = |user_id| types::contacts::ResolvedPeer {
        peer: user_peer(user_id),
        chats: Vec::new(),
        users: vec![view.user(user_id)],
    };
    let resolved = match state.username(&request.username) {
        Some(Named::User(UserRef::Account(index))) => user(state.accounts[index].user_id),
        Some(Named::User(UserRef::Bot(index))) => user(state.bots[index].user_id),
        Some(Named::Group(index)) => types::contacts::ResolvedPeer {
            peer: types::PeerChannel { channel_id: state.groups[index].id }.into(),
            chats: vec![view.group(index)],
            users: Vec::new(),
        },
        Some(Named::User(UserRef::Stranger(_))) | None => {
            return Err(RpcError::bad_request("USERNAME_NOT_OCCUPIED"));
        }
    };
    answer::<f::contacts::ResolveUsername>(resolved)
}

pub(super) fn get_chats(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::messages::GetChats = call.read()?;
    let state = call.state();
    let view = View::new(&state, account);
    let mut chats = Vec::new();
    for id in request.id {
        let peer = types::InputPeerChat { chat_id: id }.into();
        let Place::Group(group) = place(&state, account, &peer, Need::Read)? else {
            continue;
        };
        chats.push(view.group(group));
    }
    answer::<f::messages::GetChats>(types::messages::Chats { chats })
}

pub(super) fn get_channels(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::channels::GetChannels = call.read()?;
    let state = call.state();
    let view = View::new(&state, account);
    let groups = request.id.iter().map(|id| channel(&state, account, id, Need::Read));
    let chats = groups.map(|group| Ok(view.group(group?))).collect::<Result<_, RpcError>>()?;
    answer::<f::channels::GetChannels>(types::messages::Chats { chats })
}
