//! When a model is asked, and what is done with its answer.

use super::super::consult::{Question, Wanted, Word};
use super::super::message::Media;
use super::super::protocol::{Act, Outgoing};
use super::super::step::Verb;
use super::super::text::cut;
use super::{Answered, Consultation, Conversation, Progress};

/// Longest text of a bot that a model is told, in characters.
const MAX_TEXT: usize = 2000;

impl Conversation {
    /// Does what the model said, if that can still be done.
    pub(super) fn use_answer(&mut self, answer: Answered) -> Progress {
        match answer {
            Answered::Type { message_id, text } => {
                let reply_to = self.inbox.is_group().then_some(message_id);
                Progress::Acts(Act::Send(Outgoing::Text { text, reply_to }))
            }
            Answered::Press { message_id, label } => {
                let found = self.inbox.buttons_for(message_id).and_then(|(message, buttons)| {
                    let (position, button) = buttons.into_iter().find(|(_, button)| button.text == label)?;
                    Some((message.id, position, button.clone()))
                });
                match found {
                    Some((message_id, position, button)) => self.press(message_id, position, button, None),
                    None => Progress::Impossible,
                }
            }
        }
    }

    pub(super) fn choose_by_picture(&self, prompt: Option<&String>) -> Progress {
        if self.has_asked() {
            return Progress::Impossible;
        }
        let Some(picture) = self.inbox.newest_with(Media::Photo, self.last_action.as_ref()) else {
            return Progress::Waits;
        };
        match self.offer(picture.id, &picture.text, Some(picture.id), prompt) {
            Some(asked) => Progress::Asks(asked),
            None => Progress::Waits,
        }
    }

    pub(super) fn read(&self, word: &Word, prompt: Option<&String>) -> Progress {
        if self.has_asked() {
            return Progress::Impossible;
        }
        let Some(picture) = self.inbox.newest_with(Media::Photo, self.last_action.as_ref()) else {
            return Progress::Waits;
        };
        let wanted = Wanted::Word(word.clone());
        let question =
            Question { wanted, text: cut(&picture.text, MAX_TEXT), picture: Some(picture.id), prompt: prompt.cloned() };
        Progress::Asks(Consultation { question, message_id: picture.id })
    }

    /// What is asked when the time of a step is up that found no answer by itself.
    pub(super) fn last_resort(&self, verb: &Verb) -> Option<Consultation> {
        if self.has_asked() {
            return None;
        }
        let heard = match verb {
            Verb::Choose | Verb::Solve => self.asked().next()?,
            _ => return None,
        };
        let message_id = heard.message_id?;
        let offered = self.offer(message_id, &heard.text, None, None);
        match verb {
            Verb::Solve if offered.is_none() => {
                let text = cut(&heard.text, MAX_TEXT);
                let question = Question { wanted: Wanted::Number, text, picture: None, prompt: None };
                Some(Consultation { question, message_id })
            }
            _ => offered,
        }
    }

    fn has_asked(&self) -> bool {
        self.asked == Some(self.step)
    }

    /// A choice among the buttons of a message.
    fn offer(
        &self,
        message_id: i32,
        text: &str,
        picture: Option<i32>,
        prompt: Option<&String>,
    ) -> Option<Consultation> {
        let (_, buttons) = self.inbox.buttons_for(message_id)?;
        let labels: Vec<String> = buttons.into_iter().map(|(_, button)| button.text.clone()).collect();
        let question =
            Question { wanted: Wanted::OneOf(labels), text: cut(text, MAX_TEXT), picture, prompt: prompt.cloned() };
        Some(Consultation { question, message_id })
    }
}
