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
//!
//! While a command is in flight nothing is decided: messages wait for its result, so that the journal is complete and the
//! first message's id is known before anything is compared with it.

mod judge;
#[cfg(test)]
mod properties;
mod resume;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

pub use resume::{decide_from_history, find_sends};

use super::classify::classify;
use super::inbox::{Action, ActionPlace, Arrival, Heard, Inbox};
use super::message::{Button, ButtonKind, ChatMessage, Place, Popup};
use super::pattern::Pattern;
use super::protocol::{Command, Elapsed, Input};
use super::step::{DEFAULT_WITHIN, Script, Step, Verb};
use super::verdict::{Evidence, Verdict};

/// Messages kept while a command is in flight.
const MAX_PENDING: usize = 100;

/// One attempt of one script in one chat.
#[derive(Debug)]
pub struct Conversation {
    script: Arc<Script>,
    inbox: Inbox,
    /// The step under way; the number of steps when all are done.
    step: usize,
    phase: Phase,
    pending: VecDeque<(Elapsed, Arrival, ChatMessage)>,
    first_action: Option<Action>,
    last_action: Option<Action>,
    sent: Vec<Evidence>,
    /// The text that the last `expect` matched.
    expected: Option<Heard>,
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
    Send { text: String },
    Click { message_id: i32 },
}

impl Conversation {
    /// A conversation that waits for [`Input::Started`] or [`Input::Resume`].
    pub fn new(script: Arc<Script>, place: Place) -> Self {
        Self {
            script,
            inbox: Inbox::new(place),
            step: 0,
            phase: Phase::Idle,
            pending: VecDeque::new(),
            first_action: None,
            last_action: None,
            sent: Vec::new(),
            expected: None,
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
            Input::Sent { step, message_id, date } if self.awaits_send(step) => self.sent(now, message_id, date),
            Input::Clicked { step, popup } if self.awaits_click(step) => self.clicked(now, popup.as_ref()),
            Input::SendRefused { step, refusal } if self.awaits_send(step) => {
                if !refusal.leaves_doubt() {
                    return self.finish(self.refused("message", &refusal), commands);
                }
                self.lost(now);
            }
            Input::ClickRefused { step, refusal } if self.awaits_click(step) => {
                if refusal.is_silence_of_the_bot() {
                    self.clicked(now, None);
                } else if refusal.leaves_doubt() {
                    self.lost(now);
                } else {
                    return self.finish(self.refused("click", &refusal), commands);
                }
            }
            Input::Lost { step } if self.awaits_send(step) || self.awaits_click(step) => self.lost(now),
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

    fn awaits_send(&self, step: usize) -> bool {
        self.step == step && matches!(self.phase, Phase::InFlight(Flight::Send { .. }))
    }

    fn awaits_click(&self, step: usize) -> bool {
        self.step == step && matches!(self.phase, Phase::InFlight(Flight::Click { .. }))
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

    /// The command in flight is over: its step is done, and what came meanwhile is taken in.
    fn land(&mut self, now: Elapsed) {
        self.step += 1;
        self.expected = None;
        self.phase = Phase::Entering;
        self.take_pending(now);
    }

    fn take_pending(&mut self, now: Elapsed) {
        for (at, arrival, message) in std::mem::take(&mut self.pending) {
            self.admit(at.min(now), arrival, message);
        }
    }

    fn lost(&mut self, now: Elapsed) {
        self.doubt = Some(self.step);
        self.land(now);
    }

    fn sent(&mut self, now: Elapsed, message_id: i32, date: i64) {
        self.inbox.add_own(message_id);
        let Phase::InFlight(Flight::Send { text }) = std::mem::replace(&mut self.phase, Phase::Entering) else {
            return;
        };
        self.land(now);
        let action = Action { order: self.inbox.next(), date, place: ActionPlace::Message(message_id) };
        self.note_send(now, action, message_id, &text);
    }

    fn clicked(&mut self, now: Elapsed, popup: Option<&Popup>) {
        let Phase::InFlight(Flight::Click { message_id }) = self.phase else { return };
        self.hear_popup(now, Some(message_id), popup);
        self.land(now);
    }

    fn hear_popup(&mut self, now: Elapsed, message_id: Option<i32>, popup: Option<&Popup>) {
        if let Some(text) = popup.and_then(|popup| popup.text.as_deref()) {
            let class = classify(text, &self.script.rules);
            self.inbox.hear_popup(now, message_id, text, class);
        }
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
            let done = match step.map(|step| &step.verb) {
                Some(Verb::Send(text)) => return self.send(text.clone(), commands),
                Some(Verb::Click(patterns)) if self.click(patterns, commands) => return,
                Some(Verb::Expect(pattern)) => {
                    self.expected = self.expect(pattern);
                    self.expected.is_some()
                }
                Some(Verb::Wait(_)) => now >= until,
                _ => false,
            };
            if done {
                self.step += 1;
                self.phase = Phase::Entering;
            } else if now < until && !self.is_hopeless() {
                self.phase = Phase::Waiting { until };
                return;
            } else {
                return self.finish(self.out_of_time(), commands);
            }
        }
    }

    /// The steps that are still to be done.
    fn remaining(&self) -> &[Step] {
        match self.doubt {
            None => self.script.steps.get(self.step..).unwrap_or_default(),
            Some(_) => &[],
        }
    }

    /// Nothing more is done, and without a first action nothing that is heard counts.
    fn is_hopeless(&self) -> bool {
        self.doubt.is_some() && self.first_action.is_none()
    }

    /// Presses the button that `patterns` want, if it is there.
    fn click(&mut self, patterns: &[Pattern], commands: &mut Vec<Command>) -> bool {
        let Some((message, position, button)) = self.inbox.pick(patterns, self.first_action.as_ref()) else {
            return false;
        };
        let (message_id, Button { text: label, kind }) = (message.id, button.clone());
        self.inbox.press(message_id, Some(position));
        if let ButtonKind::Callback { data } = kind {
            self.act(self.inbox.click_now());
            self.phase = Phase::InFlight(Flight::Click { message_id });
            commands.push(Command::Click { step: self.step, message_id, data, position, label });
        } else {
            self.send(label, commands);
        }
        true
    }

    fn patience(&self, step: Option<&Step>) -> Elapsed {
        match step.or(self.script.steps.last()) {
            Some(Step { verb: Verb::Wait(pause), .. }) if step.is_some() => *pause,
            Some(Step { within, .. }) => within.unwrap_or(DEFAULT_WITHIN),
            None => DEFAULT_WITHIN,
        }
    }

    fn send(&mut self, text: String, commands: &mut Vec<Command>) {
        self.phase = Phase::InFlight(Flight::Send { text: text.clone() });
        commands.push(Command::Send { step: self.step, text });
    }

    /// The newest text since the last action that `pattern` is found in.
    fn expect(&self, pattern: &Pattern) -> Option<Heard> {
        let after = |heard: &Heard| self.last_action.as_ref().is_none_or(|action| heard.follows(action));
        self.inbox.heard().rev().find(|heard| after(heard) && pattern.is_match(&heard.text)).cloned()
    }

    fn finish(&mut self, verdict: Verdict, commands: &mut Vec<Command>) {
        self.phase = Phase::Over;
        commands.push(Command::Finish(verdict));
    }
}
