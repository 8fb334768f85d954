//! Taking a run up again, and deciding from a chat's history.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::inbox::{Action, ActionPlace, Arrival};
use super::super::message::{ButtonKind, ChatMessage, Place};
use super::super::protocol::{Elapsed, JournalMark, Original, Outgoing};
use super::super::step::{Quiet, Script, Verb};
use super::super::template::Memory;
use super::super::verdict::Verdict;
use super::{Conversation, Phase};

impl Conversation {
    /// Puts the conversation where the journal ends, with the history heard.
    pub(super) fn load(&mut self, now: Elapsed, journal: &[JournalMark], history: Vec<ChatMessage>) {
        let mut history = self.of_this_run(journal, history);
        for mark in journal {
            if let JournalMark::Sent { message_id, .. } = mark {
                self.inbox.add_own(*message_id);
            }
        }
        // By id first, because in a group an answer counts only after what it answers; then as it was said.
        history.sort_by_key(|message| message.id);
        for message in history {
            self.admit(now, Arrival::History, message);
        }
        self.inbox.sort_by_time();
        let mut begun = None;
        for mark in journal {
            match mark {
                JournalMark::Begun { step, date, message, memory } => {
                    self.memory = memory.clone();
                    begun = Some((*step, *date, message.clone()));
                    continue;
                }
                JournalMark::Sent { message_id, date, .. } => {
                    let place = ActionPlace::Message(*message_id);
                    let action = Action { order: self.inbox.next(), date: *date, place };
                    let message = begun.take().and_then(|(.., message)| message);
                    self.note_send(
                        now,
                        action,
                        *message_id,
                        &message.map(|message| message.shown()).unwrap_or_default(),
                    );
                }
                JournalMark::Clicked { message_id, date, popup, .. } => {
                    let floor = self.memory.known_up_to.max(*message_id);
                    // The bot's answer came between the beginning and this mark.
                    let since = begun.as_ref().map_or(*date, |(_, since, _)| *since);
                    self.act(Action { order: self.inbox.next(), date: since, place: ActionPlace::After(floor) });
                    if self.inbox.unchanged_since(*message_id, *date) {
                        self.inbox.press(*message_id, None);
                    }
                    self.hear_popup(now, Some(*message_id), popup.as_ref());
                }
                JournalMark::Done { step, date } => {
                    if matches!(self.verb(*step), Some(Verb::Quiet(Quiet::Join))) {
                        self.act_before(begun.as_ref().map_or(*date, |(_, since, _)| *since));
                    }
                }
            }
            begun = None;
            self.step = mark.step() + 1;
        }
        if let Some((step, date, message)) = begun {
            self.step = step;
            if message.is_none() && !matches!(self.verb(step), Some(Verb::Quiet(_))) {
                self.act_before(date);
                self.doubt = Some(step);
            }
            self.unsent = message;
        }
        self.step = self.step.min(self.script.steps.len());
    }

    /// The history without what was said after this account spoke in the chat once more, and not for this run: that answers
    /// another run or a person, unless it is a reply to a message of this one.
    fn of_this_run(&self, journal: &[JournalMark], mut history: Vec<ChatMessage>) -> Vec<ChatMessage> {
        let Some(last) = journal.last() else { return history };
        let own: BTreeSet<i32> = journal.iter().filter_map(JournalMark::sent_id).collect();
        let is_later = |message: &&ChatMessage| match own.last() {
            Some(own) => message.id > *own,
            None => message.date > last.date(),
        };
        let foreign = |message: &&ChatMessage| message.outgoing && !self.may_say(last.step(), &history, message);
        let next = history.iter().filter(is_later).filter(foreign).map(|message| message.id).min();
        if let Some(next) = next {
            history.retain(|message| message.id < next || message.reply_to.is_some_and(|id| own.contains(&id)));
        }
        history
    }

    /// Whether the script may say that in a step after `last`, the last one that the journal knows of.
    fn may_say(&self, last: usize, history: &[ChatMessage], message: &ChatMessage) -> bool {
        let shown = history.iter().flat_map(|message| message.keyboard.iter().flatten());
        let is_key = shown.filter(|button| button.kind == ButtonKind::Reply).any(|button| button.text == message.text);
        self.script.reachable(last).any(|(step, it)| match &it.verb {
            Verb::Click(_) | Verb::Choose | Verb::ChooseByPicture(_) => is_key,
            // An answer is no command.
            Verb::Solve => is_key || !message.text.starts_with('/'),
            verb => {
                step > last
                    && matches!(possible(verb, &self.memory), Possible::OneOf(said) if said.iter().any(|one| one.is_like(message)))
            }
        })
    }

    fn verb(&self, step: usize) -> Option<&Verb> {
        self.script.steps.get(step).map(|step| &step.verb)
    }

    /// Something that is no message was done at this date, after what the run knew by then.
    fn act_before(&mut self, date: i64) {
        let floor = match self.memory.known_up_to {
            0 => self.inbox.highest_id_before(date),
            known => known,
        };
        self.act(Action { order: self.inbox.next(), date, place: ActionPlace::After(floor) });
    }
}

/// What the chat's history says about a run whose journal is `journal`, if it says anything. Nothing is sent.
///
/// For reading an `unknown` run again, and for deciding slots that are uncertain after a crash or a restore. `history` holds
/// the messages since the run began, in any order.
pub fn decide_from_history(
    script: Arc<Script>,
    place: Place,
    journal: &[JournalMark],
    history: Vec<ChatMessage>,
) -> Option<Verdict> {
    let mut conversation = Conversation::new(script, place, 0);
    conversation.load(Elapsed::ZERO, journal, history);
    conversation.phase = Phase::Entering;
    conversation.decided_without_acting()
}

/// `journal` completed by the messages that arrived although nobody noted it: the one that was about to be sent, and those
/// of the steps that follow for certain. The search ends at the first message that is not there, and where only what the bot
/// said decides how the script goes on.
///
/// `history` holds the messages since the slot, in any order; `journal` may be empty, as after a restore. Clicks leave no
/// trace: what they did shows only in [`decide_from_history`].
pub fn find_sends(script: &Script, journal: &[JournalMark], history: &[ChatMessage]) -> Vec<JournalMark> {
    let mut own: Vec<&ChatMessage> = history.iter().filter(|message| message.outgoing).collect();
    own.sort_by_key(|message| message.id);
    let mut marks = journal.to_vec();
    let known = journal.iter().filter_map(|mark| match mark {
        JournalMark::Sent { message_id, .. } => Some(*message_id),
        _ => None,
    });
    let last_known = known.max().unwrap_or(i32::MIN);
    let mut own = own.into_iter().filter(|message| message.id > last_known);
    let mut next = journal.last().map_or(0, JournalMark::step);
    let mut memory = Memory::default();
    match journal.last() {
        None => {}
        Some(JournalMark::Begun { message: None, .. }) => return marks,
        Some(JournalMark::Begun { step, message: Some(message), memory: known, .. }) => {
            let Some(found) = own.find(|other| message.is_like(other)) else { return marks };
            marks.push(JournalMark::Sent { step: *step, message_id: found.id, date: found.date });
            memory = known.clone();
            next += 1;
        }
        Some(_) => next += 1,
    }
    for (step, verb) in script.steps.iter().map(|step| &step.verb).enumerate().skip(next) {
        let message = match possible(verb, &memory) {
            Possible::None => continue,
            Possible::Unknown => break,
            Possible::OneOf(messages) => own.find(|other| messages.iter().any(|message| message.is_like(other))),
        };
        let Some(message) = message else { break };
        marks.push(JournalMark::Sent { step, message_id: message.id, date: message.date });
    }
    marks
}

/// `journal` with what may have been done after its end in doubt, because the end of the journal itself is lost: the state came
/// from a backup.
///
/// A message that is not in the chat was not sent, and can be. What leaves no trace, such as a click, gets a mark that it may
/// have begun, so that it is not done a second time. `date` is when the slot was planned, in Unix seconds.
pub fn doubt_what_follows(script: &Script, mut journal: Vec<JournalMark>, date: i64) -> Vec<JournalMark> {
    if matches!(journal.last(), Some(JournalMark::Begun { .. })) {
        return journal;
    }
    let next = journal.last().map_or(0, |mark| mark.step() + 1);
    let mut forks = false;
    for (step, verb) in script.reachable(next).map(|(step, it)| (step, &it.verb)) {
        match verb {
            Verb::When(_) | Verb::Jump(_) | Verb::Until(..) => forks = true,
            verb if !verb.acts() || matches!(verb, Verb::Quiet(_)) => {}
            Verb::Send(_) | Verb::Reply { .. } | Verb::Start(_) | Verb::Dice(_) | Verb::Forward { .. } if forks => {}
            Verb::Send(_) | Verb::Reply { .. } | Verb::Start(_) | Verb::Dice(_) | Verb::Forward { .. } => break,
            _ => {
                let memory = Memory::default();
                journal.push(JournalMark::Begun { step, date, message: None, memory });
                break;
            }
        }
    }
    journal
}

/// What a step may have sent.
enum Possible {
    None,
    OneOf(Vec<Outgoing>),
    Unknown,
}

fn possible(verb: &Verb, memory: &Memory) -> Possible {
    match verb {
        Verb::Send(texts) | Verb::Reply { texts, .. } => {
            let text = |text: String| Outgoing::Text { text, reply_to: None };
            Possible::OneOf(texts.iter().filter_map(|template| template.expand(memory)).map(text).collect())
        }
        Verb::Start(parameter) => Possible::OneOf(vec![Outgoing::Start(parameter.clone())]),
        Verb::Dice(emoji) => Possible::OneOf(vec![Outgoing::Dice(emoji.clone())]),
        Verb::Forward { from: Some(chat), pattern } => {
            let (chat, pattern) = (chat.clone(), pattern.clone());
            Possible::OneOf(vec![Outgoing::Forward(Original::Newest { chat, pattern })])
        }
        Verb::Forward { from: None, .. } => Possible::OneOf(vec![Outgoing::Forward(Original::Here(0))]),
        Verb::When(_) | Verb::Jump(_) | Verb::Until(..) | Verb::Solve | Verb::Read { .. } => Possible::Unknown,
        Verb::Click(_)
        | Verb::Open(..)
        | Verb::Vote(_)
        | Verb::Choose
        | Verb::ChooseByPicture(_)
        | Verb::Expect(_)
        | Verb::Refuse(_)
        | Verb::Wait(_)
        | Verb::Quiet(_) => Possible::None,
    }
}
