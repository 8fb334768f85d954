//! `backup list`

use chrono::{DateTime, Local, Utc};
use comfy_table::{Table, presets};
use serde::Serialize;

use super::desk::{Desk, explain};
use crate::backup::log::Problem;
use crate::backup::manifest::Manifest;
use crate::backup::sync::{Engine, Listed, SyncError};
use crate::cli::output::{json_line, print};
use crate::cli::{Cli, CliError, Exit, Format};

#[derive(Serialize)]
struct Row<'a> {
    generation: u64,
    manifest: &'a str,
    time: Option<DateTime<Utc>>,
    writer: Option<&'a str>,
    instance: Option<&'a str>,
    bytes: Option<u64>,
    /// It is the one this data directory stands at.
    current: bool,
    problem: Option<String>,
}

pub(super) async fn run(cli: &Cli) -> Result<Exit, CliError> {
    let mut desk = Desk::look(cli)?;
    let found = desk.engine.generations().await.map_err(|error| explain(&error))?;
    let Some(newest) = found.first() else {
        return Err(explain(&desk.engine.empty()));
    };
    let rows: Vec<Row> = found.iter().map(|listed| row(listed, &desk.engine)).collect();
    match cli.format {
        Format::Json => {
            for row in &rows {
                print(&json_line(row)?)?;
            }
        }
        Format::Text => print(&format!("{}\n", table(&rows)))?,
    }
    match &newest.manifest {
        Err(Problem::Untrusted(key)) => Err(explain(&SyncError::Untrusted { name: newest.name.clone(), key: *key })),
        _ => Ok(Exit::Success),
    }
}

fn row<'a>(listed: &'a Listed, engine: &Engine) -> Row<'a> {
    let manifest = listed.manifest.as_ref().ok();
    let bytes = |manifest: &Manifest| manifest.parts().map(|(_, part)| part.size).sum();
    Row {
        generation: listed.generation.number(),
        manifest: &listed.name,
        time: manifest.map(|manifest| manifest.time),
        writer: manifest.map(|manifest| manifest.writer.as_str()),
        instance: manifest.map(|manifest| manifest.instance.as_str()),
        bytes: manifest.map(bytes),
        current: engine.position().committed.as_ref().is_some_and(|committed| committed.name == listed.name),
        problem: listed.manifest.as_ref().err().map(ToString::to_string),
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["GENERATION", "TIME", "BYTES", "WRITER", "STATE"]);
    for row in rows {
        let time = row.time.map(|time| time.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S %:z").to_string());
        let state = match (&row.problem, row.current) {
            (Some(problem), _) => problem.clone(),
            (None, true) => "current".to_owned(),
            (None, false) => String::new(),
        };
        table.add_row([
            row.generation.to_string(),
            time.unwrap_or_default(),
            row.bytes.map(|bytes| bytes.to_string()).unwrap_or_default(),
            row.writer.unwrap_or_default().to_owned(),
            state,
        ]);
    }
    table
}
