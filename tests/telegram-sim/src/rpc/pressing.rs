//! Pressing inline buttons, voting, and telling pages who opens them.

use grammers_tl_types::{enums, functions as f, types};
use tokio::sync::oneshot;

use super::peers::{self, Need};
use super::{Answer, Call, Outcome, RpcError, RpcResult, answer};
use crate::bot::{BotEventKind, PressedAnswer, Stimulus};
use crate::content::Media;
use crate::log::Event;
use crate::state::UserRef;
use crate::tl::View;

pub(super) fn press(call: &Call<'_>, account: usize) -> Outcome {
    let (stimulus, log) = match prepare_press(call, account) {
        Ok(prepared) => prepared,
        Err(error) => return Err(error).into(),
    };
    call.log(log);
    let (answerer, bot_answer) = oneshot::channel();
    let timeout = call.centre.options.callback_timeout;
    let answer = Answer::Later(Box::pin(async move {
        // A bot that will never answer drops its end, which clients learn only when the time is over.
        let shown = async {
            match bot_answer.await {
                Ok(answer) => answer,
                Err(_) => std::future::pending().await,
            }
        };
        let shown: PressedAnswer =
            tokio::time::timeout(timeout, shown).await.map_err(|_| RpcError::bad_request("BOT_RESPONSE_TIMEOUT"))?;
        answer::<f::messages::GetBotCallbackAnswer>(types::messages::BotCallbackAnswer {
            alert: shown.alert,
            has_url: false,
            native_ui: true,
            message: shown.text,
            url: None,
            cache_time: 0,
        })
    }));
    Outcome { answer, stimuli: vec![(stimulus, Some(answerer))] }
}

fn prepare_press(call: &Call<'_>, account: usize) -> Result<(Stimulus, Event), RpcError> {
    let request: f::messages::GetBotCallbackAnswer = call.read()?;
    let state = call.state();
    let place = peers::place(&state, account, &request.peer, Need::Press)?;
    let invalid = || RpcError::bad_request("MESSAGE_ID_INVALID");
    let place_id = state.place_id(place, request.msg_id, account).ok_or_else(invalid)?;
    let message = state.messages(peers::box_of(place, account)).get(request.msg_id).ok_or_else(invalid)?;
    let data = request.data.ok_or_else(|| RpcError::bad_request("DATA_INVALID"))?;
    let button = message
        .content()
        .and_then(|content| content.callback_button(&data))
        .ok_or_else(|| RpcError::bad_request("DATA_INVALID"))?;
    let Some(UserRef::Bot(bot)) = state.user(message.from) else {
        return Err(RpcError::bad_request("BOT_RESPONSE_TIMEOUT"));
    };
    let log = Event::Click {
        chat: state.place_name(place),
        message_id: request.msg_id,
        data: data.clone(),
        button_text: button.text.clone(),
    };
    let kind = BotEventKind::Button { data, text: button.text.clone() };
    let stimulus = Stimulus { bot, account, place, topic: message.topic, message_id: request.msg_id, place_id, kind };
    Ok((stimulus, log))
}

pub(super) fn vote(call: &Call<'_>, account: usize) -> Outcome {
    let (stimulus, log) = match prepare_vote(call, account) {
        Ok(prepared) => prepared,
        Err(error) => return Err(error).into(),
    };
    call.log(log);
    // The results are not counted, so there is nothing new to tell.
    let updates = types::Updates {
        updates: Vec::new(),
        users: Vec::new(),
        chats: Vec::new(),
        date: call.centre.clock.unix(),
        seq: 0,
    };
    let answer = Answer::Ready(answer::<f::messages::SendVote>(updates));
    Outcome { answer, stimuli: stimulus.map(|stimulus| (stimulus, None)).into_iter().collect() }
}

fn prepare_vote(call: &Call<'_>, account: usize) -> Result<(Option<Stimulus>, Event), RpcError> {
    let request: f::messages::SendVote = call.read()?;
    let state = call.state();
    let place = peers::place(&state, account, &request.peer, Need::Press)?;
    let invalid = || RpcError::bad_request("MESSAGE_ID_INVALID");
    let place_id = state.place_id(place, request.msg_id, account).ok_or_else(invalid)?;
    let message = state.messages(peers::box_of(place, account)).get(request.msg_id).ok_or_else(invalid)?;
    let Some(Media::Poll(poll)) = message.content().and_then(|content| content.media.as_ref()) else {
        return Err(invalid());
    };
    if poll.closed {
        return Err(RpcError::bad_request("MESSAGE_POLL_CLOSED"));
    }
    let [option] = request.options.as_slice() else { return Err(RpcError::bad_request("OPTIONS_TOO_MUCH")) };
    let chosen = poll.answer(option).ok_or_else(|| RpcError::bad_request("OPTION_INVALID"))?.to_owned();
    let log = Event::Voted { chat: state.place_name(place), message_id: request.msg_id, answer: chosen.clone() };
    let stimulus = match state.user(message.from) {
        Some(UserRef::Bot(bot)) => {
            let kind = BotEventKind::Vote { answer: chosen };
            Some(Stimulus { bot, account, place, topic: message.topic, message_id: request.msg_id, place_id, kind })
        }
        _ => None,
    };
    Ok((stimulus, log))
}

/// The address of a login button and who offers it.
fn login(
    call: &Call<'_>,
    account: usize,
    peer: Option<&enums::InputPeer>,
    message_id: Option<i32>,
    button: Option<i32>,
) -> Result<(String, enums::User, Event), RpcError> {
    let invalid = || RpcError::bad_request("MESSAGE_ID_INVALID");
    let (Some(peer), Some(message_id), Some(button)) = (peer, message_id, button) else { return Err(invalid()) };
    let state = call.state();
    let place = peers::place(&state, account, peer, Need::Press)?;
    state.place_id(place, message_id, account).ok_or_else(invalid)?;
    let message = state.messages(peers::box_of(place, account)).get(message_id).ok_or_else(invalid)?;
    let url = message.content().and_then(|content| content.login_button(button));
    let url = url.ok_or_else(|| RpcError::bad_request("BUTTON_ID_INVALID"))?.to_owned();
    let log = Event::LoginAccepted { chat: state.place_name(place), message_id, url: url.clone() };
    Ok((url, View::new(&state, account).user(message.from), log))
}

pub(super) fn request_url_auth(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::messages::RequestUrlAuth = call.read()?;
    let (url, bot, _) = login(call, account, request.peer.as_ref(), request.msg_id, request.button_id)?;
    let domain = url.split('/').nth(2).unwrap_or_default().to_owned();
    answer::<f::messages::RequestUrlAuth>(types::UrlAuthResultRequest {
        request_write_access: true,
        request_phone_number: false,
        match_codes_first: false,
        is_app: false,
        bot,
        domain,
        browser: None,
        platform: None,
        ip: None,
        region: None,
        match_codes: None,
        user_id_hint: None,
        verified_app_name: None,
    })
}

/// The address comes back with the user's identifier, as Telegram adds it, and with a hash that nobody can check.
pub(super) fn accept_url_auth(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::messages::AcceptUrlAuth = call.read()?;
    let (url, _, log) = login(call, account, request.peer.as_ref(), request.msg_id, request.button_id)?;
    if request.write_allowed || request.share_phone_number {
        return Err(RpcError::bad_request("MORE_THAN_A_LOGIN_NOT_SIMULATED"));
    }
    call.log(log);
    let own = call.state().accounts[account].user_id;
    let separator = if url.contains('?') { '&' } else { '?' };
    answer::<f::messages::AcceptUrlAuth>(types::UrlAuthResultAccepted {
        url: Some(format!("{url}{separator}id={own}&hash=simulated")),
    })
}
