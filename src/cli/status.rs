//! `status`: what the daemon is doing and how the last runs ended.

use std::fmt::Write;
use std::sync::Arc;

use chrono::{DateTime, Local, Utc};
use comfy_table::{Table, presets};
use serde::Serialize;

use super::arguments::StatusArgs;
use super::once::explain;
use super::output::{json_line, print};
use super::{Cli, CliError, Exit, Format, block_on, workdir};
use crate::daemon::alone::{self, AloneError};
use crate::daemon::control::{Client, Reply, Request};
use crate::daemon::datadir::DatadirError;
use crate::kernel::status::{BackupRole, BackupStatus, Status, WatcherBackend, WatcherStatus};
use crate::ledger::LockError;
use crate::names::TaskName;
use crate::script::Amount;

/// What `--format json` prints.
#[derive(Serialize)]
struct Report<'a> {
    /// `running` are the runs.
    daemon_running: bool,
    #[serde(flatten)]
    status: &'a Status,
}

/// Prints the status of the running daemon, or what the next start will find.
pub(super) fn run(cli: &Cli, arguments: &StatusArgs) -> Result<Exit, CliError> {
    let (running, mut status) = block_on(find(cli))?;
    if let Some(task) = &arguments.task {
        if !status.tasks.contains_key(task) {
            return Err(CliError::new(Exit::Usage, format!("there is no task {task}")));
        }
        status.tasks.retain(|name| name == task);
    }
    match cli.format {
        Format::Json => print(&json_line(&Report { daemon_running: running, status: &status })?)?,
        Format::Text => print(&describe(running, &status))?,
    }
    Ok(Exit::Success)
}

async fn find(cli: &Cli) -> Result<(bool, Status), CliError> {
    let datadir = workdir::datadir(cli);
    let lost = |error: std::io::Error| CliError::new(Exit::TryAgain, format!("the daemon cannot be reached: {error}"));
    if let Some(mut client) = Client::call(&datadir, &Request::Status).await.map_err(lost)? {
        return match client.next().await.map_err(lost)? {
            Some(Reply::Status(status)) => Ok((true, *status)),
            _ => Err(CliError::new(Exit::TryAgain, "the daemon did not answer; is it stopping?")),
        };
    }
    let snapshot = Arc::new(workdir::snapshot(cli)?);
    let status = alone::status(&datadir, snapshot).await.map_err(|error| match error {
        AloneError::Datadir(DatadirError::Locked(LockError::Held { holder, .. })) => {
            let message = format!(
                "{holder} has the data directory and does not answer: a daemon that starts or stops; its log says what it waits for"
            );
            CliError::new(Exit::TryAgain, message)
        }
        other => explain(&other),
    })?;
    Ok((false, status))
}

fn describe(running: bool, status: &Status) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = describe_into(&mut text, running, status);
    text
}

fn describe_into(text: &mut String, running: bool, status: &Status) -> std::fmt::Result {
    if running {
        writeln!(text, "tgsignd {} is running since {}.", status.build.version, local(status.started_at))?;
    } else {
        writeln!(text, "tgsignd is not running.")?;
    }
    let config = &status.config;
    if config.last_reload_accepted == Some(false) {
        let since = config.accepted_at.map(local).unwrap_or_default();
        let which = if config.from_last_good { "the one accepted last, of an earlier run," } else { "the one" };
        writeln!(text, "The workdir has errors; {which} from {since} is in force:")?;
        for error in &config.errors {
            writeln!(text, "  {}", error.replace('\n', "\n  "))?;
        }
    }
    if let (false, Some(at)) = (config.changes.is_empty(), config.accepted_at) {
        writeln!(text, "The last edit, in force since {}:", local(at))?;
        for change in &config.changes {
            writeln!(text, "  {change}")?;
        }
    }
    if let Some(WatcherStatus { backend: WatcherBackend::Poll, .. }) = status.watcher {
        writeln!(text, "The workdir cannot be watched and is looked at every few seconds; the log tells why.")?;
    }
    for key in &config.restart_needed {
        writeln!(text, "{key} has changed and takes effect at the next start.")?;
    }
    if let Some(error) = &status.ledger.error {
        writeln!(text, "The ledger refuses: {error}")?;
    }
    if let Some(backup) = &status.backup {
        describe_backup(text, backup)?;
    }
    writeln!(text)?;
    writeln!(text, "{}", accounts(status))?;
    writeln!(text)?;
    writeln!(text, "{}", tasks(status))?;
    for run in &status.running {
        writeln!(text, "Running: {} (run {}, attempt {})", run.key, run.run_id, run.attempt)?;
    }
    Ok(())
}

fn describe_backup(text: &mut String, backup: &BackupStatus) -> std::fmt::Result {
    match backup.role {
        BackupRole::Starting => {
            writeln!(text, "The backup's server has not answered yet; nothing is signed in before.")?;
        }
        BackupRole::TakingOver => writeln!(text, "Waiting for the process that signed in before to leave.")?,
        BackupRole::Superseded => writeln!(text, "Another process has taken over; this one signs nothing in.")?,
        BackupRole::Holder => {}
    }
    match (backup.generation, backup.last_success_at) {
        (Some(generation), Some(at)) => writeln!(text, "Backup: generation {generation}, complete at {}.", local(at))?,
        _ => writeln!(text, "Backup: none yet.")?,
    }
    if let Some(since) = backup.unsaved_since {
        writeln!(text, "Backup: something has not been saved since {}.", local(since))?;
    }
    for trouble in [&backup.conflict, &backup.error].into_iter().flatten() {
        writeln!(text, "Backup: {trouble}")?;
    }
    Ok(())
}

fn accounts(status: &Status) -> Table {
    let mut table = table(&["ACCOUNT", "SIGNED IN", "CONNECTED", "QUEUE", "LAST TROUBLE"]);
    for (name, account) in &status.accounts {
        let authorised = match account.authorized {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "not asked yet",
        };
        table.add_row([
            name.to_string(),
            authorised.to_owned(),
            if account.connected { "yes" } else { "no" }.to_owned(),
            account.queue_length.to_string(),
            account.error.clone().unwrap_or_default(),
        ]);
    }
    table
}

fn tasks(status: &Status) -> Table {
    let mut table = table(&["TASK", "ACCOUNT", "NEXT", "LAST", "OUTCOME", "AMOUNTS", "WORDS"]);
    for (task, state) in status.tasks.iter() {
        for (account, pair) in state.accounts.iter() {
            table.add_row(row(task, state.enabled, account.as_str(), pair));
        }
    }
    table
}

fn row(task: &TaskName, enabled: bool, account: &str, pair: &crate::kernel::status::PairStatus) -> [String; 7] {
    let next = match &pair.next {
        Some(next) if next.attempt > 1 => format!("{} (attempt {})", local(next.fire_at), next.attempt),
        Some(next) => local(next.fire_at),
        None if enabled => "never".to_owned(),
        None => "disabled".to_owned(),
    };
    let last = pair.last.as_ref();
    [
        task.to_string(),
        account.to_owned(),
        next,
        last.map(|last| local(last.ended_at)).unwrap_or_default(),
        last.map(|last| last.outcome.to_string()).unwrap_or_default(),
        last.map(|last| amounts(&last.amounts)).unwrap_or_default(),
        last.map(|last| last.evidence.clone().unwrap_or_else(|| last.reason.clone())).unwrap_or_default(),
    ]
}

/// `+5 积分, 12 天`
fn amounts(amounts: &[Amount]) -> String {
    let shown = amounts.iter().map(|Amount { value, unit }| format!("{value} {unit}").trim_end().to_owned());
    shown.collect::<Vec<_>>().join(", ")
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table
}

/// In the zone of whoever looks, because all tasks stand in one table.
fn local(instant: DateTime<Utc>) -> String {
    instant.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S %:z").to_string()
}
