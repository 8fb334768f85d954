//! Carrying the actions of a bot out in the world.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::{Bot, BotAction, BotEvent, BotEventKind, BotMemory, BotUser, Effect, Sent};
use crate::centre::Inner;
use crate::state::{Draft, Place};
use crate::tl::is_sendable;

/// A bot with what it remembers.
pub(crate) struct BotRuntime {
    behaviour: Arc<dyn Bot>,
    memory: Mutex<BotMemory>,
}

impl BotRuntime {
    pub(crate) fn new(behaviour: Arc<dyn Bot>) -> Self {
        Self { behaviour, memory: Mutex::default() }
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, BotMemory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that a bot is to react to.
pub(crate) struct Stimulus {
    pub(crate) bot: usize,
    pub(crate) account: usize,
    pub(crate) place: Place,
    pub(crate) topic: Option<i32>,
    /// The message that was sent, or whose button was pressed, as the account counts.
    pub(crate) message_id: i32,
    /// The same as the place counts.
    pub(crate) place_id: i64,
    pub(crate) kind: BotEventKind,
}

/// What the user sees after pressing a button.
#[derive(Debug)]
pub(crate) struct PressedAnswer {
    pub(crate) text: Option<String>,
    pub(crate) alert: bool,
}

type Answerer = oneshot::Sender<PressedAnswer>;

/// Asks the bot and plays what it wants, in the background where it wants to wait. The answer to a pressed button
/// goes to `answerer`, which is dropped when there is none.
pub(crate) fn react(centre: &Arc<Inner>, stimulus: Stimulus, answerer: Option<Answerer>) {
    let (event, actions) = {
        let event = describe(centre, &stimulus);
        let bot = &centre.bots[stimulus.bot];
        let mut memory = bot.memory();
        let actions = bot.behaviour.on_event(&event, &mut memory.context(event.user.id, event.time));
        (event, actions)
    };
    let is_answered_later =
        actions.iter().any(|action| matches!(action.effect, Effect::Answer { .. } | Effect::NoAnswer));
    let answerer = if is_answered_later {
        answerer
    } else {
        answer(answerer, PressedAnswer { text: None, alert: false });
        None
    };
    let performance = Performance { centre: centre.clone(), stimulus, event, answerer };
    if actions.iter().all(|action| action.after.is_zero()) {
        performance.at_once(actions);
    } else {
        tokio::spawn(performance.with_waits(actions));
    }
}

fn describe(centre: &Inner, stimulus: &Stimulus) -> BotEvent {
    let now = centre.clock.now();
    let state = centre.state();
    let account = &state.accounts[stimulus.account];
    let group = match stimulus.place {
        Place::Private { .. } => None,
        Place::Group(group) | Place::Supergroup(group) => Some(state.groups[group].name.clone()),
    };
    BotEvent {
        time: now.with_timezone(&state.bots[stimulus.bot].utc_offset),
        user: BotUser { id: account.user_id, account: account.name.clone(), first_name: account.first_name.clone() },
        group,
        topic: stimulus.topic,
        message_id: stimulus.message_id,
        kind: stimulus.kind.clone(),
    }
}

fn answer(answerer: Option<Answerer>, answer: PressedAnswer) {
    if let Some(answerer) = answerer {
        // The client may have gone.
        let _ = answerer.send(answer);
    }
}

struct Performance {
    centre: Arc<Inner>,
    stimulus: Stimulus,
    event: BotEvent,
    answerer: Option<Answerer>,
}

impl Performance {
    fn at_once(mut self, actions: Vec<BotAction>) {
        for action in actions {
            self.perform(action.effect);
        }
    }

    async fn with_waits(mut self, actions: Vec<BotAction>) {
        for action in actions {
            if !action.after.is_zero() {
                tokio::time::sleep(action.after).await;
            }
            self.perform(action.effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        let place = self.stimulus.place;
        let bot = &self.centre.bots[self.stimulus.bot];
        let pressed = matches!(self.event.kind, BotEventKind::Button { .. }).then_some(self.stimulus.place_id);
        let date = self.centre.clock.unix();
        match effect {
            Effect::Answer { text, alert } => {
                answer(self.answerer.take(), PressedAnswer { text: Some(text), alert });
            }
            Effect::NoAnswer => self.answerer = None,
            Effect::Send { content, reply, name } => {
                if !is_sendable(&content) {
                    tracing::warn!(bot = %self.bot_name(), "a bot's message is empty or too long; it is not sent");
                    return;
                }
                let mut state = self.centre.state();
                let draft = Draft {
                    from: state.bots[self.stimulus.bot].user_id,
                    content: Arc::new(content),
                    reply_to: reply.then_some(self.stimulus.place_id),
                    topic: self.stimulus.topic,
                };
                let id = state.post(place, &draft, date, None);
                drop(state);
                bot.memory().sent(Sent { place, id }, name);
            }
            Effect::Edit { target, content } => {
                let sent = bot.memory().find(place, &target, pressed);
                let edited = sent.is_some_and(|sent| self.centre.state().edit(place, sent.id, content, date, None));
                if !edited {
                    tracing::warn!(bot = %self.bot_name(), ?target, "a bot edits a message that does not exist");
                }
            }
            Effect::Delete { target } => {
                if let Some(sent) = bot.memory().find(place, &target, pressed) {
                    self.centre.state().delete(place, sent.id, date);
                }
            }
        }
    }

    fn bot_name(&self) -> Arc<str> {
        self.centre.state().bots[self.stimulus.bot].name.clone()
    }
}
