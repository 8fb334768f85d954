//! How one line looks.

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;
use tracing::Level;

use super::fields::Fields;

/// Names that the JSON object has anyway; a field of one of these names gets an underscore in front.
const RESERVED: [&str; 4] = ["timestamp", "level", "target", "message"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Time, level, target, message, fields.
    Pretty { color: bool },
    /// The same without time, which the journal knows, and with the level as sd-daemon(3) wants it.
    Journal,
    /// One object.
    Json,
}

pub(super) struct Line<'a> {
    pub(super) at: DateTime<Utc>,
    pub(super) level: Level,
    pub(super) target: &'a str,
    pub(super) message: String,
    pub(super) fields: Fields,
}

impl Shape {
    /// With the line break. Texts of others cannot break out of the line or send control sequences to a terminal.
    pub(super) fn render(self, line: &Line) -> String {
        let mut text = match self {
            Self::Json => line.json(),
            Self::Journal => format!("<{}>{}: {}", priority(line.level), line.target, line.words()),
            Self::Pretty { color } => {
                let (on, off) = if color { (color_of(line.level), "\x1b[0m") } else { ("", "") };
                format!("{} {on}{:>5}{off} {}: {}", line.timestamp(), line.level, line.target, line.words())
            }
        };
        text.push('\n');
        text
    }
}

impl Line<'_> {
    fn timestamp(&self) -> String {
        self.at.to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    fn json(&self) -> String {
        let time: Value = self.timestamp().into();
        let (level, target) = (self.level.as_str().into(), self.target.into());
        let head =
            [("timestamp", time), ("level", level), ("target", target), ("message", self.message.clone().into())];
        let mut text = "{".to_owned();
        for (name, value) in &head {
            add_member(&mut text, name, value);
        }
        for (name, value) in self.fields.iter() {
            if RESERVED.contains(&name) {
                add_member(&mut text, &format!("_{name}"), value);
            } else {
                add_member(&mut text, name, value);
            }
        }
        text.push('}');
        text
    }

    fn words(&self) -> String {
        let mut words = String::new();
        escape_into(&mut words, &self.message);
        for (name, value) in self.fields.iter() {
            // Writing to a string does not fail.
            let _ = match value {
                Value::String(text) if is_plain(text) => write!(words, " {name}={text}"),
                Value::String(text) => write!(words, " {name}={text:?}"),
                other => write!(words, " {name}={other}"),
            };
        }
        words
    }
}

/// In the order of the calls, which a map of `serde_json` does not promise.
fn add_member(text: &mut String, name: &str, value: &Value) {
    let comma = if text.ends_with('{') { "" } else { "," };
    // Writing to a string does not fail.
    let _ = write!(text, "{comma}{}:{value}", Value::from(name));
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"' || c == '=')
}

fn escape_into(words: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_control() { words.extend(c.escape_default()) } else { words.push(c) }
    }
}

/// Numbers of syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

fn color_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}
