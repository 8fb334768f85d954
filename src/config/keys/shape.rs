//! What a key may hold.

use crate::config::suggest;

/// Roughly what [`crate::names`] allows, for the schema.
pub(in crate::config) const NAME: &str = r"^[^\s/.-][^\s/]{0,63}$";

/// The keys of one kind of table.
#[derive(Debug)]
pub(in crate::config) struct TableKeys {
    /// What a message calls the table.
    pub(in crate::config) title: &'static str,
    /// What may stand in it.
    pub(in crate::config) keys: &'static [Key],
    /// Of these keys one must stand in it, and only one; empty when there is no such rule.
    pub(in crate::config) exactly_one: &'static [&'static str],
    /// Keys that the design knows and this version does not support.
    pub(in crate::config) later: &'static [&'static str],
    /// Names of what is left out for good, and what is said about it.
    pub(in crate::config) never: Option<(&'static [&'static str], &'static str)>,
    /// What the schema calls it, for a table that may stand within itself.
    pub(in crate::config) definition: Option<&'static str>,
}

/// One key.
#[derive(Debug)]
pub(in crate::config) struct Key {
    pub(in crate::config) name: &'static str,
    pub(in crate::config) shape: Shape,
    /// A sentence or two for the user; a default is part of it.
    pub(in crate::config) about: &'static str,
    /// The table makes no sense without it.
    pub(in crate::config) required: bool,
}

impl Key {
    pub(in crate::config) const fn new(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self { name, shape, about, required: false }
    }

    pub(in crate::config) const fn required(self) -> Self {
        Self { required: true, ..self }
    }
}

impl TableKeys {
    pub(in crate::config) const fn new(title: &'static str, keys: &'static [Key]) -> Self {
        Self { title, keys, exactly_one: &[], later: &[], never: None, definition: None }
    }

    pub(in crate::config) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    pub(in crate::config) fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.keys.iter().map(|key| key.name)
    }
}

/// The shape of a value.
#[derive(Debug)]
pub(in crate::config) enum Shape {
    /// `true` or `false`.
    Flag,
    /// A whole number, bounds included.
    Integer { least: i64, most: i64 },
    /// Text that is not empty. `pattern` is a regular expression for the schema, empty when any text will do; the reader
    /// has the finer rules. `such_as` completes a message.
    Text { such_as: &'static str, pattern: &'static str },
    /// Text with a unit; bounds in seconds, included.
    Duration { least: u64, most: u64 },
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list that is not empty.
    List(&'static Shape),
    /// A table.
    Table(&'static TableKeys),
    /// A table whose keys are names and whose values are such tables.
    Named(&'static TableKeys),
    /// One of several shapes; `says` completes the message when none fits.
    Either { says: &'static str, shapes: &'static [Shape] },
}

impl Shape {
    /// "must be …"
    pub(in crate::config) fn says(&self) -> String {
        match self {
            Self::Flag => "true or false".to_owned(),
            Self::Integer { least, most } if least == most => format!("the number {least}, without quotes"),
            Self::Integer { least, most } => format!("a whole number from {least} to {most}, without quotes"),
            Self::Text { such_as, .. } => format!("text in quotes, such as {such_as}"),
            Self::Duration { .. } => {
                "a duration in quotes with a unit, such as \"30s\", \"5m\" or \"1h30m\"".to_owned()
            }
            Self::Word(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                suggest::either(&words)
            }
            Self::List(of) => format!("a list in brackets, each entry {}", of.says()),
            Self::Table(TableKeys { title, definition: Some(_), .. }) => {
                format!("{title} in braces, such as {{ send = '/checkin' }}")
            }
            Self::Table(table) => {
                let names: Vec<_> = table.names().map(|name| format!("`{name}`")).collect();
                format!("a table with {}", suggest::enumerate(&names))
            }
            Self::Named(_) => "a table of tables by name".to_owned(),
            Self::Either { says, .. } => (*says).to_owned(),
        }
    }

    /// The kinds of tables that may stand directly in a value of this shape.
    #[cfg(test)]
    pub(in crate::config) fn tables(&self) -> Vec<&'static TableKeys> {
        match self {
            Self::Table(table) | Self::Named(table) => vec![table],
            Self::List(of) => of.tables(),
            Self::Either { shapes, .. } => shapes.iter().flat_map(Self::tables).collect(),
            _ => Vec::new(),
        }
    }
}
