//! Patterns, compiled once each.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::config::reader::Value;
use crate::script::{Pattern, PatternError, PatternSource};

/// The regular expressions compiled so far: tasks of one kind share theirs.
#[derive(Default)]
pub(in crate::config) struct Patterns {
    compiled: RefCell<BTreeMap<(String, bool), Result<Pattern, String>>>,
}

impl Patterns {
    /// One pattern or a list of them.
    pub(super) fn several(&self, value: Value<'_>) -> Option<Vec<Pattern>> {
        let patterns: Vec<_> = value.one_or_more()?.into_iter().map(|value| self.one(value)).collect();
        patterns.into_iter().collect()
    }

    /// `'text'`, `'/regex/'`, `'/regex/i'` or `{ text = '…' }`.
    pub(super) fn one(&self, value: Value<'_>) -> Option<Pattern> {
        if value.is_table() {
            let mut table = value.table()?;
            let text = table.take("text").and_then(Value::text);
            let sound = table.is_sound();
            table.finish();
            return self.literal(text.optional()??).filter(|_| sound);
        }
        let text = value.text()?;
        let Some((regex, ignore_case)) = between_slashes(text) else { return self.literal(text) };
        if regex.is_empty() {
            return value.refuse("the regular expression is empty and would match everything");
        }
        let compiled = self
            .compiled
            .borrow_mut()
            .entry((regex.to_owned(), ignore_case))
            .or_insert_with(|| {
                let source = PatternSource::Regex { regex: regex.to_owned(), ignore_case };
                Pattern::try_from(source).map_err(|error| reason(&error))
            })
            .clone();
        match compiled {
            Ok(pattern) => Some(pattern),
            Err(reason) => {
                let hint = "a text that only looks like a regular expression is written { text = '/…/' }";
                value.place().error_with_hint(format!("not a regular expression: {reason}"), hint.to_owned());
                None
            }
        }
    }

    #[expect(clippy::unused_self, reason = "the counterpart of the compiled ones")]
    fn literal(&self, text: &str) -> Option<Pattern> {
        Pattern::try_from(PatternSource::Text(text.to_owned())).ok()
    }
}

/// What stands between the slashes of `/…/` and `/…/i`, and whether there is an `i`.
fn between_slashes(text: &str) -> Option<(&str, bool)> {
    let rest = text.strip_prefix('/')?;
    match rest.strip_suffix("/i") {
        Some(regex) => Some((regex, true)),
        None => rest.strip_suffix('/').map(|regex| (regex, false)),
    }
}

/// One line: the full text of a syntax error repeats the pattern on several.
fn reason(error: &PatternError) -> String {
    match error {
        PatternError::Regex(regex::Error::CompiledTooBig(_)) => "it is too large".to_owned(),
        PatternError::Empty => error.to_string(),
        PatternError::Regex(error) => {
            let text = error.to_string();
            let last = text.lines().next_back().unwrap_or_default();
            last.strip_prefix("error: ").unwrap_or("its syntax is wrong").to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_make_a_regular_expression() {
        for (text, expected) in [
            ("签到", None),
            ("/", None),
            ("/checkin", None),
            ("/i", None),
            ("a/", None),
            ("//", Some(("", false))),
            ("//i", Some(("", true))),
            ("/a/", Some(("a", false))),
            ("/a/i", Some(("a", true))),
            ("/a/i/", Some(("a/i", false))),
        ] {
            assert_eq!(between_slashes(text), expected, "{text}");
        }
    }

    #[test]
    fn the_reason_is_one_line_without_the_pattern() {
        for (regex, expected) in [
            ("(", "unclosed group"),
            ("a\nerror: (\n", "unclosed group"),
            (r"\p{Nope}", "Unicode property not found"),
            ("(?:a{1000}){1000}{1000}", "it is too large"),
        ] {
            let source = PatternSource::Regex { regex: regex.into(), ignore_case: false };
            assert_eq!(Pattern::try_from(source).map_err(|error| reason(&error)), Err(expected.into()), "{regex}");
        }
    }
}
