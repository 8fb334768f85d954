//! What each kind of step does, as far as what was heard allows.

use super::super::arithmetic;
use super::super::classify::Finding;
use super::super::inbox::Heard;
use super::super::keyboard::Target;
use super::super::message::{Button, ButtonKind, Position, Use};
use super::super::pattern::Pattern;
use super::super::protocol::{Act, Original, Outgoing, Press};
use super::super::question;
use super::super::step::{Branch, Page, Verb};
use super::super::template::Template;
use super::{Conversation, Progress};
use crate::names::ChatRef;

impl Conversation {
    pub(super) fn attempt(&mut self, verb: &Verb) -> Progress {
        if let Some(message) = self.unsent.take() {
            return Progress::Acts(Act::Send(message));
        }
        if let Some(answer) = self.answer.take() {
            return self.use_answer(answer);
        }
        match verb {
            Verb::ChooseByPicture(prompt) => self.choose_by_picture(prompt.as_ref()),
            Verb::Read { word, prompt } => self.read(word, prompt.as_ref()),
            Verb::Send(texts) => self.say(texts, None),
            Verb::Reply { texts, to } => {
                match self.question(|heard| to.as_ref().is_none_or(|to| to.is_match(&heard.text))) {
                    Some(heard) => {
                        let reply_to = heard.message_id;
                        self.say(texts, reply_to)
                    }
                    None => Progress::Waits,
                }
            }
            Verb::Start(parameter) => Progress::Acts(Act::Send(Outgoing::Start(parameter.clone()))),
            Verb::Dice(emoji) => Progress::Acts(Act::Send(Outgoing::Dice(emoji.clone()))),
            Verb::Quiet(quiet) => Progress::Acts(Act::Quiet(*quiet)),
            Verb::Click(targets) => self.press_wanted(targets, Use::Press, None),
            Verb::Open(targets, page) => self.press_wanted(targets, Use::Open, Some(page)),
            Verb::Vote(targets) => self.press_wanted(targets, Use::Vote, None),
            Verb::Forward { pattern, from } => self.forward(pattern, from.as_ref()),
            Verb::Choose => self.choose(),
            Verb::Solve => self.solve(),
            listening => self.listen(listening),
        }
    }

    /// As [`Self::attempt`], for the steps that only listen.
    pub(super) fn listen(&mut self, verb: &Verb) -> Progress {
        let next = self.step + 1;
        match verb {
            Verb::Expect(pattern) => self.hear_expected(pattern, next),
            Verb::Until(pattern, end) => match self.hear_expected(pattern, *end) {
                Progress::Waits if self.heard_lately(Finding::Succeeded) => Progress::Passed(*end),
                Progress::Waits if self.heard_lately(Finding::Failed) => {
                    self.expected = None;
                    Progress::Passed(next)
                }
                progress => progress,
            },
            Verb::When(branches) => self.branch(branches),
            Verb::Jump(target) => Progress::Passed(*target),
            Verb::Refuse(_) => {
                self.memory.refusals.insert(self.step);
                Progress::Passed(next)
            }
            _ => Progress::Waits,
        }
    }

    /// Says one of the texts, which is drawn once for each step of an attempt.
    fn say(&self, texts: &[Template], reply_to: Option<i32>) -> Progress {
        let drawn = usize::try_from(draw(self.seed, self.step) % texts.len().max(1) as u64).unwrap_or_default();
        match texts.get(drawn).and_then(|text| text.expand(&self.memory)) {
            Some(text) => Progress::Acts(Act::Send(Outgoing::Text { text, reply_to })),
            None => Progress::Impossible,
        }
    }

    /// Presses the button that `targets` want, if it is there.
    fn press_wanted(&mut self, targets: &[Target], wanted: Use, page: Option<&Page>) -> Progress {
        let picked = self.inbox.pick(targets, wanted, self.first_action.as_ref());
        match picked.map(|(message, position, button)| (message.id, position, button.clone())) {
            Some((message_id, position, button)) => self.press(message_id, position, button, page),
            None => Progress::Waits,
        }
    }

    pub(super) fn press(
        &mut self,
        message_id: i32,
        position: Position,
        button: Button,
        page: Option<&Page>,
    ) -> Progress {
        self.inbox.press(message_id, Some(position));
        let Button { text: label, kind } = button;
        let press = match (kind, page) {
            (ButtonKind::Callback { data }, _) => Press::Callback(data),
            (ButtonKind::Vote { option }, _) => Press::Vote(option),
            (ButtonKind::Url(link), Some(page)) => Press::Open(link, page.clone()),
            _ => return Progress::Acts(Act::Send(Outgoing::Text { text: label, reply_to: None })),
        };
        Progress::Acts(Act::Click { message_id, press, position, label })
    }

    fn forward(&self, pattern: &Pattern, from: Option<&ChatRef>) -> Progress {
        let original = match from {
            Some(chat) => Some(Original::Newest { chat: chat.clone(), pattern: pattern.clone() }),
            None => self
                .question(|heard| pattern.is_match(&heard.text))
                .and_then(|heard| heard.message_id)
                .map(Original::Here),
        };
        match original {
            Some(original) => Progress::Acts(Act::Send(Outgoing::Forward(original))),
            None => Progress::Waits,
        }
    }

    fn choose(&mut self) -> Progress {
        let chosen = self.asked().find_map(|heard| {
            let (message, buttons) = self.inbox.buttons_for(heard.message_id?)?;
            let labels: Vec<&str> = buttons.iter().map(|(_, button)| button.text.as_str()).collect();
            let (position, button) = buttons[question::choose(&heard.text, &labels)?];
            Some((message.id, position, button.clone()))
        });
        match chosen {
            Some((message_id, position, button)) => self.press(message_id, position, button, None),
            None => Progress::Waits,
        }
    }

    fn solve(&mut self) -> Progress {
        let found = self.asked().find_map(|heard| Some((heard.message_id?, arithmetic::solve(&heard.text)?)));
        let Some((question, result)) = found else { return Progress::Waits };
        let buttons = self.inbox.buttons_for(question);
        let numbers = buttons.iter().flat_map(|(message, buttons)| {
            buttons.iter().filter_map(|(position, button)| {
                Some((message.id, *position, (*button).clone(), arithmetic::number(&button.text)?))
            })
        });
        let numbers: Vec<_> = numbers.collect();
        let right = numbers.iter().find(|(.., number)| *number == result).cloned();
        match right {
            Some((message_id, position, button, _)) => self.press(message_id, position, button, None),
            None if numbers.is_empty() => {
                let reply_to = self.inbox.is_group().then_some(question);
                Progress::Acts(Act::Send(Outgoing::Text { text: result.to_string(), reply_to }))
            }
            // Numbers are offered and ours is not among them: it was not understood, or the right ones are still to come.
            None => Progress::Waits,
        }
    }

    fn hear_expected(&mut self, pattern: &Pattern, next: usize) -> Progress {
        let Some(heard) = self.lately().find(|heard| pattern.is_match(&heard.text)).cloned() else {
            self.expected = None;
            return Progress::Waits;
        };
        self.capture(pattern, &heard.text);
        self.expected = Some((heard, pattern.clone()));
        Progress::Passed(next)
    }

    /// The newest text that any branch wants decides; of its branches the first.
    fn branch(&mut self, branches: &[Branch]) -> Progress {
        let found = self.lately().find_map(|heard| {
            let branch = branches.iter().find(|branch| branch.pattern.is_match(&heard.text))?;
            Some((branch, heard.text.clone()))
        });
        self.expected = None;
        let Some((branch, text)) = found else { return Progress::Waits };
        self.capture(&branch.pattern, &text);
        Progress::Passed(branch.target)
    }

    fn capture(&mut self, pattern: &Pattern, text: &str) {
        for (name, captured) in pattern.captures(text) {
            self.memory.keep(name, &captured);
        }
    }

    fn heard_lately(&self, finding: Finding) -> bool {
        self.lately().any(|heard| heard.class.as_ref().is_some_and(|class| class.finding == finding))
    }

    /// What was heard since the last action, newest first.
    pub(super) fn lately(&self) -> impl Iterator<Item = &Heard> {
        self.inbox.heard().rev().filter(|heard| self.last_action.as_ref().is_none_or(|action| heard.follows(action)))
    }

    /// As [`Self::lately`], only messages that are still there.
    pub(super) fn asked(&self) -> impl Iterator<Item = &Heard> {
        self.lately().filter(|heard| self.inbox.still_says(heard))
    }

    fn question(&self, wanted: impl Fn(&Heard) -> bool) -> Option<&Heard> {
        self.asked().find(|heard| wanted(heard))
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit of seed and step decides every bit of the draw.
fn draw(seed: u64, step: usize) -> u64 {
    let mut mixed = seed.wrapping_add((step as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
