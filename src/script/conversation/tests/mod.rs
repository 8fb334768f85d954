//! A conversation under a clock, and what it does with everything a chat can say.

#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use std::time::Duration;

use super::super::keyboard::{Cell, Target};
use super::super::message::Popup;
use super::super::message::{Button, ButtonKind, Link, Media, Mention, Position, Sender};
use super::super::outcome::Outcome;
use super::super::protocol::{JournalMark, Press, Refusal};
use super::super::step::{OutcomeRules, Page, Proof};
use super::super::template::Template;
use super::super::unroll::{Part, PartKind, unroll};
use super::super::verdict::{EvidenceSource, Rule};
use super::*;
use crate::names::ChatRef;

mod actions;
mod flow;
mod taking_up;
mod words;

const BOT: i64 = 7;
const NOON: i64 = 1_790_000_000;

pub(super) fn send(text: &str) -> Verb {
    Verb::Send(vec![Template::literal(text)])
}

pub(super) fn click(text: &str) -> Verb {
    Verb::Click(vec![label(text)])
}

pub(super) fn label(text: &str) -> Target {
    Target::Label(Pattern::parse(text).unwrap())
}

pub(super) fn expect(text: &str) -> Verb {
    Verb::Expect(Pattern::parse(text).unwrap())
}

pub(super) fn script(verbs: Vec<Verb>) -> Script {
    script_of(verbs.into_iter().map(part).collect())
}

pub(super) fn part(verb: Verb) -> Part {
    Part { kind: PartKind::Step(verb), within: None, optional: false, instead: Vec::new() }
}

pub(super) fn optional(part: Part) -> Part {
    Part { optional: true, ..part }
}

pub(super) fn when(branches: Vec<(&str, Vec<Part>)>) -> Part {
    let branches = branches.into_iter().map(|(text, parts)| (Pattern::parse(text).unwrap(), parts)).collect();
    Part { kind: PartKind::When(branches), within: None, optional: false, instead: Vec::new() }
}

pub(super) fn repeat(rounds: u32, until: Option<&str>, parts: Vec<Part>) -> Part {
    let until = until.map(|text| Pattern::parse(text).unwrap());
    Part { kind: PartKind::Repeat { rounds, until, parts }, within: None, optional: false, instead: Vec::new() }
}

#[expect(clippy::needless_pass_by_value, reason = "tests write the parts in place")]
pub(super) fn script_of(parts: Vec<Part>) -> Script {
    Script { steps: unroll(&parts).unwrap(), rules: OutcomeRules::default(), proof: Proof::Bot }
}

pub(super) fn bot(id: i32, text: &str) -> ChatMessage {
    ChatMessage {
        id,
        from: Sender::Peer { id: BOT, is_bot: true },
        outgoing: false,
        date: NOON + 1,
        edited: None,
        text: text.to_owned(),
        keyboard: Vec::new(),
        media: Media::None,
        reply_to: None,
        mention: Mention::Nobody,
        forwarded: false,
    }
}

pub(super) fn with_buttons(message: ChatMessage, labels: &[&str]) -> ChatMessage {
    let button = |label: &&str| Button {
        text: (*label).to_owned(),
        kind: ButtonKind::Callback { data: label.as_bytes().to_vec() },
    };
    ChatMessage { keyboard: labels.iter().map(|label| vec![button(label)]).collect(), ..message }
}

pub(super) fn edited(message: ChatMessage, date: i64) -> ChatMessage {
    ChatMessage { edited: Some(date), ..message }
}

fn popup(text: &str) -> Popup {
    Popup { text: Some(text.to_owned()), alert: true, url: None }
}

fn refusal(code: i32, name: &str) -> Refusal {
    Refusal { code, name: name.to_owned() }
}

/// A conversation with a clock; our messages get the ids 10, 20, ….
struct Talk {
    conversation: Conversation,
    now: Elapsed,
    next_own: i32,
    done: Vec<String>,
    verdict: Option<Verdict>,
    /// What a model says.
    model: Result<String, String>,
}

impl Talk {
    fn idle(script: Script, place: Place) -> Self {
        let conversation = Conversation::new(Arc::new(script), place, 7);
        Self {
            conversation,
            now: Elapsed::ZERO,
            next_own: 10,
            done: Vec::new(),
            verdict: None,
            model: Err("there is no model".to_owned()),
        }
    }

    fn of(parts: Vec<Part>) -> Self {
        Self::idle(script_of(parts), Place::Private { peer: BOT }).started()
    }

    fn new(verbs: Vec<Verb>) -> Self {
        Self::idle(script(verbs), Place::Private { peer: BOT }).started()
    }

    fn group(verbs: Vec<Verb>) -> Self {
        Self::idle(script(verbs), Place::Group).started()
    }

    fn started(mut self) -> Self {
        self.input(Input::Started { history: Vec::new() });
        self
    }

    /// Feeds `input`; sends are accepted at once, clicks stay in flight.
    fn input(&mut self, input: Input) -> &mut Self {
        let mut commands = self.conversation.handle(self.now, input);
        while let Some(command) = commands.pop() {
            assert!(commands.is_empty(), "one command at a time");
            match command {
                Command::Act { step, act: Act::Send(message), .. } => {
                    self.done.push(match &message {
                        Outgoing::Text { text, reply_to: Some(id) } => format!("{text}→{id}"),
                        message => message.shown(),
                    });
                    let (message_id, date) = (self.next_own, NOON);
                    self.next_own += 10;
                    commands = self.conversation.handle(self.now, Input::Sent { step, message_id, date });
                }
                Command::Act { act: Act::Click { message_id, label, .. }, .. } => {
                    self.done.push(format!("{label}@{message_id}"));
                }
                Command::Act { step, act: Act::Quiet(quiet), .. } => {
                    self.done.push(format!("{quiet:?}"));
                    commands = self.conversation.handle(self.now, Input::Done { step });
                }
                Command::Ask { step, question } => {
                    self.done.push(format!("asks {:?} {:?}", question.wanted, question.picture));
                    let answer = self.model.clone().and_then(|said| question.accept(&said).ok_or("no".to_owned()));
                    commands = self.conversation.handle(self.now, Input::Answered { step, answer });
                }
                Command::Finish(verdict) => {
                    assert!(self.verdict.replace(verdict).is_none(), "one verdict");
                }
            }
        }
        self
    }

    fn says(&mut self, message: ChatMessage) -> &mut Self {
        self.input(Input::Message(message))
    }

    fn edits(&mut self, message: ChatMessage) -> &mut Self {
        self.input(Input::Edited(message))
    }

    fn answers_click(&mut self, popup: Option<Popup>) -> &mut Self {
        let step = self.conversation.step;
        self.input(Input::Clicked { step, popup })
    }

    fn waits(&mut self) -> &mut Self {
        while let Some(deadline) = self.conversation.deadline() {
            self.now = deadline;
            self.input(Input::TimerFired);
        }
        self
    }

    fn verdict(&self) -> &Verdict {
        self.verdict.as_ref().unwrap()
    }

    #[track_caller]
    fn ends(&self, outcome: Outcome) -> &Verdict {
        let verdict = self.verdict();
        assert_eq!(verdict.outcome, outcome, "{}", verdict.reason);
        verdict
    }
}
