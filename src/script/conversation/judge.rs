//! Verdicts: what is known becomes an outcome with its evidence.

use super::super::amounts::amounts;
use super::super::classify::Finding;
use super::super::inbox::Heard;
use super::super::message::Use;
use super::super::outcome::Outcome;
use super::super::protocol::Elapsed;
use super::super::step::{Proof, Step, Verb};
use super::super::text::cut;
use super::super::verdict::{Evidence, EvidenceSource, MAX_EVIDENCE_CHARS, Rule, Verdict};
use super::{Action, Conversation, Phase, Progress};

/// How many of the latest texts a verdict carries.
const MAX_HEARD: usize = 10;

impl Conversation {
    /// A verdict that needs no more time.
    pub(super) fn decided(&self) -> Option<Verdict> {
        if let Some(verdict) = self.refused_by_words() {
            return Some(verdict);
        }
        let is_done = self.remaining().next().is_none();
        if self.doubt.is_none()
            && is_done
            && let Some(verdict) = self.last_expectation()
        {
            return Some(verdict);
        }
        let nothing_to_see = !self.remaining().any(|step| step.verb.acts() || step.verb.listens());
        let nothing_to_do = !self.obligatory().iter().any(|step| step.verb.acts());
        let good = self.judged().find(|(heard, finding, own)| match finding {
            Finding::AlreadyDone => *own || !heard.spared && !self.will_press_under(heard),
            Finding::Succeeded => self.is_latest(heard) && (nothing_to_see || *own && nothing_to_do),
            Finding::Failed => false,
        });
        let bad = || {
            self.judged()
                .find(|(heard, finding, own)| *finding == Finding::Failed && (*own || is_done && self.is_latest(heard)))
        };
        good.or_else(bad).map(|(heard, ..)| self.says(heard))
    }

    /// The steps that may still be reached.
    fn remaining(&self) -> impl Iterator<Item = &Step> {
        let from = if self.doubt.is_some() { self.script.steps.len() } else { self.step };
        self.script.reachable(from).map(|(_, step)| step)
    }

    /// The steps that are left when everything that can be left out is.
    fn obligatory(&self) -> Vec<&Step> {
        let mut found = Vec::new();
        let mut at = if self.doubt.is_some() { self.script.steps.len() } else { self.step };
        while let Some(step) = self.script.steps.get(at) {
            let next = match (&step.verb, step.otherwise) {
                (Verb::Until(_, end), _) => *end,
                (Verb::Jump(target), _) => *target,
                (_, Some(target)) => target,
                (_, None) => {
                    found.push(step);
                    at + 1
                }
            };
            at = next.max(at + 1);
        }
        found
    }

    /// What a `refuse` step names was said.
    fn refused_by_words(&self) -> Option<Verdict> {
        self.memory.refusals.iter().find_map(|step| {
            let Some(Verb::Refuse(pattern)) = self.script.steps.get(*step).map(|step| &step.verb) else { return None };
            let heard = self.evidence().rev().find(|heard| pattern.is_match(&heard.text))?;
            let rule = Rule::Refuse(pattern.to_string());
            let reason = format!("the bot said what ends the run: {}", cut(&heard.text, 80));
            Some(self.verdict(Outcome::Failed, reason, Some(*step), Some((heard, &rule))))
        })
    }

    /// As [`Self::decided`], going past the steps that what was heard satisfies.
    pub(super) fn decided_without_acting(&mut self) -> Option<Verdict> {
        let script = std::sync::Arc::clone(&self.script);
        loop {
            if let Some(verdict) = self.decided() {
                return Some(verdict);
            }
            let step = script.steps.get(self.step).filter(|_| self.doubt.is_none());
            self.step = match step.map(|step| &step.verb) {
                Some(Verb::Wait(_)) => self.step + 1,
                Some(verb) if !verb.acts() => match self.listen(verb) {
                    Progress::Passed(next) => next,
                    _ => return self.fallback(),
                },
                _ => return self.fallback(),
            };
        }
    }

    /// The last step, waits aside, expected something that was said.
    fn last_expectation(&self) -> Option<Verdict> {
        let (heard, pattern) = self.expected.as_ref()?;
        self.first_action?;
        if heard.class.as_ref().is_some_and(|class| class.finding != Finding::Succeeded) {
            return Some(self.says(heard));
        }
        let quote = cut(&heard.text, 80);
        let rule = Rule::Expect(pattern.to_string());
        Some(self.verdict(
            Outcome::Succeeded,
            format!("the bot said what was expected: {quote}"),
            None,
            Some((heard, &rule)),
        ))
    }

    /// Everything after our first action that was understood, newest first, with whether an own pattern decided.
    fn judged(&self) -> impl Iterator<Item = (&Heard, Finding, bool)> {
        self.evidence().rev().filter_map(|heard| {
            let class = heard.class.as_ref()?;
            Some((heard, class.finding, matches!(class.rule, Rule::Own(_))))
        })
    }

    fn evidence(&self) -> impl DoubleEndedIterator<Item = &Heard> {
        self.inbox.heard().filter(|heard| self.first_action.as_ref().is_some_and(|action| heard.follows(action)))
    }

    fn is_latest(&self, heard: &Heard) -> bool {
        self.last_action.as_ref().is_some_and(|action| heard.follows(action))
    }

    /// Whether the next action would press a button under the message that said `heard`.
    fn will_press_under(&self, heard: &Heard) -> bool {
        let next = self.remaining().map(|step| &step.verb).find(|verb| verb.acts());
        matches!(next, Some(Verb::Click(targets))
            if self.inbox.wants_button_under(heard, targets, self.first_action.as_ref()))
    }

    /// The time of the step, or of the wait for a verdict, is up, or the step cannot be done.
    pub(super) fn out_of_time(&self) -> Verdict {
        if let Some(verdict) = self.fallback() {
            return verdict;
        }
        let surely_not_done = if self.first_action.is_some() { Outcome::Unknown } else { Outcome::Failed };
        let step = self.script.steps.get(self.step).filter(|_| self.doubt.is_none());
        let (outcome, reason) = match step.map(|step| &step.verb) {
            Some(Verb::Click(targets)) => {
                let seen = self.seen_buttons(Use::Press);
                (Outcome::Failed, format!("the button '{}' never appeared; {seen}", list(targets)))
            }
            Some(Verb::Open(targets, _)) => {
                let seen = self.seen_buttons(Use::Open);
                (Outcome::Failed, format!("no button '{}' with a link appeared; {seen}", list(targets)))
            }
            Some(Verb::Vote(targets)) => {
                let seen = self.seen_buttons(Use::Vote);
                (Outcome::Failed, format!("no open poll with the answer '{}' appeared; {seen}", list(targets)))
            }
            Some(Verb::Forward { pattern, .. }) => {
                (Outcome::Failed, format!("there was no message with '{pattern}' to forward"))
            }
            Some(Verb::Choose) => {
                let seen = self.seen_buttons(Use::Press);
                (Outcome::Failed, format!("no question named exactly one of its buttons; {seen}"))
            }
            Some(Verb::Solve) => {
                let seen = self.seen_buttons(Use::Press);
                (Outcome::Failed, format!("no sum with one whole result was asked for; {seen}"))
            }
            Some(Verb::ChooseByPicture(_)) => {
                let seen = self.seen_buttons(Use::Press);
                (Outcome::Failed, format!("no picture with buttons came; {seen}"))
            }
            Some(Verb::Read { .. }) => (Outcome::Failed, "no picture came".to_owned()),
            Some(Verb::Send(_)) => (Outcome::Failed, "the text cannot be filled in with what was captured".to_owned()),
            Some(Verb::Reply { to, .. }) => {
                let like = to.as_ref().map(|to| format!(" with '{to}'")).unwrap_or_default();
                (Outcome::Failed, format!("there was no message{like} to reply to, or nothing to say"))
            }
            Some(Verb::Expect(pattern)) => (surely_not_done, format!("'{pattern}' was expected and never said")),
            Some(Verb::When(branches)) => {
                let patterns: Vec<_> = branches.iter().map(|branch| &branch.pattern).collect();
                (surely_not_done, format!("none of '{}' was said", list(&patterns)))
            }
            _ => return self.inconclusive(),
        };
        let reason = format!("step {}: {reason}{}", self.script.place(self.step), self.last_words());
        self.verdict(outcome, reason, Some(self.step), None)
    }

    fn seen_buttons(&self, wanted: Use) -> String {
        let labels = self.inbox.labels(wanted, self.first_action.as_ref());
        if labels.is_empty() { "no buttons were seen".to_owned() } else { format!("seen: {}", labels.join(", ")) }
    }

    /// All steps are done, or nothing more may be done, and no text decided.
    fn inconclusive(&self) -> Verdict {
        if let Some(step) = self.doubt {
            let reason = format!(
                "it is not known whether step {} was carried out{}",
                self.script.place(step),
                self.last_words()
            );
            return self.verdict(Outcome::Unknown, reason, Some(step), None);
        }
        if self.script.proof == Proof::Delivered {
            return self.verdict(Outcome::Delivered, "Telegram took everything".to_owned(), None, None);
        }
        let reason = match self.evidence().rev().find(|heard| self.is_latest(heard)) {
            None => "the bot did not answer".to_owned(),
            Some(_) => format!("the bot's answer was not understood{}", self.last_words()),
        };
        self.verdict(Outcome::Unknown, reason, None, None)
    }

    /// What a step does was surely not done.
    pub(super) fn never_done(&self, why: &str) -> Verdict {
        self.fallback().unwrap_or_else(|| {
            let reason = format!("step {} was not done: {why}", self.script.place(self.step));
            self.verdict(Outcome::Failed, reason, Some(self.step), None)
        })
    }

    /// The attempt has to end now.
    pub(super) fn expired(&self) -> Verdict {
        if let Some(verdict) = self.fallback() {
            return verdict;
        }
        let in_flight = matches!(self.phase, Phase::InFlight(_));
        if self.remaining().next().is_none() {
            return self.inconclusive();
        }
        let outcome = if self.first_action.is_some() || in_flight { Outcome::Unknown } else { Outcome::Failed };
        let step = self.step.min(self.script.steps.len().saturating_sub(1));
        let reason = format!("the time of the attempt was up in step {}{}", self.script.place(step), self.last_words());
        self.verdict(outcome, reason, Some(step), None)
    }

    /// What stands when a step cannot be done: words that would have ended the run without it.
    fn fallback(&self) -> Option<Verdict> {
        let stands = self.judged().find(|(heard, finding, own)| match finding {
            Finding::AlreadyDone => true,
            Finding::Succeeded => *own && self.is_latest(heard),
            Finding::Failed => false,
        });
        let last_failure = || {
            let last = self.evidence().next_back().filter(|heard| self.is_latest(heard))?;
            (last.class.as_ref()?.finding == Finding::Failed).then_some(last)
        };
        stands.map(|(heard, ..)| heard).or_else(last_failure).map(|heard| self.says(heard))
    }

    fn last_words(&self) -> String {
        match self.evidence().next_back() {
            None => String::new(),
            Some(heard) => format!("; its last words: {}", cut(&heard.text, 80)),
        }
    }

    /// The verdict that a classified text gives.
    fn says(&self, heard: &Heard) -> Verdict {
        let Some(class) = &heard.class else {
            return self.verdict(Outcome::Unknown, "the bot's answer was not understood".to_owned(), None, None);
        };
        let how = if heard.source == EvidenceSource::Popup { "a popup said" } else { "the bot said" };
        let reason = format!("{how}: {}", cut(&heard.text, 80));
        self.verdict(class.finding.into(), reason, None, Some((heard, &class.rule)))
    }

    fn verdict(
        &self,
        outcome: Outcome,
        reason: String,
        failed_step: Option<usize>,
        decisive: Option<(&Heard, &Rule)>,
    ) -> Verdict {
        let mut said: Vec<&Heard> = self.evidence().rev().take(MAX_HEARD).collect();
        if let Some((decisive, _)) = &decisive
            && !said.iter().any(|heard| heard.order == decisive.order)
        {
            said.push(decisive);
        }
        let mut evidence = self.sent.clone();
        evidence.extend(said.into_iter().rev().map(|heard| {
            Evidence {
                source: heard.source,
                message_id: heard.message_id,
                text: cut(&heard.text, MAX_EVIDENCE_CHARS),
                at: heard.at,
                rule: decisive
                    .as_ref()
                    .filter(|(decisive, _)| decisive.order == heard.order)
                    .map(|(_, rule)| Rule::clone(rule)),
                amounts: amounts(&heard.text),
            }
        }));
        evidence.sort_by_key(|evidence| evidence.at);
        Verdict { outcome, reason, evidence, failed_step }
    }

    pub(super) fn note_send(&mut self, now: Elapsed, action: Action, message_id: i32, text: &str) {
        self.sent.push(Evidence {
            source: EvidenceSource::Sent,
            message_id: Some(message_id),
            text: cut(text, MAX_EVIDENCE_CHARS),
            at: now,
            rule: None,
            amounts: Vec::new(),
        });
        self.act(action);
    }
}

fn list(wanted: &[impl ToString]) -> String {
    wanted.iter().map(ToString::to_string).collect::<Vec<_>>().join("', '")
}
