//! What came of a command.

use super::super::classify::classify;
use super::super::consult::{Answer, Wanted};
use super::super::inbox::{Action, ActionPlace};
use super::super::message::Popup;
use super::super::protocol::{Command, Elapsed, Refusal};
use super::super::verdict::Verdict;
use super::{Answered, Consultation, Conversation, Flight, Phase};

impl Conversation {
    /// The command in flight is over, and `next` follows; what came meanwhile is taken in.
    pub(super) fn land(&mut self, now: Elapsed, next: usize) {
        self.step = next;
        self.expected = None;
        self.phase = Phase::Entering;
        self.take_pending(now);
    }

    pub(super) fn take_pending(&mut self, now: Elapsed) {
        for (at, arrival, message) in std::mem::take(&mut self.pending) {
            self.admit(at.min(now), arrival, message);
        }
    }

    pub(super) fn lost(&mut self, now: Elapsed) {
        self.doubt = Some(self.step);
        self.land(now, self.step + 1);
    }

    /// The step cannot be done: the script goes on where it says, or the run ends.
    pub(super) fn give_up(&mut self, now: Elapsed, verdict: Verdict, commands: &mut Vec<Command>) {
        match self.script.steps.get(self.step).and_then(|step| step.otherwise) {
            Some(next) => self.land(now, next),
            None => self.finish(verdict, commands),
        }
    }

    pub(super) fn sent(&mut self, now: Elapsed, step: usize, message_id: i32, date: i64) {
        let Some(Flight::Send(message)) = self.flight(step) else { return };
        self.inbox.add_own(message_id);
        self.land(now, step + 1);
        let action = Action { order: self.inbox.next(), date, place: ActionPlace::Message(message_id) };
        self.note_send(now, action, message_id, &message.shown());
    }

    pub(super) fn clicked(&mut self, now: Elapsed, step: usize, popup: Option<&Popup>) {
        let Some(Flight::Click { message_id }) = self.flight(step) else { return };
        self.hear_popup(now, Some(message_id), popup);
        self.land(now, step + 1);
    }

    pub(super) fn done(&mut self, now: Elapsed, step: usize) {
        let Some(Flight::Quiet(_)) = self.flight(step) else { return };
        let expected = self.expected.take();
        self.land(now, step + 1);
        self.expected = expected;
    }

    pub(super) fn refused(&mut self, now: Elapsed, step: usize, refusal: &Refusal, commands: &mut Vec<Command>) {
        match self.flight(step) {
            Some(Flight::Ask(_)) | None => {}
            Some(Flight::Quiet(quiet)) if refusal.says_it_is_so(quiet) => self.done(now, step),
            Some(Flight::Click { .. }) if refusal.is_silence_of_the_bot() => self.clicked(now, step, None),
            Some(Flight::Send(_) | Flight::Click { .. }) if refusal.leaves_doubt() => self.lost(now),
            Some(_) => self.give_up(now, self.never_done(&format!("Telegram refused: {refusal}")), commands),
        }
    }

    /// It was surely not done.
    pub(super) fn not_done(&mut self, now: Elapsed, step: usize, reason: &str, commands: &mut Vec<Command>) {
        if !matches!(self.flight(step), Some(Flight::Ask(_)) | None) {
            self.give_up(now, self.never_done(reason), commands);
        }
    }

    /// Nobody will ever say whether it was done.
    pub(super) fn not_known(&mut self, now: Elapsed, step: usize, commands: &mut Vec<Command>) {
        match self.flight(step) {
            Some(Flight::Quiet(_)) => self.give_up(now, self.never_done("it is not known whether it was"), commands),
            Some(Flight::Send(_) | Flight::Click { .. }) => self.lost(now),
            Some(Flight::Ask(_)) | None => {}
        }
    }

    pub(super) fn answered(
        &mut self,
        now: Elapsed,
        step: usize,
        answer: Result<Answer, String>,
        commands: &mut Vec<Command>,
    ) {
        let Some(Flight::Ask(asked)) = self.flight(step) else { return };
        let Consultation { question, message_id } = *asked;
        let label = |index: usize| match &question.wanted {
            Wanted::OneOf(labels) => labels.get(index).cloned(),
            _ => None,
        };
        self.answer = match answer {
            Ok(Answer::Label(index)) => label(index).map(|label| Answered::Press { message_id, label }),
            Ok(Answer::Typed(text)) => Some(Answered::Type { message_id, text }),
            Err(reason) => return self.give_up(now, self.never_done(&reason), commands),
        };
        self.phase = Phase::Entering;
        self.take_pending(now);
    }

    pub(super) fn hear_popup(&mut self, now: Elapsed, message_id: Option<i32>, popup: Option<&Popup>) {
        if let Some(text) = popup.and_then(|popup| popup.text.as_deref()) {
            let class = classify(text, &self.script.rules);
            self.inbox.hear_popup(now, message_id, text, class);
        }
    }
}
