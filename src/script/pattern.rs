//! Texts and regular expressions that are looked for in what a bot says.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A literal text or a regular expression. Equal patterns have equal sources.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "PatternSource", into = "PatternSource")]
pub struct Pattern {
    source: PatternSource,
    regex: Option<regex::Regex>,
}

/// How a pattern is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatternSource {
    /// Found anywhere in the text.
    Text(String),
    /// `/…/` or `/…/i`.
    Regex {
        /// Between the slashes.
        regex: String,
        /// The `i` behind them.
        ignore_case: bool,
    },
}

impl TryFrom<PatternSource> for Pattern {
    type Error = regex::Error;
    fn try_from(source: PatternSource) -> Result<Self, regex::Error> {
        let regex = match &source {
            PatternSource::Text(_) => None,
            PatternSource::Regex { regex, ignore_case } => {
                Some(regex::RegexBuilder::new(regex).case_insensitive(*ignore_case).build()?)
            }
        };
        Ok(Self { source, regex })
    }
}

impl From<Pattern> for PatternSource {
    fn from(pattern: Pattern) -> Self {
        pattern.source
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}
