//! The conversation with a bot as a state machine: `(elapsed, input) → commands`.
//!
//! The module's documentation is the definition of what counts as signed in. The decisions:
//!
//! 1. **Only words after our first action count**, from the right mouth (see the `inbox` module).
//! 2. **`already` ends the run at any time.** One exception: a default phrase under the very button that the script is
//!    about to press; then the button is pressed and its answer decides, and silence leaves `already_done`.
//! 3. **The task's own `failure` ends the run at any time.** Default failure phrases decide after the last step, and when a
//!    step cannot be done: many bots complain first ("wrong answer, try again") and go on.
//! 4. **Success counts only when heard after the last action**, because a panel that greets with "signed in 3 times
//!    successfully" proves nothing before its button is pressed. By a default phrase it needs all steps done; by the task's
//!    own pattern it also ends outstanding `expect` and `wait` steps, and it stands when a later step cannot be done.
//! 5. **A script that ends in an `expect` which matched has succeeded**, unless that text is classified otherwise.
//! 6. **What was not understood is `unknown`**: silence, other words, an `expect` that never matched, a command whose result
//!    never came. An `expect` whose time is up is `failed` when the last words are a failure or nothing was done at all.
//! 7. **What surely was not done is `failed`**: Telegram refused, or the button never appeared.
//! 8. `proof = "delivered"` turns the `unknown` of a finished script into `delivered`; words still win.
//! 9. **No action twice**: each step begins at most one command; a button is not pressed again before its message changed.
//!    A click whose result is not known is never repeated, and nothing is done after it.
//! 10. **A `refuse` step that was passed outweighs all of this**: the run has failed when its text is heard.
//! 11. **A success ends a repetition**: the round that might follow would do again what worked. Its `until` may say more.
//!
//! The list of steps is read forwards only (see `unroll`), so every conversation ends.
//!
//! While a command is in flight nothing is decided: messages wait for its result, so that the journal is complete and the
//! first message's id is known before anything is compared with it.

mod consulting;
mod judge;
mod perform;
#[cfg(test)]
mod properties;
mod results;
mod resume;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

pub use resume::{decide_from_history, doubt_what_follows, find_sends};

use super::classify::classify;
use super::consult::Question;
use super::inbox::{Action, Arrival, Heard, Inbox};
use super::message::{ChatMessage, Place};
use super::pattern::Pattern;
use super::protocol::{Act, Command, Elapsed, Input, Outgoing};
use super::step::{DEFAULT_WITHIN, Quiet, Script, Step, Verb};
use super::template::Memory;
use super::verdict::{Evidence, Verdict};

/// Messages kept while a command is in flight.
const MAX_PENDING: usize = 100;

/// One attempt of one script in one chat.
#[derive(Debug)]
pub struct Conversation {
    script: Arc<Script>,
    /// Decides what is drawn: the same for the whole attempt, and for what takes it up again.
    seed: u64,
    inbox: Inbox,
    /// The step under way; the number of steps when all are done.
    step: usize,
    phase: Phase,
    pending: VecDeque<(Elapsed, Arrival, ChatMessage)>,
    memory: Memory,
    first_action: Option<Action>,
    last_action: Option<Action>,
    sent: Vec<Evidence>,
    /// What the last step that is not a `wait` expected, and the text that it matched.
    expected: Option<(Heard, Pattern)>,
    /// The message that was about to be sent when the run was cut off.
    unsent: Option<Outgoing>,
    /// The last step that asked a model, and the answer until it is used.
    asked: Option<usize>,
    answer: Option<Answered>,
    /// The step whose result will never be known: nothing is done after it.
    doubt: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Idle,
    /// The command of this step has no result yet.
    InFlight(Flight),
    /// The step, or the wait for a verdict, begins.
    Entering,
    Waiting {
        until: Elapsed,
    },
    Over,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Flight {
    Send(Outgoing),
    Click { message_id: i32 },
    Quiet(Quiet),
    Ask(Box<Consultation>),
}

/// A question to a model, and the message that the answer is for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Consultation {
    question: Question,
    message_id: i32,
}

/// What a model says to do with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answered {
    Press { message_id: i32, label: String },
    Type { message_id: i32, text: String },
}

/// How far a step came.
enum Progress {
    /// It does this.
    Acts(Act),
    /// It has to ask this first.
    Asks(Consultation),
    /// It is over, and this step follows.
    Passed(usize),
    /// What it needs may still come.
    Waits,
    /// What it needs will not come.
    Impossible,
}

impl Conversation {
    /// A conversation that waits for [`Input::Started`] or [`Input::Resume`]. `seed` decides what is drawn from lists.
    pub fn new(script: Arc<Script>, place: Place, seed: u64) -> Self {
        Self {
            script,
            seed,
            inbox: Inbox::new(place),
            step: 0,
            phase: Phase::Idle,
            pending: VecDeque::new(),
            memory: Memory::default(),
            first_action: None,
            last_action: None,
            sent: Vec::new(),
            expected: None,
            unsent: None,
            asked: None,
            answer: None,
            doubt: None,
        }
    }

    /// When [`Input::TimerFired`] is due; `None` while a command is in flight and after the end. Any other input that comes
    /// later than this does as well.
    pub fn deadline(&self) -> Option<Elapsed> {
        match self.phase {
            Phase::Waiting { until } => Some(until),
            _ => None,
        }
    }

    /// Takes in what happened at `now`. Inputs that do not fit, such as the result of another step, change nothing.
    pub fn handle(&mut self, now: Elapsed, input: Input) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.phase != Phase::Over {
            self.take(now, input, &mut commands);
        }
        commands
    }

    fn take(&mut self, now: Elapsed, input: Input, commands: &mut Vec<Command>) {
        match input {
            Input::Started { history } if self.phase == Phase::Idle => {
                for message in history {
                    self.admit(now, Arrival::History, message);
                }
                self.phase = Phase::Entering;
                self.take_pending(now);
            }
            Input::Resume { journal, history } if self.phase == Phase::Idle => {
                self.load(now, &journal, history);
                self.phase = Phase::Entering;
                self.take_pending(now);
            }
            Input::Sent { step, message_id, date } => self.sent(now, step, message_id, date),
            Input::Clicked { step, popup } => self.clicked(now, step, popup.as_ref()),
            Input::Done { step } => self.done(now, step),
            Input::Answered { step, answer } => self.answered(now, step, answer, commands),
            Input::Refused { step, refusal } => self.refused(now, step, &refusal, commands),
            Input::NotDone { step, reason } => self.not_done(now, step, &reason, commands),
            Input::Lost { step } => self.not_known(now, step, commands),
            Input::Message(message) => self.receive(now, Arrival::New, message),
            Input::Edited(message) => self.receive(now, Arrival::Edit, message),
            Input::Deleted(ids) => {
                self.pending.retain(|(_, _, message)| !ids.contains(&message.id));
                self.inbox.forget(&ids);
            }
            Input::Expired => {
                self.take_pending(now);
                return self.finish(self.expired(), commands);
            }
            _ => {}
        }
        self.advance(now, commands);
    }

    /// The command of this step that is in flight.
    fn flight(&self, step: usize) -> Option<Flight> {
        match &self.phase {
            Phase::InFlight(flight) if self.step == step => Some(flight.clone()),
            _ => None,
        }
    }

    fn receive(&mut self, now: Elapsed, arrival: Arrival, message: ChatMessage) {
        if matches!(self.phase, Phase::Idle | Phase::InFlight(_)) {
            self.pending.push_back((now, arrival, message));
            if self.pending.len() > MAX_PENDING {
                self.pending.pop_front();
            }
        } else {
            self.admit(now, arrival, message);
        }
    }

    fn admit(&mut self, now: Elapsed, arrival: Arrival, message: ChatMessage) {
        let rules = &self.script.rules;
        self.inbox.admit(now, arrival, message, |text| classify(text, rules));
    }

    fn act(&mut self, action: Action) {
        self.first_action.get_or_insert(action);
        self.last_action = Some(action);
    }

    /// Does what can be done now, until something has to be waited for.
    fn advance(&mut self, now: Elapsed, commands: &mut Vec<Command>) {
        let script = Arc::clone(&self.script);
        while matches!(self.phase, Phase::Entering | Phase::Waiting { .. }) {
            if let Some(verdict) = self.decided() {
                return self.finish(verdict, commands);
            }
            let step = script.steps.get(self.step).filter(|_| self.doubt.is_none());
            let until = self.deadline().unwrap_or_else(|| now.saturating_add(self.patience(step)));
            let progress = match step {
                Some(Step { verb: Verb::Wait(_), .. }) if now >= until => Progress::Passed(self.step + 1),
                Some(step) => self.attempt(&step.verb),
                None => Progress::Waits,
            };
            let progress = match (progress, step) {
                (Progress::Waits, Some(step)) if now >= until => {
                    self.last_resort(&step.verb).map_or(Progress::Waits, Progress::Asks)
                }
                (progress, _) => progress,
            };
            match progress {
                Progress::Asks(asked) => {
                    self.asked = Some(self.step);
                    commands.push(Command::Ask { step: self.step, question: asked.question.clone() });
                    self.phase = Phase::InFlight(Flight::Ask(Box::new(asked)));
                    return;
                }
                Progress::Acts(act) => return self.command(act, commands),
                Progress::Passed(next) => {
                    self.step = next;
                    self.phase = Phase::Entering;
                }
                Progress::Waits if now < until && !self.is_hopeless() => {
                    self.phase = Phase::Waiting { until };
                    return;
                }
                Progress::Waits | Progress::Impossible => match step.and_then(after_the_time) {
                    Some(next) => self.land(now, next.unwrap_or(self.step + 1)),
                    None => return self.finish(self.out_of_time(), commands),
                },
            }
        }
    }

    /// Nothing more is done, and without a first action nothing that is heard counts.
    fn is_hopeless(&self) -> bool {
        self.doubt.is_some() && self.first_action.is_none()
    }

    fn patience(&self, step: Option<&Step>) -> Elapsed {
        match step.or(self.script.steps.last()) {
            Some(Step { verb: Verb::Wait(pause), .. }) if step.is_some() => *pause,
            Some(Step { within, .. }) => within.unwrap_or(DEFAULT_WITHIN),
            None => DEFAULT_WITHIN,
        }
    }

    fn command(&mut self, act: Act, commands: &mut Vec<Command>) {
        let flight = match &act {
            Act::Send(message) => Flight::Send(message.clone()),
            Act::Click { message_id, .. } => {
                self.act(self.inbox.click_now());
                Flight::Click { message_id: *message_id }
            }
            Act::Quiet(quiet) => {
                if *quiet == Quiet::Join {
                    self.act(self.inbox.click_now());
                }
                Flight::Quiet(*quiet)
            }
        };
        self.phase = Phase::InFlight(flight);
        self.memory.known_up_to = self.inbox.highest_id();
        commands.push(Command::Act { step: self.step, act, memory: self.memory.clone() });
    }

    fn finish(&mut self, verdict: Verdict, commands: &mut Vec<Command>) {
        self.phase = Phase::Over;
        commands.push(Command::Finish(verdict));
    }
}

/// What follows a step whose time is up: `None` ends the run, `Some(None)` stands for the step behind it.
#[expect(clippy::option_option, reason = "three ways to go on")]
fn after_the_time(step: &Step) -> Option<Option<usize>> {
    match (&step.verb, step.otherwise) {
        (Verb::Until(..), _) => Some(None),
        (_, Some(next)) => Some(Some(next)),
        (_, None) => None,
    }
}
