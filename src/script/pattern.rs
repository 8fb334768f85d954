//! Texts and regular expressions that are looked for in what a bot says.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::text::{nfkc, normalise, without_emoji};

/// Limit of one compiled expression in bytes, so that a workdir cannot make the daemon large.
const REGEX_SIZE_LIMIT: usize = 1 << 20;

/// A literal text or a regular expression. Equal patterns have equal sources.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "PatternSource", into = "PatternSource")]
pub struct Pattern {
    source: PatternSource,
    matcher: Matcher,
}

#[derive(Clone)]
enum Matcher {
    /// Normalised, with and without emoji.
    Text {
        needle: String,
        bare: String,
    },
    Regex(regex::Regex),
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

/// Why a text cannot be a pattern.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PatternError {
    /// Nothing visible to look for: it would be found in every text.
    #[error("a pattern must not be empty: it would be found in every text")]
    Empty,
    /// The regular expression is wrong or too large.
    #[error("not a usable regular expression: {0}")]
    Regex(#[from] regex::Error),
}

/// How well a pattern fits the label of a button; the best comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// The label is the literal.
    Whole,
    /// The label is the literal when emoji are left out on both sides.
    WholeWithoutEmoji,
    /// The literal is part of the label, or the expression matches.
    Part,
    /// The literal is part of the label when emoji are left out on both sides.
    PartWithoutEmoji,
}

impl Pattern {
    /// Reads a pattern as a workdir writes it: a regular expression when it starts and ends with `/`, then `i` if case
    /// does not matter; else a literal.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let (body, ignore_case) = match text.strip_suffix("/i") {
            Some(body) => (Some(body), true),
            None => (text.strip_suffix('/'), false),
        };
        match body.and_then(|body| body.strip_prefix('/')) {
            Some(regex) => PatternSource::Regex { regex: regex.to_owned(), ignore_case }.try_into(),
            None => Self::literal(text),
        }
    }

    /// A text that is looked for as it is, slashes and all.
    pub fn literal(text: &str) -> Result<Self, PatternError> {
        PatternSource::Text(text.to_owned()).try_into()
    }

    /// Whether the pattern is found in `text`.
    ///
    /// Literals ignore case, width, invisible characters, skin tones and the amount of white space. Regular expressions
    /// see the text in compatibility composition (NFKC) first, then as it came.
    pub fn is_match(&self, text: &str) -> bool {
        match &self.matcher {
            Matcher::Text { needle, .. } => normalise(text).contains(needle),
            Matcher::Regex(regex) => regex.is_match(&nfkc(text)) || regex.is_match(text),
        }
    }

    /// The names of its groups.
    pub fn capture_names(&self) -> impl Iterator<Item = &str> {
        let regex = match &self.matcher {
            Matcher::Text { .. } => None,
            Matcher::Regex(regex) => Some(regex),
        };
        regex.into_iter().flat_map(|regex| regex.capture_names().flatten())
    }

    /// What its named groups find in `text`.
    pub(super) fn captures(&self, text: &str) -> Vec<(&str, String)> {
        let Matcher::Regex(regex) = &self.matcher else { return Vec::new() };
        let composed = nfkc(text);
        let Some(found) = regex.captures(&composed).or_else(|| regex.captures(text)) else { return Vec::new() };
        let names = regex.capture_names().flatten();
        names.filter_map(|name| Some((name, found.name(name)?.as_str().to_owned()))).collect()
    }

    pub(super) fn fit(&self, label: &str) -> Option<Fit> {
        let Matcher::Text { needle, bare } = &self.matcher else {
            return self.is_match(label).then_some(Fit::Part);
        };
        let full = normalise(label);
        let label = without_emoji(&full);
        if full == *needle {
            Some(Fit::Whole)
        } else if !bare.is_empty() && label == *bare {
            Some(Fit::WholeWithoutEmoji)
        } else if full.contains(needle) {
            Some(Fit::Part)
        } else {
            (!bare.is_empty() && label.contains(bare)).then_some(Fit::PartWithoutEmoji)
        }
    }

    pub(super) fn is_literal(&self) -> bool {
        matches!(self.matcher, Matcher::Text { .. })
    }

    /// The normalised text of a literal.
    pub(super) fn literal_text(&self) -> Option<&str> {
        match &self.matcher {
            Matcher::Text { needle, .. } => Some(needle),
            Matcher::Regex(_) => None,
        }
    }
}

impl TryFrom<PatternSource> for Pattern {
    type Error = PatternError;
    fn try_from(source: PatternSource) -> Result<Self, PatternError> {
        let matcher = match &source {
            PatternSource::Text(text) => {
                let needle = normalise(text);
                if needle.is_empty() {
                    return Err(PatternError::Empty);
                }
                Matcher::Text { bare: without_emoji(&needle), needle }
            }
            PatternSource::Regex { regex, .. } if regex.is_empty() => return Err(PatternError::Empty),
            PatternSource::Regex { regex, ignore_case } => Matcher::Regex(
                regex::RegexBuilder::new(regex)
                    .case_insensitive(*ignore_case)
                    .size_limit(REGEX_SIZE_LIMIT)
                    .dfa_size_limit(REGEX_SIZE_LIMIT)
                    .build()?,
            ),
        };
        Ok(Self { source, matcher })
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

/// As a workdir writes it.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            PatternSource::Text(text) => f.write_str(text),
            PatternSource::Regex { regex, ignore_case } => {
                write!(f, "/{regex}/{}", if *ignore_case { "i" } else { "" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use super::*;

    #[test]
    fn written_forms_are_told_apart() {
        for (written, regex) in [
            ("签到", false),
            ("/checkin", false),
            ("/checkin/", true),
            ("/a/i", true),
            ("/i", false),
            ("/", false),
            ("a/", false),
            ("/a/b", false),
            ("/a/x", false),
        ] {
            let pattern = Pattern::parse(written).unwrap();
            assert_eq!(matches!(pattern.source, PatternSource::Regex { .. }), regex, "{written}");
            assert_eq!(pattern.to_string(), written);
            let json = serde_json::to_string(&pattern).unwrap();
            assert_eq!(serde_json::from_str::<Pattern>(&json).unwrap(), pattern);
        }
        assert_eq!(Pattern::literal("/a/").unwrap().to_string(), "/a/");
        assert!(Pattern::literal("/a/").unwrap().is_match("see /A/ here"));
    }

    #[test]
    fn patterns_that_match_everything_or_cost_too_much_are_refused() {
        for bad in ["", " ", "\u{200B}", "//", "//i"] {
            assert_eq!(Pattern::parse(bad).unwrap_err(), PatternError::Empty, "{bad:?}");
        }
        for bad in ["/(/", "/\\p{L}{90000}/", "/(?:(?:a{900}){900}){900}/"] {
            assert!(matches!(Pattern::parse(bad), Err(PatternError::Regex(_))), "{bad}");
        }
        assert!(serde_json::from_str::<Pattern>(r#"{"text":""}"#).is_err());
    }

    #[test]
    fn matching_ignores_dress() {
        for (pattern, text, expected) in [
            ("签到成功", "恭喜！签到\u{FE0F}成功\u{200B}", true),
            ("CHECK IN", "please ｃｈｅｃｋ　 ｉｎ now", true),
            ("积分 +5", "积分　＋５", true),
            ("👍", "👍🏿", true),
            ("签到", "簽到", false),
            ("/积分 \\+\\d+/", "获得积分 ＋１２", true),
            ("/＋/", "积分＋", true),
            ("/success/", "SUCCESS", false),
            ("/success/i", "SUCCESS", true),
            ("/^ok$/", "not ok", false),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().is_match(text), expected, "{pattern} in {text}");
        }
    }

    #[test]
    fn labels_fit_by_degree() {
        for (pattern, label, expected) in [
            ("签到", "签到", Some(Fit::Whole)),
            ("签到", "✅ 签到", Some(Fit::WholeWithoutEmoji)),
            ("签到", "签到🎁", Some(Fit::WholeWithoutEmoji)),
            ("✅ 签到", "☑️签到", Some(Fit::WholeWithoutEmoji)),
            ("签到", "📅 签到记录", Some(Fit::Part)),
            ("🎁签到", "每日签到", Some(Fit::PartWithoutEmoji)),
            ("✅", "✅ 签到", Some(Fit::Part)),
            ("✅", "签到", None),
            ("/^签/", "签到", Some(Fit::Part)),
            ("签到", "退出", None),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().fit(label), expected, "{pattern} on {label}");
        }
    }
}
