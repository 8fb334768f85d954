//! `once`: one task now, through the running daemon or without one.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::arguments::OnceArgs;
use super::output::{json_line, print};
use super::{Cli, CliError, Exit, Format, block_on, workdir};
use crate::config::Snapshot;
use crate::daemon::account::{Ended, RunReply};
use crate::daemon::alone::{self, AloneError};
use crate::daemon::control::{Client, RefusalKind, Reply, Request};
use crate::daemon::datadir::DatadirError;
use crate::daemon::rehearsal::Rehearsal;
use crate::daemon::reload;
use crate::kernel::evidence_line;
use crate::names::AccountName;

/// Runs the task and prints how it ended for each account.
pub(super) fn run(cli: &Cli, arguments: &OnceArgs) -> Result<Exit, CliError> {
    block_on(async {
        match through_daemon(cli, arguments).await? {
            Some(exit) => Ok(exit),
            None => without_daemon(cli, arguments).await,
        }
    })
}

async fn through_daemon(cli: &Cli, arguments: &OnceArgs) -> Result<Option<Exit>, CliError> {
    let request =
        Request::Once { task: arguments.task.clone(), account: arguments.account.clone(), dry_run: arguments.dry_run };
    let lost = |error: std::io::Error| CliError::new(Exit::TryAgain, format!("the daemon cannot be reached: {error}"));
    let Some(mut client) = Client::call(&workdir::datadir(cli), &request).await.map_err(lost)? else {
        return Ok(None);
    };
    let mut worst = Exit::Success;
    let mut answers = 0;
    while let Some(reply) = client.next().await.map_err(lost)? {
        answers += 1;
        let exit = match reply {
            Reply::Run(ended) => tell(cli, &ended)?,
            Reply::Rehearsed(rehearsal) => tell_rehearsal(cli, &rehearsal)?,
            Reply::Refused { kind, message } => {
                refused(cli, None, &message)?;
                kind.into()
            }
            _ => Exit::Failure,
        };
        worst = worse(worst, exit);
    }
    if answers == 0 {
        return Err(CliError::new(
            Exit::TryAgain,
            "the daemon ended before the run did; its transcript tells how far it got",
        ));
    }
    Ok(Some(worst))
}

async fn without_daemon(cli: &Cli, arguments: &OnceArgs) -> Result<Exit, CliError> {
    let path = workdir::path(cli);
    let environment: BTreeMap<String, String> = crate::daemon::workdir::process_environment();
    let accepted = reload::read(&path, environment)
        .map_err(|rejected| CliError::new(Exit::Configuration, rejected.0.join("\n")))?;
    if arguments.dry_run {
        return rehearse_without_daemon(cli, arguments, accepted.snapshot).await;
    }
    let replies =
        alone::once(&workdir::datadir(cli), Arc::new(accepted.snapshot), &arguments.task, arguments.account.as_ref())
            .await
            .map_err(|error| explain(&error))?;
    let mut worst = Exit::Success;
    for (account, reply) in replies {
        let exit = match reply {
            RunReply::Ended(ended) => tell(cli, &ended)?,
            RunReply::Refused(reason) => {
                refused(cli, Some(&account), &reason)?;
                Exit::Failure
            }
        };
        worst = worse(worst, exit);
    }
    Ok(worst)
}

async fn rehearse_without_daemon(cli: &Cli, arguments: &OnceArgs, snapshot: Snapshot) -> Result<Exit, CliError> {
    let (datadir, snapshot) = (workdir::datadir(cli), Arc::new(snapshot));
    let told = alone::rehearse(&datadir, snapshot, &arguments.task, arguments.account.as_ref())
        .await
        .map_err(|error| explain(&error))?;
    let mut worst = Exit::Success;
    for (account, rehearsal) in told {
        let exit = match rehearsal {
            Ok(rehearsal) => tell_rehearsal(cli, &rehearsal)?,
            Err(reason) => {
                refused(cli, Some(&account), &reason)?;
                Exit::Failure
            }
        };
        worst = worse(worst, exit);
    }
    Ok(worst)
}

fn tell_rehearsal(cli: &Cli, rehearsal: &Rehearsal) -> Result<Exit, CliError> {
    let text = match cli.format {
        Format::Json => json_line(rehearsal)?,
        Format::Text => {
            let Rehearsal { account, user_id, chat, found, chat_id, steps, .. } = rehearsal;
            let steps: String = steps.iter().map(|step| format!("    {step}\n")).collect();
            format!(
                "{account} (user {user_id}) in {chat} ({found}, id {chat_id}) would:\n{steps}    nothing was sent\n"
            )
        }
    };
    print(&text)?;
    Ok(Exit::Success)
}

pub(super) fn explain(error: &AloneError) -> CliError {
    let exit = match error {
        AloneError::Datadir(DatadirError::Locked(_)) => Exit::TryAgain,
        AloneError::Once(error) => RefusalKind::from(error).into(),
        _ => Exit::Failure,
    };
    CliError::new(exit, error.to_string())
}

fn tell(cli: &Cli, ended: &Ended) -> Result<Exit, CliError> {
    let record = &ended.record;
    let text = match cli.format {
        Format::Json => json_line(ended)?,
        Format::Text => {
            let evidence = evidence_line(&record.evidence).map(|line| format!("\n    {line}")).unwrap_or_default();
            let (account, outcome, reason, run) = (&record.key.account, record.outcome, &record.reason, &record.run_id);
            format!("{account}: {outcome}: {reason}{evidence}\n    tgsignd logs {run} shows the whole conversation\n")
        }
    };
    print(&text)?;
    Ok(match (record.outcome.is_done(), ended.unreachable) {
        (true, _) => Exit::Success,
        (false, true) => Exit::TryAgain,
        (false, false) => Exit::Failure,
    })
}

fn refused(cli: &Cli, account: Option<&AccountName>, message: &str) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Refused<'a> {
        account: Option<&'a AccountName>,
        refused: &'a str,
    }
    match cli.format {
        Format::Json => print(&json_line(&Refused { account, refused: message })?)?,
        Format::Text => {
            let account = account.map(|account| format!("{account}: ")).unwrap_or_default();
            super::output::print_error(&format!("{account}{message}"));
        }
    }
    Ok(())
}

/// One failure among several runs decides; a failure that will pass counts less than one that will not.
fn worse(one: Exit, other: Exit) -> Exit {
    let rank = |exit| match exit {
        Exit::Success => 0,
        Exit::TryAgain => 1,
        _ => 2,
    };
    if rank(other) > rank(one) { other } else { one }
}
