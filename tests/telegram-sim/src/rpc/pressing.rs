//! Pressing inline buttons.

use grammers_tl_types::{functions as f, types};
use tokio::sync::oneshot;

use super::peers::{self, Need};
use super::{Answer, Call, Outcome, RpcError, answer};
use crate::bot::{BotEventKind, PressedAnswer, Stimulus};
use crate::log::Event;
use crate::state::UserRef;

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
    let place = peers::place(&state, account, &request.peer, Need::Write)?;
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
