//! `logs`: what was said in a run.

use std::time::Duration;

use chrono::Local;
use comfy_table::{Table, presets};

use super::arguments::LogsArgs;
use super::once::explain;
use super::output::{json_line, print};
use super::{Cli, CliError, Exit, Format, block_on, workdir};
use crate::daemon::control::{Client, Reply, Request};
use crate::daemon::datadir::Datadir;
use crate::kernel::record::{RunFilter, RunRecord};
use crate::ledger::transcript::{self, TranscriptEvent, TranscriptLine};
use crate::names::RunId;

/// Runs in the list.
const LISTED: usize = 50;

/// How often a transcript that still grows is read.
const FOLLOW_PAUSE: Duration = Duration::from_millis(300);

/// Prints one transcript, or the runs there are.
pub(super) fn run(cli: &Cli, arguments: &LogsArgs) -> Result<Exit, CliError> {
    match &arguments.run {
        Some(run) => block_on(show(cli, run, arguments.follow)),
        None => list(cli),
    }
}

fn list(cli: &Cli) -> Result<Exit, CliError> {
    let runs = block_on(recent(cli))?;
    if cli.format == Format::Json {
        for run in &runs {
            print(&json_line(run)?)?;
        }
        return Ok(Exit::Success);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["RUN", "ENDED", "TASK", "ACCOUNT", "OUTCOME", "REASON"]);
    for run in runs {
        table.add_row([
            run.run_id.to_string(),
            run.ended_at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S %:z").to_string(),
            run.key.task.to_string(),
            run.key.account.to_string(),
            run.outcome.to_string(),
            run.reason,
        ]);
    }
    print(&format!("{table}\n"))?;
    Ok(Exit::Success)
}

async fn recent(cli: &Cli) -> Result<Vec<RunRecord>, CliError> {
    let datadir = workdir::datadir(cli);
    let lost = |error: std::io::Error| CliError::new(Exit::TryAgain, format!("the daemon cannot be reached: {error}"));
    let request = Request::Runs { task: None, limit: LISTED };
    if let Some(mut client) = Client::call(&datadir, &request).await.map_err(lost)? {
        return match client.next().await.map_err(lost)? {
            Some(Reply::Runs { runs }) => Ok(runs),
            Some(Reply::Refused { kind, message }) => Err(CliError::new(kind.into(), message)),
            _ => Err(CliError::new(Exit::TryAgain, "the daemon did not answer; is it stopping?")),
        };
    }
    let failed = |error: crate::ledger::LedgerError| CliError::new(Exit::Failure, error.to_string());
    let opened = Datadir::open(&datadir).await.map_err(|error| explain(&error.into()))?;
    let filter = RunFilter { task: None, account: None, since: None, limit: LISTED };
    let runs = opened.ledger.runs(filter).await.map_err(failed)?;
    opened.ledger.close().await.map_err(failed)?;
    Ok(runs)
}

async fn show(cli: &Cli, run: &RunId, follow: bool) -> Result<Exit, CliError> {
    let folder = workdir::datadir(cli).join("logs").join("runs");
    let mut shown = 0;
    loop {
        let lines = transcript::read(&folder, run).map_err(|error| {
            let path = transcript::path(&folder, run);
            CliError::new(Exit::Failure, format!("{}: {error}; `tgsignd logs` lists the runs", path.display()))
        })?;
        for line in lines.iter().skip(shown) {
            print(&match cli.format {
                Format::Json => json_line(line)?,
                Format::Text => describe(line),
            })?;
        }
        shown = shown.max(lines.len());
        let ended = lines.last().is_some_and(|line| matches!(line.event, TranscriptEvent::Outcome { .. }));
        if !follow || ended {
            return Ok(Exit::Success);
        }
        tokio::time::sleep(FOLLOW_PAUSE).await;
    }
}

/// As a chat: what we say on the left, what the bot says indented.
fn describe(line: &TranscriptLine) -> String {
    let time = line.at.with_timezone(&Local).format("%H:%M:%S%.3f");
    let indented = |text: &str| text.replace('\n', "\n                   ");
    let keyboard = |rows: &[Vec<String>]| {
        let row = |row: &Vec<String>| {
            let labels: Vec<&str> = row.iter().map(String::as_str).collect();
            format!("\n                   [{}]", labels.join("] ["))
        };
        rows.iter().map(row).collect::<String>()
    };
    match &line.event {
        // The text begins with the step's place in the file, which counts differently once steps repeat.
        TranscriptEvent::Step { text, .. } => format!("{time}  step {text}\n"),
        TranscriptEvent::Sent { text, .. } => format!("{time}  we:  {}\n", indented(text)),
        TranscriptEvent::Clicked { text, .. } => format!("{time}  we:  press [{text}]\n"),
        TranscriptEvent::Message { text, buttons, .. } => {
            format!("{time}  bot: {}{}\n", indented(text), keyboard(buttons))
        }
        TranscriptEvent::Edit { text, buttons, .. } => {
            format!("{time}  bot: (edited) {}{}\n", indented(text), keyboard(buttons))
        }
        TranscriptEvent::Popup { text } => format!("{time}  bot: (popup) {}\n", indented(text)),
        TranscriptEvent::Note { text } => format!("{time}  -- {text}\n"),
        TranscriptEvent::Outcome { outcome, text } => format!("{time}  {outcome}: {text}\n"),
    }
}
