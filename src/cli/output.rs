//! What a command says to the shell that called it.

use std::process::ExitCode;

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
