//! `backup restore`

use serde::Serialize;

use super::arguments::{Portion, RestoreArgs};
use super::desk::{Desk, explain};
use crate::backup::manifest::Generation;
use crate::backup::place::{Only, Report};
use crate::backup::sync::{Restoration, RestoreOrder, explain as words};
use crate::cli::output::{json_line, print};
use crate::cli::{Cli, CliError, Exit, Format};

pub(super) async fn run(cli: &Cli, arguments: &RestoreArgs) -> Result<Exit, CliError> {
    let generation = match arguments.generation {
        None => None,
        Some(number) => Some(Generation::try_from(number).map_err(|_| {
            CliError::new(Exit::Usage, format!("{number} is no number of a generation: they count from 1"))
        })?),
    };
    let none = Only { sessions: false, ledger: false, workdir: false };
    let only = match arguments.only {
        None => Only::ALL,
        Some(Portion::Sessions) => Only { sessions: true, ..none },
        Some(Portion::Ledger) => Only { ledger: true, ..none },
        Some(Portion::Workdir) => Only { workdir: true, ..none },
    };
    let order = RestoreOrder { generation, to: arguments.to.clone(), only };
    let mut desk = if order.to.is_some() { Desk::look(cli)? } else { Desk::own(cli)? };
    let restored = desk.engine.restore(&order).await.map_err(|error| explain(&error))?;
    tell(cli, &restored)
}

#[derive(Serialize)]
struct Told<'a> {
    generation: u64,
    collected: chrono::DateTime<chrono::Utc>,
    sessions: Vec<&'a str>,
    ledger: bool,
    workdir: Option<&'a std::path::Path>,
}

pub(super) fn tell(cli: &Cli, restored: &Restoration) -> Result<Exit, CliError> {
    let (manifest, report) = (&restored.head.manifest, &restored.report);
    let sessions: Vec<&str> = report.sessions.iter().map(crate::names::AccountName::as_str).collect();
    let text = match cli.format {
        Format::Json => json_line(&Told {
            generation: manifest.generation.number(),
            collected: manifest.time,
            sessions,
            ledger: report.ledger,
            workdir: report.workdir.as_deref(),
        })?,
        Format::Text => {
            let mut text = format!("Restored {}.\n", words::manifest(manifest));
            if !sessions.is_empty() {
                text.push_str(&format!("Sessions: {}. No other host may use them any more.\n", sessions.join(", ")));
            }
            if report.ledger {
                text.push_str("The ledger is in place; what ran after that time is decided by the chats' history.\n");
            }
            if *report == Report::default() {
                text.push_str("It holds nothing of what was asked for.\n");
            }
            if let Some(workdir) = &report.workdir {
                text.push_str(&format!("The workdir's files are in {}.\n", workdir.display()));
            }
            text
        }
    };
    print(&text)?;
    Ok(Exit::Success)
}
