//! What is wrong, where, and what to do about it. The offending line is never shown: it may hold a secret.

use std::fmt;

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// Legal but unwise.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One finding. The order is that of the places.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Diagnostic {
    /// Path relative to the workdir, or the name of an environment variable with a `$` before it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// A second place that belongs to the finding.
    pub related: Option<Related>,
}

/// A second place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Related {
    /// As in [`Diagnostic`].
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is there.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, severity, message, hint, related } = self;
        write!(f, "{}:{line}:{column}: {severity}: {}", printable(file), printable(message))?;
        if let Some(Related { file, line, column, message }) = related {
            write!(f, "\n  {}:{line}:{column}: {}", printable(file), printable(message))?;
        }
        if let Some(hint) = hint {
            write!(f, "\n  hint: {}", printable(hint))?;
        }
        Ok(())
    }
}

/// The text with control characters escaped, so that a file name cannot forge a line or steer a terminal.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_its_line_and_control_characters_are_escaped() {
        let diagnostic = Diagnostic {
            file: "a\nb.toml".into(),
            line: 3,
            column: 5,
            severity: Severity::Error,
            message: "the task is defined twice".into(),
            hint: Some("rename one".into()),
            related: Some(Related { file: "c.toml".into(), line: 1, column: 2, message: "first here".into() }),
        };
        assert_eq!(
            diagnostic.to_string(),
            "a\\nb.toml:3:5: error: the task is defined twice\n  c.toml:1:2: first here\n  hint: rename one"
        );
    }
}
