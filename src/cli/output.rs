//! What a command says to the shell that called it.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use crate::daemon::control::RefusalKind;

/// How the process ends; the numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Success,
    /// 1: the operation failed.
    Failure,
    /// 2: wrong usage.
    Usage,
    /// 75 (`EX_TEMPFAIL`): held by another process, or the network is away; try again later.
    TryAgain,
    /// 78 (`EX_CONFIG`): the configuration is wrong.
    Configuration,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::TryAgain => 75,
            Exit::Configuration => 78,
        })
    }
}

impl From<RefusalKind> for Exit {
    fn from(kind: RefusalKind) -> Self {
        match kind {
            RefusalKind::Usage => Self::Usage,
            RefusalKind::TryAgain => Self::TryAgain,
            RefusalKind::Failure => Self::Failure,
        }
    }
}

/// A failure as the user reads it: what happened, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    /// How the process ends.
    pub exit: Exit,
    /// What happened, where, and what to do.
    pub message: String,
}

impl CliError {
    /// A failure that ends the process with `exit`.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

/// Prints a failure to standard error, its first word in red on a terminal.
pub(super) fn print_error(message: &str) {
    let mut stderr = io::stderr().lock();
    let label = if colours(&stderr) { "\u{1b}[1;31merror:\u{1b}[0m" } else { "error:" };
    // Nobody is left to be told when standard error is gone.
    let _ = writeln!(stderr, "{label} {message}");
}

/// Whether a stream wants colours: a terminal, and nobody set `NO_COLOR`.
pub(super) fn colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints to standard output. A reader that closed the pipe has seen enough.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::new(Exit::Failure, format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// One JSON document on one line.
pub(super) fn json_line(value: &impl serde::Serialize) -> Result<String, CliError> {
    let json = serde_json::to_string(value);
    json.map(|json| json + "\n").map_err(|error| CliError::new(Exit::Failure, error.to_string()))
}
