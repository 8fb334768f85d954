//! `backup now`

use serde::Serialize;

use super::desk::{Desk, explain};
use crate::backup::sync::{Committed, History, Outcome, Reason};
use crate::cli::output::{json_line, print};
use crate::cli::{Cli, CliError, Exit, Format, workdir};
use crate::daemon::control::{Client, Reply, Request};

pub(super) async fn run(cli: &Cli) -> Result<Exit, CliError> {
    if let Some(exit) = through_daemon(cli, &Request::BackupNow).await? {
        return Ok(exit);
    }
    let mut desk = Desk::own(cli)?;
    desk.must_have_ledger()?;
    let inputs = desk.inputs(History::WhenDue);
    let outcome = desk.engine.commit_seen(&inputs, Reason::Command).await.map_err(|error| explain(&error))?;
    tell(cli, &outcome)
}

/// Lets a running daemon do it, which holds the data directory. `None` when none runs.
pub(super) async fn through_daemon(cli: &Cli, request: &Request) -> Result<Option<Exit>, CliError> {
    #[derive(Serialize)]
    struct Told<'a> {
        message: &'a str,
    }
    let lost = |error: std::io::Error| CliError::new(Exit::TryAgain, format!("the daemon cannot be reached: {error}"));
    let Some(mut client) = Client::call(&workdir::datadir(cli), request).await.map_err(lost)? else {
        return Ok(None);
    };
    match client.next().await.map_err(lost)? {
        Some(Reply::Told { message }) => {
            let text = match cli.format {
                Format::Json => json_line(&Told { message: &message })?,
                Format::Text => format!("{message}\n"),
            };
            print(&text)?;
            Ok(Some(Exit::Success))
        }
        Some(Reply::Refused { kind, message }) => Err(CliError::new(kind.into(), message)),
        _ => Err(CliError::new(Exit::TryAgain, "the daemon did not answer; is it stopping?")),
    }
}

#[derive(Serialize)]
struct Report<'a> {
    committed: bool,
    generation: Option<u64>,
    manifest: Option<&'a str>,
    bytes: u64,
    deleted: usize,
}

pub(super) fn tell(cli: &Cli, outcome: &Outcome) -> Result<Exit, CliError> {
    let text = match (cli.format, outcome) {
        (Format::Json, Outcome::Unchanged) => {
            json_line(&Report { committed: false, generation: None, manifest: None, bytes: 0, deleted: 0 })?
        }
        (Format::Json, Outcome::Committed(committed)) => json_line(&Report {
            committed: true,
            generation: Some(committed.generation.manifest.generation.number()),
            manifest: Some(&committed.generation.name),
            bytes: committed.bytes,
            deleted: committed.deleted,
        })?,
        (Format::Text, Outcome::Unchanged) => {
            "Nothing changed since the last generation; nothing was sent.\n".to_owned()
        }
        (Format::Text, Outcome::Committed(committed)) => describe(committed),
    };
    print(&text)?;
    Ok(Exit::Success)
}

fn describe(committed: &Committed) -> String {
    let number = committed.generation.manifest.generation;
    let mut text = format!("Generation {number} is on the server and was read back ({} bytes).\n", committed.bytes);
    for left_out in &committed.left_out {
        text.push_str(&format!("Left out: {}: {}\n", left_out.file.display(), left_out.why));
    }
    if let Some(problem) = &committed.tidying {
        text.push_str(&format!("Old generations could not be removed: {problem}\n"));
    }
    text
}
