//! What a text says about the outcome.

use super::outcome::Outcome;
use super::step::OutcomeRules;
use super::verdict::Rule;

/// What a bot's text can prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finding {
    /// The sign-in worked.
    Succeeded,
    /// It had been done before.
    AlreadyDone,
    /// It did not work.
    Failed,
}

impl From<Finding> for Outcome {
    fn from(finding: Finding) -> Self {
        match finding {
            Finding::Succeeded => Self::Succeeded,
            Finding::AlreadyDone => Self::AlreadyDone,
            Finding::Failed => Self::Failed,
        }
    }
}

/// A text that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classified {
    /// What it proves.
    pub finding: Finding,
    /// Why.
    pub rule: Rule,
}

/// What `text` says about the outcome; `None` when in doubt.
pub fn classify(text: &str, rules: &OutcomeRules) -> Option<Classified> {
    let own = [
        (Finding::Failed, &rules.failure),
        (Finding::AlreadyDone, &rules.already),
        (Finding::Succeeded, &rules.success),
    ];
    own.into_iter().find_map(|(finding, patterns)| {
        let pattern = patterns.iter().find(|pattern| pattern.is_match(text))?;
        Some(Classified { finding, rule: Rule::Own(pattern.to_string()) })
    })
}
