//! Editing and deleting.

use grammers_tl_types::{functions as f, types};

use super::peers::{self, Need};
use super::sending::checked_text;
use super::{Call, RpcError, RpcResult, answer};
use crate::content::Content;
use crate::log::Event;
use crate::state::{BoxRef, Change};
use crate::tl::View;

pub(super) fn edit_message(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::messages::EditMessage = call.read()?;
    if request.media.is_some() || request.reply_markup.is_some() {
        return Err(RpcError::bad_request("MEDIA_NOT_SIMULATED"));
    }
    let mut state = call.state();
    let place = peers::place(&state, account, &request.peer, Need::Write)?;
    let of = peers::box_of(place, account);
    let invalid = || RpcError::bad_request("MESSAGE_ID_INVALID");
    let place_id = state.place_id(place, request.id, account).ok_or_else(invalid)?;
    let message = state.messages(of).get(request.id).ok_or_else(invalid)?;
    let old = message.content().ok_or_else(invalid)?;
    if message.from != state.accounts[account].user_id {
        return Err(RpcError::forbidden("MESSAGE_AUTHOR_REQUIRED"));
    }
    let text = checked_text(request.message.unwrap_or_default(), old.media.is_some())?;
    if text == old.text {
        return Err(RpcError::bad_request("MESSAGE_NOT_MODIFIED"));
    }
    let content = Content { text: text.clone(), media: None, markup: old.markup.clone(), ..Content::default() };
    state.edit(place, place_id, content, call.centre.clock.unix(), Some(call.connection));
    let updates = View::new(&state, account).updates(of, &Change::Edited(request.id));
    let chat = state.place_name(place);
    drop(state);
    call.log(Event::Edited { chat, message_id: request.id, text });
    answer::<f::messages::EditMessage>(updates)
}

pub(super) fn delete_messages(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::messages::DeleteMessages = call.read()?;
    let date = call.centre.clock.unix();
    let mut state = call.state();
    let of = BoxRef::Account(account);
    if request.revoke {
        let own = state.accounts[account].user_id;
        let copies: Vec<(usize, i32)> = request
            .id
            .iter()
            .filter_map(|id| state.messages(of).get(*id))
            .filter(|message| message.from == own)
            .filter_map(|message| state.copies.get(&message.origin?))
            .flatten()
            .filter(|(owner, _)| *owner != account)
            .copied()
            .collect();
        for (owner, id) in copies {
            state.delete_in(BoxRef::Account(owner), &[id], date, None);
        }
    }
    let change = state.delete_in(of, &request.id, date, Some(call.connection));
    let pts = state.messages(of).pts();
    drop(state);
    affected(call, change, pts)
}

pub(super) fn delete_channel_messages(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::channels::DeleteMessages = call.read()?;
    let date = call.centre.clock.unix();
    let mut state = call.state();
    let group = peers::channel(&state, account, &request.channel, Need::Write)?;
    let of = BoxRef::Supergroup(group);
    let own = state.accounts[account].user_id;
    if request.id.iter().filter_map(|id| state.messages(of).get(*id)).any(|message| message.from != own) {
        return Err(RpcError::forbidden("MESSAGE_DELETE_FORBIDDEN"));
    }
    let change = state.delete_in(of, &request.id, date, Some(call.connection));
    let pts = state.messages(of).pts();
    drop(state);
    affected(call, change, pts)
}

fn affected(call: &Call<'_>, change: Option<Change>, pts: i32) -> RpcResult {
    let pts_count = change.as_ref().map_or(0, Change::count);
    if let Some(Change::Deleted(message_ids)) = change {
        call.log(Event::Deleted { message_ids });
    }
    answer::<f::messages::DeleteMessages>(types::messages::AffectedMessages { pts, pts_count })
}
