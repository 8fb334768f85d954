//! `check`: the whole workdir, every error at once.

use std::io::{self, Write};

use serde::Serialize;

use super::arguments::CheckArgs;
use super::explain::{Explanation, explain};
use super::output::colours;
use super::{Cli, CliError, Exit, Format, workdir};
use crate::config::{self, Diagnostic, Severity, Snapshot};
use crate::daemon::{backup_setup, secrets};

/// What `--format json` prints, as one document.
#[derive(Debug, Default, Serialize)]
struct Report {
    ok: bool,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    /// Secrets that could not be read or used; only with `--resolve`.
    unresolved: Vec<Unresolved>,
    tasks: usize,
    accounts: usize,
    /// When each task runs; only with `--explain`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    explanations: Vec<Explanation>,
}

/// What the errors about the backup begin with.
const BACKUP: &str = "[backup]";

#[derive(Debug, Serialize)]
struct Unresolved {
    key: &'static str,
    message: String,
}

/// Prints every finding to stderr and a summary to stdout, or all of it as JSON to stdout.
pub fn run(cli: &Cli, arguments: &CheckArgs) -> Result<Exit, CliError> {
    let report = report(config::load(&workdir::sources(cli)?), arguments, chrono::Utc::now());
    match cli.format {
        Format::Json => print_json(&report),
        Format::Text => {
            let stderr = io::stderr();
            print_text(&report, colours(&stderr), &mut stderr.lock(), &mut io::stdout().lock())
        }
    }
    .or_else(unless_the_reader_left)
    .map_err(|error| CliError::new(Exit::Failure, format!("the result cannot be printed: {error}")))?;
    Ok(if report.ok { Exit::Success } else { Exit::Configuration })
}

/// A closed pipe is no failure: `check | head` has seen enough.
pub(super) fn unless_the_reader_left(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

fn report(
    loaded: Result<config::Loaded, Vec<Diagnostic>>,
    arguments: &CheckArgs,
    now: chrono::DateTime<chrono::Utc>,
) -> Report {
    match loaded {
        Ok(loaded) => {
            let unresolved = if arguments.resolve { unresolved(&loaded.snapshot) } else { Vec::new() };
            Report {
                ok: unresolved.is_empty(),
                errors: Vec::new(),
                warnings: loaded.warnings,
                unresolved,
                tasks: loaded.snapshot.tasks.len(),
                accounts: loaded.snapshot.accounts.len(),
                explanations: if arguments.explain { explain(&loaded.snapshot, now) } else { Vec::new() },
            }
        }
        Err(findings) => {
            let (errors, warnings) = findings.into_iter().partition(|finding| finding.severity == Severity::Error);
            Report { errors, warnings, ..Report::default() }
        }
    }
}

/// Every secret that cannot be read, and what is wrong with the backup's when they can.
fn unresolved(snapshot: &Snapshot) -> Vec<Unresolved> {
    let unreadable = secrets::try_all(snapshot).into_iter();
    let mut found: Vec<_> = unreadable.map(|(key, error)| Unresolved { key, message: error.to_string() }).collect();
    let is_told = found.iter().any(|unresolved| unresolved.key.starts_with(BACKUP));
    if let Some(Err(error)) = snapshot.backup.as_ref().filter(|_| !is_told).map(backup_setup::try_out) {
        let message = error.to_string();
        let message = message.strip_prefix(BACKUP).map_or(&*message, |rest| rest.trim_start_matches([':', ' ']));
        found.push(Unresolved { key: BACKUP, message: message.to_owned() });
    }
    found
}

fn print_json(report: &Report) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, report)?;
    writeln!(stdout)
}

fn print_text(report: &Report, colours: bool, findings: &mut dyn Write, summary: &mut dyn Write) -> io::Result<()> {
    for finding in report.errors.iter().chain(&report.warnings) {
        writeln!(findings, "{}", coloured(&finding.to_string(), finding.severity, colours))?;
    }
    for Unresolved { key, message } in &report.unresolved {
        let line = format!("{key}: error: {message}");
        writeln!(findings, "{}", coloured(&line, Severity::Error, colours))?;
    }
    for explanation in &report.explanations {
        write!(summary, "{}", explanation.text())?;
    }
    let errors = match report.errors.len() + report.unresolved.len() {
        0 => "no errors".to_owned(),
        number => count(number, "error"),
    };
    let warnings = match report.warnings.len() {
        0 => String::new(),
        number => format!(", {}", count(number, "warning")),
    };
    if report.errors.is_empty() {
        let (tasks, accounts) = (count(report.tasks, "task"), count(report.accounts, "account"));
        writeln!(summary, "{tasks}, {accounts}: {errors}{warnings}")
    } else {
        writeln!(summary, "{errors}{warnings}")
    }
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The first "error:" or "warning:" in red or yellow.
fn coloured(text: &str, severity: Severity, colours: bool) -> String {
    if !colours {
        return text.to_owned();
    }
    let word = format!(" {severity}: ");
    let code = match severity {
        Severity::Error => 31,
        Severity::Warning => 33,
    };
    text.replacen(&word, &format!(" \x1b[1;{code}m{severity}\x1b[0m: "), 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn finding(severity: Severity) -> Diagnostic {
        Diagnostic {
            file: "a.toml".into(),
            line: 1,
            column: 2,
            severity,
            message: "what".into(),
            hint: Some("how".into()),
            related: None,
        }
    }

    fn printed(report: &Report, colours: bool) -> (String, String) {
        let (mut findings, mut summary) = (Vec::new(), Vec::new());
        print_text(report, colours, &mut findings, &mut summary).unwrap();
        (String::from_utf8(findings).unwrap(), String::from_utf8(summary).unwrap())
    }

    #[test]
    fn the_summary_counts_what_there_is() {
        let ok = Report { ok: true, tasks: 12, accounts: 1, ..Report::default() };
        assert_eq!(printed(&ok, true), (String::new(), "12 tasks, 1 account: no errors\n".into()));
        let warned = Report { warnings: vec![finding(Severity::Warning)], ..ok };
        assert_eq!(printed(&warned, false).1, "12 tasks, 1 account: no errors, 1 warning\n");
        let bad = Report { errors: vec![finding(Severity::Error), finding(Severity::Error)], ..Report::default() };
        assert_eq!(printed(&bad, false).1, "2 errors\n");
    }

    #[test]
    fn only_the_word_is_coloured() {
        let bad = Report { errors: vec![finding(Severity::Error)], ..Report::default() };
        assert_eq!(printed(&bad, false).0, "a.toml:1:2: error: what\n  hint: how\n");
        assert_eq!(printed(&bad, true).0, "a.toml:1:2: \x1b[1;31merror\x1b[0m: what\n  hint: how\n");
    }
}
