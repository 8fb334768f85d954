//! `backup probe`

use comfy_table::{Table, presets};
use serde::Serialize;

use super::desk::{Desk, explain};
use crate::backup::remote::{Finding, Level};
use crate::cli::output::{json_line, print};
use crate::cli::{Cli, CliError, Exit, Format};

#[derive(Serialize)]
struct Report<'a> {
    level: Level,
    meaning: &'static str,
    findings: &'a [Finding],
    requests: u64,
}

pub(super) async fn run(cli: &Cli) -> Result<Exit, CliError> {
    let mut desk = Desk::look(cli)?;
    let report = desk.engine.probe().await.map_err(|error| explain(&error))?;
    let level = report.level();
    match cli.format {
        Format::Json => print(&json_line(&Report {
            level,
            meaning: level.sentence(),
            findings: &report.findings,
            requests: report.requests,
        })?)?,
        Format::Text => {
            let place = desk.engine.place();
            let table = table(&report.findings);
            print(&format!("{table}\n\n{place} is {level}: {}\n({} requests)\n", level.sentence(), report.requests))?;
        }
    }
    if level == Level::Unusable { Ok(Exit::Configuration) } else { Ok(Exit::Success) }
}

fn table(findings: &[Finding]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["WHAT", "WORKS", "FOUND"]);
    for Finding { primitive, works, detail } in findings {
        let name = serde_json::to_value(primitive).ok().and_then(|value| value.as_str().map(str::to_owned));
        let works = if *works { "yes" } else { "no" };
        table.add_row([name.unwrap_or_default(), works.to_owned(), detail.clone()]);
    }
    table
}
