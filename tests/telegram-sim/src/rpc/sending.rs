//! Sending.

use std::sync::Arc;

use grammers_tl_types::{enums, functions as f, types};

use super::peers::{self, Need};
use super::{Answer, Call, Outcome, RpcError, answer};
use crate::bot::{BotEventKind, Stimulus};
use crate::content::{Content, Media};
use crate::crypto::random;
use crate::log::Event;
use crate::state::{Change, Draft, Place, State, UserRef};
use crate::tl::{GENERAL_TOPIC, MAX_TEXT_LENGTH, View};

/// A message of an account on its way.
struct Sending {
    place: Place,
    content: Content,
    random_id: i64,
    reply: Reply,
    /// What the bots of the chat are told.
    event: BotEventKind,
}

/// What a message replies to and the topic it goes to.
#[derive(Clone, Copy, Default)]
struct Reply {
    message: Option<i32>,
    topic: Option<i32>,
}

pub(super) fn send_message(call: &Call<'_>, account: usize) -> Outcome {
    let prepare = || {
        let request: f::messages::SendMessage = call.read()?;
        let text = checked_text(request.message, false)?;
        let state = call.state();
        let place = peers::place(&state, account, &request.peer, Need::Write)?;
        let reply = reply(&state, account, place, request.reply_to.as_ref())?;
        let event = text_event(&state, place, &text, reply);
        Ok(Sending { place, content: Content::text(text), random_id: request.random_id, reply, event })
    };
    send(call, account, prepare(), short_or_full)
}

pub(super) fn send_media(call: &Call<'_>, account: usize) -> Outcome {
    let prepare = || {
        let request: f::messages::SendMedia = call.read()?;
        let enums::InputMedia::Dice(dice) = request.media else {
            return Err(RpcError::bad_request("MEDIA_NOT_SIMULATED"));
        };
        let value = throw(&dice.emoticon).ok_or_else(|| RpcError::bad_request("EMOTICON_INVALID"))?;
        let state = call.state();
        let place = peers::place(&state, account, &request.peer, Need::Write)?;
        let reply = reply(&state, account, place, request.reply_to.as_ref())?;
        let media = Media::Dice { emoji: dice.emoticon.clone(), value };
        let content = Content { media: Some(media), ..Content::default() };
        let event = BotEventKind::Dice { emoji: dice.emoticon, value };
        Ok(Sending { place, content, random_id: request.random_id, reply, event })
    };
    send(call, account, prepare(), full)
}

pub(super) fn start_bot(call: &Call<'_>, account: usize) -> Outcome {
    let prepare = || {
        let request: f::messages::StartBot = call.read()?;
        let state = call.state();
        let bot = peers::user(&state, account, &request.bot)?;
        if !matches!(state.user(bot), Some(UserRef::Bot(_))) {
            return Err(RpcError::bad_request("BOT_INVALID"));
        }
        let place = peers::place(&state, account, &request.peer, Need::Write)?;
        let parameter = request.start_param;
        let usable = parameter.len() <= 64
            && parameter.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if !usable {
            return Err(RpcError::bad_request("START_PARAM_INVALID"));
        }
        let text = if parameter.is_empty() { "/start".to_owned() } else { format!("/start {parameter}") };
        let event = BotEventKind::Start { parameter };
        let reply = Reply::default();
        Ok(Sending { place, content: Content::text(text), random_id: request.random_id, reply, event })
    };
    send(call, account, prepare(), full)
}

/// One message at a time.
pub(super) fn forward_messages(call: &Call<'_>, account: usize) -> Outcome {
    let prepare = || {
        let request: f::messages::ForwardMessages = call.read()?;
        let (&[id], &[random_id]) = (request.id.as_slice(), request.random_id.as_slice()) else {
            return Err(RpcError::bad_request("FORWARDING_SEVERAL_NOT_SIMULATED"));
        };
        let state = call.state();
        let from = peers::place(&state, account, &request.from_peer, Need::Read)?;
        let place = peers::place(&state, account, &request.to_peer, Need::Write)?;
        let original = state.place_id(from, id, account).and_then(|_| {
            let message = state.messages(peers::box_of(from, account)).get(id)?;
            message.content().cloned()
        });
        let original = original.ok_or_else(|| RpcError::bad_request("MESSAGE_ID_INVALID"))?;
        let content = Content { markup: None, album: None, anonymous: false, forwarded: true, ..(*original).clone() };
        let event = BotEventKind::Forward { text: content.text.clone() };
        let reply = Reply { message: None, topic: request.top_msg_id };
        Ok(Sending { place, content, random_id, reply, event })
    };
    send(call, account, prepare(), full)
}

/// How the answer to a sent message is made.
type Receipt = fn(&View<'_>, &State, &Sent) -> enums::Updates;

struct Sent {
    account: usize,
    place: Place,
    id: i32,
    random_id: i64,
    date: i32,
}

fn send(call: &Call<'_>, account: usize, sending: Result<Sending, RpcError>, receipt: Receipt) -> Outcome {
    let sending = match sending {
        Ok(sending) => sending,
        Err(error) => return Err(error).into(),
    };
    let Sending { place, content, random_id, reply, event } = sending;
    let date = call.centre.clock.unix();
    let mut state = call.state();
    let chat = state.place_name(place);
    let text = match &content.media {
        Some(Media::Dice { emoji, .. }) => emoji.clone(),
        _ => content.text.clone(),
    };
    let log = |message_id, duplicate| {
        let (topic, reply_to) = (reply.topic, reply.message);
        call.log(Event::MessageSent { chat, topic, text, random_id, message_id, reply_to, duplicate });
    };
    let earlier = state.accounts[account].sent_as(random_id);
    if let Some(earlier) = earlier
        && state.remember_random_ids
    {
        drop(state);
        log(earlier, true);
        return Err(RpcError { code: 500, name: "RANDOM_ID_DUPLICATE".to_owned() }).into();
    }
    let draft = Draft {
        from: state.accounts[account].user_id,
        content: Arc::new(content),
        reply_to: reply.message.and_then(|id| state.place_id(place, id, account)),
        topic: reply.topic,
    };
    let place_id = state.post(place, &draft, date, Some(call.connection));
    let id = state.id_for(place, place_id, account).unwrap_or(0);
    state.accounts[account].remember_random_id(random_id, id);
    let sent = Sent { account, place, id, random_id, date };
    let updates = receipt(&View::new(&state, account), &state, &sent);
    let stimuli = listeners(&state, place)
        .into_iter()
        .map(|bot| {
            let kind = event.clone();
            (Stimulus { bot, account, place, topic: reply.topic, message_id: id, place_id, kind }, None)
        })
        .collect();
    drop(state);
    log(id, earlier.is_some());
    Outcome { answer: Answer::Ready(answer::<f::messages::SendMessage>(updates)), stimuli }
}

/// The bots that see what is written in a place.
fn listeners(state: &State, place: Place) -> Vec<usize> {
    match place {
        Place::Private { with, .. } => match state.user(with) {
            Some(UserRef::Bot(bot)) => vec![bot],
            _ => Vec::new(),
        },
        Place::Group(group) | Place::Supergroup(group) => state.groups[group].bots.clone(),
    }
}

/// Telegram shortens the answer in private chats.
fn short_or_full(view: &View<'_>, state: &State, sent: &Sent) -> enums::Updates {
    match sent.place {
        Place::Private { .. } => types::UpdateShortSentMessage {
            out: true,
            id: sent.id,
            pts: state.accounts[sent.account].messages.pts(),
            pts_count: 1,
            date: sent.date,
            media: None,
            entities: None,
            ttl_period: None,
        }
        .into(),
        Place::Group(_) | Place::Supergroup(_) => full(view, state, sent),
    }
}

fn full(view: &View<'_>, state: &State, sent: &Sent) -> enums::Updates {
    let of = peers::box_of(sent.place, sent.account);
    let change = Change::New(sent.id);
    let mut updates = vec![types::UpdateMessageId { id: sent.id, random_id: sent.random_id }.into()];
    updates.extend(view.update(of, &change, state.messages(of).pts()));
    view.envelope(of, updates, &[change])
}

pub(super) fn checked_text(text: String, may_be_empty: bool) -> Result<String, RpcError> {
    if text.trim().is_empty() && !may_be_empty {
        return Err(RpcError::bad_request("MESSAGE_EMPTY"));
    }
    if text.chars().count() > MAX_TEXT_LENGTH {
        return Err(RpcError::bad_request("MESSAGE_TOO_LONG"));
    }
    Ok(text)
}

fn reply(state: &State, account: usize, place: Place, to: Option<&enums::InputReplyTo>) -> Result<Reply, RpcError> {
    let to = match to {
        None => None,
        Some(enums::InputReplyTo::Message(to)) => Some(to),
        Some(_) => return Err(RpcError::bad_request("REPLY_NOT_SIMULATED")),
    };
    let group = match place {
        Place::Supergroup(group) if state.groups[group].is_forum() => Some(&state.groups[group]),
        _ => None,
    };
    let Some(to) = to else {
        return Ok(Reply { message: None, topic: group.map(|_| GENERAL_TOPIC) });
    };
    let of = peers::box_of(place, account);
    let exists = |id: i32| state.place_id(place, id, account).is_some();
    let Some(group) = group else {
        // An unknown message is no reply, as on Telegram for messages that were deleted meanwhile.
        return Ok(Reply { message: Some(to.reply_to_msg_id).filter(|id| exists(*id)), topic: None });
    };
    let is_topic = |id: i32| id == GENERAL_TOPIC || group.topics.contains(&id);
    if let Some(topic) = to.top_msg_id
        && !is_topic(topic)
    {
        return Err(RpcError::bad_request("TOPIC_DELETED"));
    }
    if is_topic(to.reply_to_msg_id) {
        return Ok(Reply { message: None, topic: Some(to.reply_to_msg_id) });
    }
    let message = Some(to.reply_to_msg_id).filter(|id| exists(*id));
    let topic_of_message = message.and_then(|id| state.messages(of).get(id)).and_then(|message| message.topic);
    Ok(Reply { message, topic: Some(to.top_msg_id.or(topic_of_message).unwrap_or(GENERAL_TOPIC)) })
}

/// A text as bots get it: starts are told apart, and a command's `@botname` is gone.
fn text_event(state: &State, place: Place, text: &str, reply: Reply) -> BotEventKind {
    let (command, rest) = text.split_once(' ').map_or((text, None), |(command, rest)| (command, Some(rest)));
    let bare = match command.split_once('@') {
        Some((bare, name)) if bare.starts_with('/') => {
            let is_own = |bot: &usize| state.bots[*bot].username.eq_ignore_ascii_case(name);
            if listeners(state, place).iter().any(is_own) { bare } else { command }
        }
        _ => command,
    };
    if bare == "/start" {
        return BotEventKind::Start { parameter: rest.unwrap_or_default().to_owned() };
    }
    let text = rest.map_or_else(|| bare.to_owned(), |rest| format!("{bare} {rest}"));
    BotEventKind::Text { text, reply_to: reply.message }
}

/// What a die shows (<https://core.telegram.org/api/dice>).
fn throw(emoji: &str) -> Option<i32> {
    let sides = match emoji.trim_end_matches('\u{fe0f}') {
        "🎲" | "🎯" | "🎳" => 6,
        "🏀" | "⚽" => 5,
        "🎰" => 64,
        _ => return None,
    };
    Some(1 + i32::from(random::<1>()[0]) % sides)
}
