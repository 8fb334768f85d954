//! Texts with places for what was captured before, and the memory of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::text::visible;

/// Longest captured text, in characters.
const MAX_CAPTURE: usize = 200;

/// What a run knows besides the chat: journaled with each action, so that a run which is taken up again knows the same.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// What the groups of patterns captured, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub captures: BTreeMap<String, String>,
    /// The `refuse` steps that were passed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub refusals: BTreeSet<usize>,
    /// The highest message id that was known when the action began; 0 when nothing was. Dates are whole seconds, too coarse to
    /// tell what was said before an action that is no message from what was said after it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub known_up_to: i32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &i32) -> bool {
    *number == 0
}

impl Memory {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Keeps a capture: its first line without invisible characters, at most 200 characters.
    pub(super) fn keep(&mut self, name: &str, text: &str) {
        let line = text.lines().map(visible).find(|line| !line.is_empty()).unwrap_or_default();
        self.captures.insert(name.to_owned(), line.chars().take(MAX_CAPTURE).collect());
    }
}

/// A text in which `{name}` stands for what a group of an earlier pattern captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Piece {
    Text(String),
    Capture(String),
}

/// Why a text cannot be a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// No pattern before it has a group of this name.
    #[error("no step before it captures `{0}`")]
    Unknown(String),
    /// The bot would choose the command.
    #[error("`{{{0}}}` is part of a command, which the bot would choose then")]
    InCommand(String),
}

impl Template {
    /// A text without places.
    pub fn literal(text: &str) -> Self {
        Self { pieces: vec![Piece::Text(text.to_owned())] }
    }

    /// Reads a text; `known` are the names that earlier patterns capture. Braces around anything but a name stay as they are.
    pub fn parse(text: &str, known: &BTreeSet<String>) -> Result<Self, TemplateError> {
        #[expect(clippy::expect_used, reason = "a constant expression, compiled by every test run")]
        static PLACE: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"\{([A-Za-z_][A-Za-z0-9_]*)\}").expect("a valid expression"));
        let mut pieces = Vec::new();
        let mut end = 0;
        for found in PLACE.captures_iter(text) {
            let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else { continue };
            let (before, name) = (&text[..whole.start()], name.as_str().to_owned());
            if !known.contains(&name) {
                return Err(TemplateError::Unknown(name));
            }
            if before.trim_start().starts_with('/') && !before.trim_start().contains(char::is_whitespace) {
                return Err(TemplateError::InCommand(name));
            }
            pieces.push(Piece::Text(text[end..whole.start()].to_owned()));
            pieces.push(Piece::Capture(name));
            end = whole.end();
        }
        pieces.push(Piece::Text(text[end..].to_owned()));
        pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
        Ok(Self { pieces })
    }

    /// The text; `None` when something was not captured, or when what was captured would make it a command or empty.
    pub(super) fn expand(&self, memory: &Memory) -> Option<String> {
        let words: Option<String> = self
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => Some(text.as_str()),
                Piece::Capture(name) => memory.captures.get(name).map(String::as_str),
            })
            .collect();
        let own_command = self.pieces.iter().find_map(|piece| match piece {
            Piece::Text(text) => text.trim_start().chars().next().map(|first| first == '/'),
            Piece::Capture(_) => Some(false),
        });
        words.filter(|text| {
            let text = text.trim_start();
            !text.is_empty() && (own_command == Some(true) || !text.starts_with('/'))
        })
    }

    /// As it was written.
    pub fn source(&self) -> String {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Capture(name) => format!("{{{name}}}"),
        });
        pieces.collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use super::*;

    #[test]
    fn captures_fill_texts_and_never_make_commands() {
        let known = BTreeSet::from(["code".to_owned()]);
        let mut memory = Memory::default();
        let expand = |text: &str, memory: &Memory| Template::parse(text, &known).unwrap().expand(memory);
        assert_eq!(expand("{code}", &memory), None);
        assert_eq!(expand("{a b} {} 签到", &memory).unwrap(), "{a b} {} 签到");
        for (captured, template, expected) in [
            ("1234", "{code}", Some("1234")),
            ("1234", "/verify {code}!", Some("/verify 1234!")),
            ("  a\n/b", "{code}", Some("a")),
            ("/transfer 100", "{code}", None),
            (" \u{200b}/transfer 100", " {code}", None),
            ("\n\n/transfer 100", "\n{code}", None),
            ("/x", "code: {code}", Some("code: /x")),
            ("", "{code}", None),
        ] {
            memory.keep("code", captured);
            assert_eq!(expand(template, &memory).as_deref(), expected, "{captured:?} in {template:?}");
        }
        memory.keep("code", &"签".repeat(999));
        assert_eq!(memory.captures["code"].chars().count(), MAX_CAPTURE);
        for bad in ["/{code}", "/a{code}", " /a_{code} b"] {
            assert_eq!(Template::parse(bad, &known), Err(TemplateError::InCommand("code".into())), "{bad}");
        }
        assert_eq!(Template::parse("{cod}", &known), Err(TemplateError::Unknown("cod".into())));
    }

    #[test]
    fn templates_survive_json() {
        let template = Template::parse("a {code} b", &BTreeSet::from(["code".to_owned()])).unwrap();
        let json = serde_json::to_string(&template).unwrap();
        assert_eq!(serde_json::from_str::<Template>(&json).unwrap(), template);
        assert_eq!(template.source(), "a {code} b");
    }
}
