//! Taking a run up again, and deciding from a chat's history.

use std::sync::Arc;

use super::super::inbox::{Action, ActionPlace, Arrival};
use super::super::message::{ChatMessage, Place};
use super::super::protocol::{Elapsed, JournalMark};
use super::super::step::{Script, Verb};
use super::super::verdict::Verdict;
use super::{Conversation, Phase};

impl Conversation {
    /// Puts the conversation where the journal ends, with the history heard.
    pub(super) fn load(&mut self, now: Elapsed, journal: &[JournalMark], mut history: Vec<ChatMessage>) {
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
        let script = Arc::clone(&self.script);
        let mut begun = None;
        for mark in journal {
            let step = match mark {
                JournalMark::Begun { step, date } => {
                    begun = Some((*step, *date));
                    continue;
                }
                JournalMark::Sent { step, message_id, date } => {
                    let place = ActionPlace::Message(*message_id);
                    let action = Action { order: self.inbox.next(), date: *date, place };
                    let text = match script.steps.get(*step).map(|step| &step.verb) {
                        Some(Verb::Send(text)) => text,
                        _ => "",
                    };
                    self.note_send(now, action, *message_id, text);
                    *step
                }
                JournalMark::Clicked { step, message_id, date, popup } => {
                    self.act(Action { order: self.inbox.next(), date: *date, place: ActionPlace::After(*message_id) });
                    if self.inbox.unchanged_since(*message_id, *date) {
                        self.inbox.press(*message_id, None);
                    }
                    self.hear_popup(now, Some(*message_id), popup.as_ref());
                    *step
                }
            };
            begun = None;
            self.step = step + 1;
        }
        if let Some((step, date)) = begun {
            self.step = step;
            if !matches!(self.script.steps.get(step).map(|step| &step.verb), Some(Verb::Send(_))) {
                let floor = self.inbox.highest_id_before(date);
                self.act(Action { order: self.inbox.next(), date, place: ActionPlace::After(floor) });
                self.doubt = Some(step);
            }
        }
        self.step = self.step.min(self.script.steps.len());
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
    let mut conversation = Conversation::new(script, place);
    conversation.load(Elapsed::ZERO, journal, history);
    conversation.phase = Phase::Entering;
    conversation.decided_without_acting()
}

/// `journal` completed by the messages that arrived although nobody noted it: our own ones in `history` that have the text
/// of a `send` step and stand after the step before. The search ends at the first `send` that is not there.
///
/// `history` holds the messages since the slot, in any order; `journal` may be empty, as after a restore. Clicks leave no
/// trace: what they did shows only in [`decide_from_history`].
pub fn find_sends(script: &Script, journal: &[JournalMark], history: &[ChatMessage]) -> Vec<JournalMark> {
    let mut own: Vec<&ChatMessage> = history.iter().filter(|message| message.outgoing).collect();
    own.sort_by_key(|message| message.id);
    let mut own = own.into_iter().peekable();
    let mut marks = Vec::new();
    let mut searching = true;
    for (step, verb) in script.steps.iter().map(|step| &step.verb).enumerate() {
        let known: Vec<&JournalMark> = journal.iter().filter(|mark| mark.step() == step).collect();
        let sent = known.iter().find_map(|mark| match mark {
            JournalMark::Sent { message_id, .. } => Some(*message_id),
            _ => None,
        });
        marks.extend(known.into_iter().cloned());
        if let Some(id) = sent {
            while own.next_if(|message| message.id <= id).is_some() {}
        } else if let (true, Verb::Send(text)) = (searching, verb) {
            match own.find(|message| message.text.trim() == text.trim()) {
                Some(message) => marks.push(JournalMark::Sent { step, message_id: message.id, date: message.date }),
                None => searching = false,
            }
        }
    }
    marks
}
