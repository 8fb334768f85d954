//! One text with its line structure, and the findings about it.

use std::cell::RefCell;

use toml::Spanned;
use toml::de::DeTable;

use super::diagnostic::{Diagnostic, Related, Severity};

/// A file, or an environment variable seen as one.
pub(super) struct Document<'a> {
    name: String,
    text: &'a str,
    line_starts: Vec<usize>,
    findings: RefCell<Vec<Diagnostic>>,
}

impl<'a> Document<'a> {
    pub(super) fn new(name: impl Into<String>, text: &'a str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { name: name.into(), text, line_starts, findings: RefCell::default() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn start(&self) -> Place<'_> {
        self.place(0)
    }

    pub(super) fn place(&self, byte: usize) -> Place<'_> {
        Place { document: self, byte }
    }

    /// The table of a document without syntax errors; otherwise every such error becomes a finding.
    pub(super) fn parse(&self) -> Option<Spanned<DeTable<'a>>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            // Only the message: what the error displays would show the line.
            let byte = error.span().map_or(self.text.len(), |span| span.start);
            self.place(byte).error(format!("not TOML: {}", error.message()));
        }
        errors.is_empty().then_some(table)
    }

    pub(super) fn into_findings(self) -> Vec<Diagnostic> {
        self.findings.into_inner()
    }

    /// Line and column of a byte, both from 1, the column in characters.
    fn position(&self, byte: usize) -> (usize, usize) {
        let byte = self.text.floor_char_boundary(byte);
        let line = self.line_starts.partition_point(|start| *start <= byte);
        let before = &self.text[self.line_starts[line - 1]..byte];
        // A byte order mark is no character of the first line.
        (line, before.trim_start_matches('\u{feff}').chars().count() + 1)
    }
}

/// A byte of a document.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    document: &'a Document<'a>,
    byte: usize,
}

impl<'a> Place<'a> {
    pub(super) fn document(&self) -> &'a Document<'a> {
        self.document
    }

    pub(super) fn byte(&self) -> usize {
        self.byte
    }

    pub(super) fn error(&self, message: impl Into<String>) {
        self.report(Severity::Error, message.into(), None, None);
    }

    pub(super) fn error_with_hint(&self, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.report(Severity::Error, message.into(), hint.into(), None);
    }

    /// An error that a second place has a part in.
    pub(super) fn error_with_related(&self, message: impl Into<String>, other: Place<'_>, there: &str) {
        let (line, column) = other.document.position(other.byte);
        let related = Related { file: other.document.name.clone(), line, column, message: there.to_owned() };
        self.report(Severity::Error, message.into(), None, Some(related));
    }

    pub(super) fn warning(&self, message: impl Into<String>, hint: impl Into<Option<String>>) {
        self.report(Severity::Warning, message.into(), hint.into(), None);
    }

    fn report(&self, severity: Severity, message: String, hint: Option<String>, related: Option<Related>) {
        let (line, column) = self.document.position(self.byte);
        let file = self.document.name.clone();
        self.document.findings.borrow_mut().push(Diagnostic { file, line, column, severity, message, hint, related });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let document = Document::new("x", "\u{feff}a = 1\r\n签到 = 2\n");
        let byte = document.text.find("= 2").unwrap_or_default();
        assert_eq!(document.position(byte), (2, 4));
        assert_eq!(document.position(3), (1, 1));
        assert_eq!(document.position(document.text.len() + 9), (3, 1));
    }

    #[test]
    fn all_syntax_errors_are_findings_and_none_shows_its_line() {
        let document = Document::new("x", "password = hunter2\nb = \nok = 1\n[t\n");
        assert!(document.parse().is_none());
        let findings = document.into_findings();
        assert!(findings.len() >= 3, "{findings:?}");
        assert!(findings.iter().all(|finding| !finding.to_string().contains("hunter2")), "{findings:?}");
    }
}
