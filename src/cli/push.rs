//! `push`: a workdir or a session for a daemon elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::backup::desk::{Desk, explain};
use super::output::{json_line, print};
use super::{Cli, CliError, Exit, Format, block_on, workdir};
use crate::backup::sync::Reply;
use crate::config::FileContent;
use crate::daemon::datadir;
use crate::ledger::{DirectoryLock, LockError};
use crate::names::AccountName;
use crate::telegram::session::SessionFile;

/// How long `--wait` waits: the daemon looks every interval, and may be just starting.
const LIMIT: Duration = Duration::from_mins(15);

/// Arguments of `push`.
#[derive(Debug, Args)]
pub struct PushArgs {
    /// What to send
    #[command(subcommand)]
    pub command: PushCommand,
}

/// What to send.
#[derive(Debug, Subcommand)]
pub enum PushCommand {
    /// The workdir; the daemon checks it as a whole and answers
    Workdir {
        /// Wait for the answer, at most 15 minutes
        #[arg(long)]
        wait: bool,
    },
    /// The session of an account that signed in here; this host must not use it any more
    Session {
        /// The account
        account: AccountName,
        /// Wait for the answer, at most 15 minutes
        #[arg(long)]
        wait: bool,
    },
}

/// Sends it and, when asked, waits for the answer.
pub(super) fn run(cli: &Cli, arguments: &PushArgs) -> Result<Exit, CliError> {
    block_on(async {
        let mut desk = Desk::look(cli)?;
        let (pushed, wait) = match &arguments.command {
            PushCommand::Workdir { wait } => {
                let files = files(&desk)?;
                (desk.engine.push_workdir(&files).await, *wait)
            }
            PushCommand::Session { account, wait } => {
                let file = session(cli, account)?;
                (desk.engine.push_session(account, &file).await, *wait)
            }
        };
        let pushed = pushed.map_err(|error| explain(&error))?;
        if !wait {
            return tell(cli, None);
        }
        match desk.engine.await_reply(pushed, LIMIT).await.map_err(|error| explain(&error))? {
            Some(reply) => tell(cli, Some(&reply)),
            None => Err(CliError::new(Exit::TryAgain, "the daemon has not answered yet; what was sent waits for it")),
        }
    })
}

fn files(desk: &Desk) -> Result<BTreeMap<String, Vec<u8>>, CliError> {
    let files = desk.sources.files.iter().filter_map(|(name, content)| match content {
        FileContent::Bytes(bytes) => Some((name.clone(), bytes.clone())),
        FileContent::Unreadable(_) | FileContent::Irregular => None,
    });
    let files: BTreeMap<_, _> = files.collect();
    if files.is_empty() {
        return Err(CliError::new(Exit::Configuration, "the workdir has no files to send"));
    }
    Ok(files)
}

/// The session's file, when no daemon uses it.
fn session(cli: &Cli, account: &AccountName) -> Result<Vec<u8>, CliError> {
    let path = workdir::datadir(cli);
    let file = SessionFile::path(&path.join("sessions"), account.as_str());
    let bytes = std::fs::read(&file).map_err(|error| {
        let message = format!("{}: {error}; sign in first with `tgsignd login {account}`", file.display());
        CliError::new(Exit::Failure, message)
    })?;
    match DirectoryLock::acquire(&datadir::lock_file(&path)) {
        Err(LockError::Held { holder, .. }) => {
            let message = format!("{holder} uses this session, and two hosts must not use one; stop it first");
            Err(CliError::new(Exit::TryAgain, message))
        }
        _ => Ok(bytes),
    }
}

#[derive(Serialize)]
struct Report<'a> {
    /// None when no answer was waited for.
    applied: Option<bool>,
    message: Option<&'a str>,
    daemon: Option<&'a str>,
}

fn tell(cli: &Cli, reply: Option<&Reply>) -> Result<Exit, CliError> {
    let text = match (cli.format, reply) {
        (Format::Json, _) => json_line(&Report {
            applied: reply.map(|reply| reply.applied),
            message: reply.map(|reply| reply.message.as_str()),
            daemon: reply.map(|reply| reply.writer.as_str()),
        })?,
        (Format::Text, None) => "Sent. The daemon takes it at its next look; --wait shows its answer.\n".to_owned(),
        (Format::Text, Some(Reply { applied, message, writer })) => {
            format!("{} by {writer}: {message}\n", if *applied { "Applied" } else { "Refused" })
        }
    };
    print(&text)?;
    Ok(if reply.is_none_or(|reply| reply.applied) { Exit::Success } else { Exit::Failure })
}
