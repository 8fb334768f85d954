//! Joining and leaving supergroups.

use grammers_tl_types::{functions as f, types};

use super::peers::{self, Need};
use super::{Call, RpcError, RpcResult, answer};
use crate::state::State;
use crate::tl::View;

/// Public supergroups only: nobody is invited here.
pub(super) fn join(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::channels::JoinChannel = call.read()?;
    let mut state = call.state();
    let group = peers::channel(&state, account, &request.channel, Need::Read)?;
    if !state.groups[group].members.insert(account) {
        return Err(RpcError::bad_request("USER_ALREADY_PARTICIPANT"));
    }
    state.accounts[account].groups.push(group);
    let updates = changed(&state, account, group, call.centre.clock.unix());
    answer::<f::channels::JoinChannel>(types::messages::ChatInviteJoinResultOk { updates: updates.into() })
}

pub(super) fn leave(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::channels::LeaveChannel = call.read()?;
    let mut state = call.state();
    let group = peers::channel(&state, account, &request.channel, Need::Read)?;
    if !state.groups[group].members.remove(&account) {
        return Err(RpcError::bad_request("USER_NOT_PARTICIPANT"));
    }
    state.accounts[account].groups.retain(|&other| other != group);
    let updates = changed(&state, account, group, call.centre.clock.unix());
    answer::<f::channels::LeaveChannel>(updates)
}

fn changed(state: &State, account: usize, group: usize, date: i32) -> types::Updates {
    let view = View::new(state, account);
    let channel_id = state.groups[group].id;
    types::Updates {
        updates: vec![types::UpdateChannel { channel_id }.into()],
        users: Vec::new(),
        chats: vec![view.group(group)],
        date,
        seq: 0,
    }
}
