//! Verdicts: what is known becomes an outcome with its evidence.

use super::super::amounts::amounts;
use super::super::classify::Finding;
use super::super::inbox::Heard;
use super::super::outcome::Outcome;
use super::super::protocol::{Elapsed, Refusal};
use super::super::step::{Proof, Verb};
use super::super::text::cut;
use super::super::verdict::{Evidence, EvidenceSource, MAX_EVIDENCE_CHARS, Rule, Verdict};
use super::{Action, Conversation, Phase};

/// How many of the latest texts a verdict carries.
const MAX_HEARD: usize = 10;

impl Conversation {
    /// A verdict that needs no more time.
    pub(super) fn decided(&self) -> Option<Verdict> {
        let ends_expected = self.doubt.is_none() && self.step == self.script.steps.len();
        if ends_expected && let Some(verdict) = self.last_expectation() {
            return Some(verdict);
        }
        let remaining = self.remaining();
        let nothing_to_do = !remaining.iter().any(|step| matches!(step.verb, Verb::Send(_) | Verb::Click(_)));
        let nothing_to_see = nothing_to_do && !remaining.iter().any(|step| matches!(step.verb, Verb::Expect(_)));
        let good = self.judged().find(|(heard, finding, own)| match finding {
            Finding::AlreadyDone => *own || !heard.spared && !self.will_press_under(heard),
            Finding::Succeeded => self.is_latest(heard) && (nothing_to_see || *own && nothing_to_do),
            Finding::Failed => false,
        });
        let bad = || {
            self.judged().find(|(heard, finding, own)| {
                *finding == Finding::Failed && (*own || remaining.is_empty() && self.is_latest(heard))
            })
        };
        good.or_else(bad).map(|(heard, ..)| self.says(heard))
    }

    /// As [`Self::decided`], going past the `expect` steps that what was heard satisfies.
    pub(super) fn decided_without_acting(&mut self) -> Option<Verdict> {
        loop {
            if let Some(verdict) = self.decided() {
                return Some(verdict);
            }
            match self.remaining().first().map(|step| &step.verb) {
                Some(Verb::Expect(pattern)) => self.expected = Some(self.expect(pattern)?),
                Some(Verb::Wait(_)) => {}
                _ => return self.fallback(),
            }
            self.step += 1;
        }
    }

    /// Steps are done and the last of them, waits aside, was an `expect`.
    fn last_expectation(&self) -> Option<Verdict> {
        let last = self.script.steps.iter().rposition(|step| !matches!(step.verb, Verb::Wait(_)))?;
        let (Verb::Expect(pattern), Some(heard)) = (&self.script.steps[last].verb, &self.expected) else { return None };
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

    /// Whether the next click would press a button under the message that said `heard`.
    fn will_press_under(&self, heard: &Heard) -> bool {
        let next = self.remaining().iter().find_map(|step| match &step.verb {
            Verb::Click(patterns) => Some(Some(patterns)),
            Verb::Send(_) => Some(None),
            _ => None,
        });
        next.flatten()
            .is_some_and(|patterns| self.inbox.wants_button_under(heard, patterns, self.first_action.as_ref()))
    }

    /// The time of the step, or of the wait for a verdict, is up.
    pub(super) fn out_of_time(&self) -> Verdict {
        if let Some(verdict) = self.fallback() {
            return verdict;
        }
        match self.remaining().first().map(|step| &step.verb) {
            Some(Verb::Click(patterns)) => {
                let wanted = patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join("', '");
                let labels = self.inbox.labels(self.first_action.as_ref());
                let seen = if labels.is_empty() {
                    "no buttons were seen".to_owned()
                } else {
                    format!("seen: {}", labels.join(", "))
                };
                let reason = format!("the button '{wanted}' never appeared; {seen}{}", self.last_words());
                self.verdict(Outcome::Failed, reason, Some(self.step), None)
            }
            Some(Verb::Expect(pattern)) => {
                let reason = format!("'{pattern}' was expected and never said{}", self.last_words());
                let outcome = if self.first_action.is_some() { Outcome::Unknown } else { Outcome::Failed };
                self.verdict(outcome, reason, Some(self.step), None)
            }
            _ => self.inconclusive(),
        }
    }

    /// All steps are done, or nothing more may be done, and no text decided.
    fn inconclusive(&self) -> Verdict {
        if let Some(step) = self.doubt {
            let reason = format!("it is not known whether step {} was carried out{}", step + 1, self.last_words());
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

    /// Telegram refused a command.
    pub(super) fn refused(&self, what: &str, refusal: &Refusal) -> Verdict {
        self.fallback().unwrap_or_else(|| {
            let reason = format!("Telegram refused the {what} of step {}: {refusal}", self.step + 1);
            self.verdict(Outcome::Failed, reason, Some(self.step), None)
        })
    }

    /// The attempt has to end now.
    pub(super) fn expired(&self) -> Verdict {
        if let Some(verdict) = self.fallback() {
            return verdict;
        }
        let in_flight = matches!(self.phase, Phase::InFlight(_));
        if self.remaining().is_empty() {
            return self.inconclusive();
        }
        let outcome = if self.first_action.is_some() || in_flight { Outcome::Unknown } else { Outcome::Failed };
        let step = self.step.min(self.script.steps.len().saturating_sub(1));
        let reason = format!("the time of the attempt was up in step {}{}", step + 1, self.last_words());
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
