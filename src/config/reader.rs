//! Takes values out of a TOML table by the shapes of [`keys`](super::keys). What does not fit becomes a finding at its
//! place, and reading goes on. No message shows a value: only the callers know which values are no secrets.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::{Document, Place};
use super::keys::{Key, Shape, TableKeys};
use super::suggest;
use crate::schedule::duration::{self, parse as parse_duration};

/// What was found for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field<T> {
    /// The key is not there.
    Absent,
    /// It is there and wrong; the finding has been made.
    Invalid,
    /// It is there.
    Valid(T),
}

impl<T> Field<T> {
    pub(super) fn and_then<U>(self, read: impl FnOnce(T) -> Option<U>) -> Field<U> {
        match self {
            Self::Absent => Field::Absent,
            Self::Invalid => Field::Invalid,
            Self::Valid(value) => read(value).map_or(Field::Invalid, Field::Valid),
        }
    }

    /// This field, or the other when this one is absent.
    pub(super) fn or(self, other: Self) -> Self {
        if matches!(self, Self::Absent) { other } else { self }
    }

    /// The value or the default; `None` when the field is invalid.
    pub(super) fn or_default(self, default: T) -> Option<T> {
        match self {
            Self::Absent => Some(default),
            Self::Invalid => None,
            Self::Valid(value) => Some(value),
        }
    }

    /// The value; when it is absent, `report` is called.
    pub(super) fn required(self, report: impl FnOnce()) -> Option<T> {
        match self {
            Self::Absent => {
                report();
                None
            }
            Self::Invalid => None,
            Self::Valid(value) => Some(value),
        }
    }

    /// `Some(None)` when the field is absent, `None` when it is invalid.
    #[expect(clippy::option_option, reason = "the outer one ends the caller with `?`")]
    pub(super) fn optional(self) -> Option<Option<T>> {
        match self {
            Self::Absent => Some(None),
            Self::Invalid => None,
            Self::Valid(value) => Some(Some(value)),
        }
    }
}

/// A value, where it stands and what it should be.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    /// The nearest key before it.
    name: &'a str,
    key_place: Place<'a>,
    node: &'a Spanned<DeValue<'a>>,
    shape: &'static Shape,
}

impl<'a> Value<'a> {
    pub(super) fn place(&self) -> Place<'a> {
        self.key_place.document().place(self.node.span().start)
    }

    /// Where the key of the value stands.
    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    pub(super) fn key_place(&self) -> Place<'a> {
        self.key_place
    }

    pub(super) fn is_text(&self) -> bool {
        self.node.get_ref().is_str()
    }

    pub(super) fn is_integer(&self) -> bool {
        self.node.get_ref().is_integer()
    }

    pub(super) fn is_list(&self) -> bool {
        self.node.get_ref().is_array()
    }

    pub(super) fn is_table(&self) -> bool {
        self.node.get_ref().is_table()
    }

    pub(super) fn flag(self) -> Option<bool> {
        self.of_type(DeValue::as_bool)
    }

    pub(super) fn integer(self) -> Option<i64> {
        let Shape::Integer { least, most } = *self.narrowed()?.shape else { return self.mismatch() };
        let number = self
            .of_type(|node| node.as_integer().map(|integer| i64::from_str_radix(integer.as_str(), integer.radix())))?;
        match number {
            Ok(number) if (least..=most).contains(&number) => Some(number),
            _ if least == most => self.refuse(format!("`{}` must be {least}", self.name)),
            _ => self.refuse(format!("`{}` must be from {least} to {most}", self.name)),
        }
    }

    /// Text that is not empty.
    pub(super) fn text(self) -> Option<&'a str> {
        let text = self.of_type(|node| node.as_str())?;
        if text.is_empty() { self.refuse(format!("`{}` is empty", self.name)) } else { Some(text) }
    }

    pub(super) fn duration(self) -> Option<Duration> {
        let Shape::Duration { least, most } = *self.shape else { return self.mismatch() };
        if let Some(integer) = self.node.get_ref().as_integer().filter(|integer| integer.radix() == 10) {
            let message = format!("`{}` has no unit", self.name);
            let number = integer.as_str();
            self.place().error_with_hint(message, format!("write \"{number}s\", \"{number}m\" or \"{number}h\""));
            return None;
        }
        let duration = match parse_duration(self.text()?) {
            Ok(duration) => duration,
            Err(error) => return self.refuse(format!("`{}`: {error}", self.name)),
        };
        let (least, most) = (Duration::from_secs(least), Duration::from_secs(most));
        if duration < least {
            return self.refuse(format!("`{}` must be at least {}", self.name, duration::words(least)));
        }
        if duration > most {
            return self.refuse(format!("`{}` must be at most {}", self.name, duration::words(most)));
        }
        Some(duration)
    }

    /// One of the words of the shape, as `parse` understands it.
    pub(super) fn word<T>(self, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = self.narrowed()?;
        let Shape::Word(words) = value.shape else { return value.mismatch() };
        debug_assert!(words.iter().all(|word| parse(word).is_some()), "{words:?}");
        let text = value.text()?;
        parse(text).or_else(|| {
            let hint = suggest::closest(text, words.iter().copied()).map(|word| format!("did you mean \"{word}\"?"));
            value.place().error_with_hint(format!("`{}` must be {}", value.name, value.shape.says()), hint);
            None
        })
    }

    /// The entries of a list that is not empty.
    pub(super) fn list(self) -> Option<Vec<Value<'a>>> {
        let value = self.narrowed()?;
        let Shape::List(shape) = value.shape else { return value.mismatch() };
        let entries = value.of_type(|node| node.as_array())?;
        if entries.is_empty() {
            return value.refuse(format!("`{}` is an empty list", value.name));
        }
        Some(entries.iter().map(|node| Value { node, shape, ..value }).collect())
    }

    /// The entries of a list, or the value itself as the only one.
    pub(super) fn one_or_more(self) -> Option<Vec<Value<'a>>> {
        if self.is_list() { self.list() } else { Some(vec![self]) }
    }

    pub(super) fn table(self) -> Option<TableReader<'a>> {
        let value = self.narrowed()?;
        let Shape::Table(keys) = value.shape else { return value.mismatch() };
        let table = value.of_type(|node| node.as_table())?;
        Some(TableReader::new(value.place(), table, keys))
    }

    /// The entries of a table of named tables, with the places of their names.
    pub(super) fn named(self) -> Option<Vec<(&'a str, Place<'a>, Option<TableReader<'a>>)>> {
        let Shape::Named(keys) = self.shape else { return self.mismatch() };
        let table = self.of_type(|node| node.as_table())?;
        let entries = table.iter().map(|(key, node)| {
            let place = self.key_place.document().place(key.span().start);
            let inner = node.get_ref().as_table();
            if inner.is_none() {
                place.error(format!("`{}.{}` must be a table", self.name, key.get_ref()));
            }
            (&**key.get_ref(), place, inner.map(|table| TableReader::new(place, table, keys)))
        });
        Some(entries.collect())
    }

    /// An error at the value.
    pub(super) fn refuse<T>(&self, message: impl Into<String>) -> Option<T> {
        self.place().error(message);
        None
    }

    /// The value with the one of its shapes that has the type of the node.
    fn narrowed(self) -> Option<Self> {
        let Shape::Either { shapes, .. } = self.shape else { return Some(self) };
        match shapes.iter().find(|shape| fits(shape, self.node.get_ref())) {
            Some(shape) => Self { shape, ..self }.narrowed(),
            None => self.mismatch(),
        }
    }

    fn of_type<T>(self, get: impl FnOnce(&'a DeValue<'a>) -> Option<T>) -> Option<T> {
        get(self.node.get_ref()).or_else(|| self.mismatch())
    }

    fn mismatch<T>(&self) -> Option<T> {
        let found = match self.node.get_ref() {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or a time without quotes",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.refuse(format!("`{}` must be {}, not {found}", self.name, self.shape.says()))
    }
}

fn fits(shape: &Shape, node: &DeValue<'_>) -> bool {
    match shape {
        Shape::Flag => node.is_bool(),
        Shape::Integer { .. } => node.is_integer(),
        Shape::Text { .. } | Shape::Duration { .. } | Shape::Word(_) => node.is_str(),
        Shape::List(_) => node.is_array(),
        Shape::Table(_) | Shape::Named(_) => node.is_table(),
        Shape::Either { shapes, .. } => shapes.iter().any(|shape| fits(shape, node)),
    }
}

/// A table whose values are taken one by one.
pub(super) struct TableReader<'a> {
    place: Place<'a>,
    keys: &'static TableKeys,
    entries: BTreeMap<&'static str, Value<'a>>,
    sound: bool,
    /// Only to prove in debug builds that every key of the table is read.
    taken: Vec<&'static str>,
}

impl<'a> TableReader<'a> {
    /// Sorts the entries into known keys and findings.
    pub(super) fn new(place: Place<'a>, table: &'a DeTable<'a>, keys: &'static TableKeys) -> Self {
        let mut reader = Self { place, keys, entries: BTreeMap::new(), sound: true, taken: Vec::new() };
        for (key, node) in table {
            let key_place = place.document().place(key.span().start);
            match keys.key(key.get_ref()) {
                Some(Key { name, shape, .. }) => {
                    reader.entries.insert(name, Value { name, key_place, node, shape });
                }
                None => reader.unknown(key.get_ref(), key_place),
            }
        }
        reader.check_exactly_one();
        reader
    }

    /// The table at the top of a document.
    pub(super) fn of_document(
        document: &'a Document<'a>,
        table: &'a Spanned<DeTable<'a>>,
        keys: &'static TableKeys,
    ) -> Self {
        Self::new(document.start(), table.get_ref(), keys)
    }

    /// Where the table begins.
    pub(super) fn place(&self) -> Place<'a> {
        self.place
    }

    /// Whether every key is known and the rule of exactly one is kept.
    pub(super) fn is_sound(&self) -> bool {
        self.sound
    }

    pub(super) fn take(&mut self, name: &str) -> Field<Value<'a>> {
        let Some(key) = self.keys.key(name) else {
            debug_assert!(false, "{name} is not in the table of keys of {}", self.keys.title);
            return Field::Absent;
        };
        self.taken.push(key.name);
        match self.entries.remove(name) {
            Some(value) => Field::Valid(value),
            None if key.required => {
                self.place.error(format!("`{name}` is missing in {}", self.keys.title));
                Field::Invalid
            }
            None => Field::Absent,
        }
    }

    /// To be called when everything has been taken.
    pub(super) fn finish(self) {
        let untaken: Vec<_> = self.keys.names().filter(|name| !self.taken.contains(name)).collect();
        debug_assert!(untaken.is_empty(), "never read in {}: {untaken:?}", self.keys.title);
    }

    fn unknown(&mut self, name: &str, place: Place<'a>) {
        self.sound = false;
        let title = self.keys.title;
        if self.keys.later.contains(&name) {
            place.error(format!("`{name}` is not supported by this version"));
            return;
        }
        if let Some((names, reason)) = self.keys.never
            && suggest::closest(name, names.iter().copied()).is_some()
            && suggest::closest(name, self.keys.names()).is_none()
        {
            place.error_with_hint(format!("unknown key `{name}` in {title}"), Some(reason.to_owned()));
            return;
        }
        let known = self.keys.names().chain(self.keys.later.iter().copied());
        let hint = match suggest::closest(name, known) {
            Some(slip) if self.keys.later.contains(&slip) => Some(format!("`{slip}` is not supported by this version")),
            _ => suggest::hint(name, self.keys.names()),
        };
        place.error_with_hint(format!("unknown key `{name}` in {title}"), hint);
    }

    fn check_exactly_one(&mut self) {
        let mut present: Vec<_> =
            self.keys.exactly_one.iter().filter_map(|name| self.entries.get(name).copied()).collect();
        present.sort_by_key(|value| value.key_place.byte());
        match &present[..] {
            // An unknown key is the likely reason why none is there; one error is enough.
            [] if self.keys.exactly_one.is_empty() || !self.sound => {}
            [] => {
                self.sound = false;
                let names: Vec<_> = self.keys.exactly_one.iter().map(|name| format!("`{name}`")).collect();
                self.place.error(format!("{} needs {}", self.keys.title, suggest::either(&names)));
            }
            [_] => {}
            [first, second, ..] => {
                self.sound = false;
                let message =
                    format!("{} has one of `{}` and `{}`, not both", self.keys.title, first.name, second.name);
                second.key_place.error_with_related(message, first.key_place, "the first of them");
            }
        }
    }
}
