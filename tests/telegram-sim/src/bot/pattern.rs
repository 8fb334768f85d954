//! Texts that rules compare with.

use regex::{Captures, Regex, RegexBuilder};
use thiserror::Error;

/// A text to compare with: `/…/` and `/…/i` are regular expressions, anything else is the whole text.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// Exactly this.
    Exact(String),
    /// Anything this expression finds a match in.
    Regex(Regex),
}

/// A regular expression that cannot be compiled.
#[derive(Clone, Debug, Error)]
#[error("not a valid regular expression: {0}")]
pub struct PatternError(#[from] regex::Error);

impl Pattern {
    /// Reads the written form.
    pub fn parse(written: &str) -> Result<Self, PatternError> {
        let (body, ignore_case) = match written.strip_suffix("/i") {
            Some(body) => (Some(body), true),
            None => (written.strip_suffix('/'), false),
        };
        match body.and_then(|body| body.strip_prefix('/')).filter(|body| !body.is_empty()) {
            Some(body) => Ok(Self::Regex(RegexBuilder::new(body).case_insensitive(ignore_case).build()?)),
            None => Ok(Self::Exact(written.to_owned())),
        }
    }

    pub(super) fn find<'t>(&self, text: &'t str) -> Option<Found<'t>> {
        match self {
            Self::Exact(expected) => (expected == text).then_some(Found::Whole(text)),
            Self::Regex(regex) => regex.captures(text).map(Found::Captures),
        }
    }
}

/// What a pattern found.
pub(super) enum Found<'t> {
    Whole(&'t str),
    Captures(Captures<'t>),
}

impl Found<'_> {
    /// A captured group by number or name; 0 is everything.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        match self {
            Self::Whole(text) => (name == "0").then_some(text),
            Self::Captures(captures) => match name.parse::<usize>() {
                Ok(index) => captures.get(index),
                Err(_) => captures.name(name),
            }
            .map(|found| found.as_str()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_written_form_decides_between_text_and_expression() {
        assert!(matches!(Pattern::parse("/checkin").unwrap(), Pattern::Exact(text) if text == "/checkin"));
        assert!(matches!(Pattern::parse("/").unwrap(), Pattern::Exact(_)));
        assert!(matches!(Pattern::parse("/check.*/").unwrap(), Pattern::Regex(_)));
        assert!(Pattern::parse("/CHECK/i").unwrap().find("please check").is_some());
        assert!(Pattern::parse("/(/").is_err());
    }
}
