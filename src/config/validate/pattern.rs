//! Patterns, compiled once each.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::config::document::Place;
use crate::config::reader::Value;
use crate::script::{Cell, Pattern, PatternError, Target};

/// The patterns compiled so far: tasks of one kind share theirs.
#[derive(Default)]
pub(in crate::config) struct Patterns {
    compiled: RefCell<BTreeMap<String, Result<Pattern, PatternError>>>,
}

impl Patterns {
    /// One pattern or a list of them.
    pub(super) fn several(&self, value: Value<'_>) -> Option<Vec<Pattern>> {
        let patterns: Vec<_> = value.one_or_more()?.into_iter().map(|value| self.one(value)).collect();
        patterns.into_iter().collect()
    }

    /// One button or a list of them.
    pub(super) fn buttons(&self, value: Value<'_>) -> Option<Vec<Target>> {
        let buttons: Vec<_> = value.one_or_more()?.into_iter().map(|value| self.button(value)).collect();
        buttons.into_iter().collect()
    }

    /// A pattern for its label, or its place.
    fn button(&self, value: Value<'_>) -> Option<Target> {
        if !value.is_table() {
            return self.one(value).map(Target::Label);
        }
        let mut table = value.table()?;
        let text = table.take("text").and_then(|value| usable(Pattern::literal(value.text()?), value.place()));
        let mut number = |name: &str| {
            table.take(name).and_then(|value| {
                let number = i8::try_from(value.integer()?).ok()?;
                if number == 0 {
                    value.refuse("rows and columns count from 1, or from -1 backwards")
                } else {
                    Some(number)
                }
            })
        };
        let (row, column) = (number("row"), number("column"));
        let sound = table.is_sound();
        table.finish();
        let (text, row, column) = (text.optional()?, row.optional()?, column.optional()?);
        let target = match (text, row, column) {
            (Some(text), None, None) => Target::Label(text),
            (Some(_), ..) | (None, None, None) => {
                return value.refuse("a button is named by its `text`, or by its `row` and `column`");
            }
            (None, row, column) => Target::At(Cell { row: row.unwrap_or(1), column: column.unwrap_or(1) }),
        };
        sound.then_some(target)
    }

    /// `'text'`, `'/regex/'`, `'/regex/i'` or `{ text = '…' }`.
    pub(super) fn one(&self, value: Value<'_>) -> Option<Pattern> {
        if value.is_table() {
            let mut table = value.table()?;
            let text = table.take("text").and_then(|value| usable(Pattern::literal(value.text()?), value.place()));
            let sound = table.is_sound();
            table.finish();
            return text.optional()?.filter(|_| sound);
        }
        let text = value.text()?;
        let mut compiled = self.compiled.borrow_mut();
        let pattern = match compiled.get(text) {
            Some(pattern) => pattern.clone(),
            None => compiled.entry(text.to_owned()).or_insert_with(|| Pattern::parse(text)).clone(),
        };
        usable(pattern, value.place())
    }
}

fn usable(pattern: Result<Pattern, PatternError>, place: Place<'_>) -> Option<Pattern> {
    match pattern {
        Ok(pattern) => Some(pattern),
        Err(PatternError::Empty) => {
            place.error("the pattern is empty: it would be found in every text");
            None
        }
        Err(PatternError::Regex(error)) => {
            let hint = "a text that only looks like a regular expression is written { text = '/…/' }";
            place.error_with_hint(format!("not a regular expression: {}", reason(&error)), hint.to_owned());
            None
        }
    }
}

/// One line: the full text of a syntax error repeats the pattern on several.
fn reason(error: &regex::Error) -> String {
    let text = match error {
        regex::Error::CompiledTooBig(_) => return "it is too large".to_owned(),
        error => error.to_string(),
    };
    let last = text.lines().next_back().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or("its syntax is wrong").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_one_line_without_the_pattern() {
        for (regex, expected) in [
            ("/(/", "unclosed group"),
            ("/a\nerror: (\n/", "unclosed group"),
            (r"/\p{Nope}/", "Unicode property not found"),
            ("/(?:a{1000}){1000}{1000}/", "it is too large"),
        ] {
            let Err(PatternError::Regex(error)) = Pattern::parse(regex) else { panic!("{regex} is accepted") };
            assert_eq!(reason(&error), expected, "{regex}");
        }
    }
}
