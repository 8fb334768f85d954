//! `backup verify`

use comfy_table::{Table, presets};
use serde::Serialize;

use super::arguments::VerifyArgs;
use super::desk::{Desk, explain};
use crate::backup::sync::{Level, Verification};
use crate::cli::output::{json_line, print};
use crate::cli::{Cli, CliError, Exit, Format};

#[derive(Serialize)]
struct Row<'a> {
    generation: u64,
    manifest: &'a str,
    /// `listed`, `ciphertext` or `decrypted`; none when something is wrong.
    verified: Option<&'a str>,
    problem: Option<&'a str>,
}

pub(super) async fn run(cli: &Cli, arguments: &VerifyArgs) -> Result<Exit, CliError> {
    let level = if arguments.read_data { Level::Decrypted } else { Level::Ciphertext };
    let mut desk = Desk::look(cli)?;
    let verified = desk.engine.verify(level).await.map_err(|error| explain(&error))?;
    match cli.format {
        Format::Json => {
            for one in &verified {
                let (name, generation) = (one.name.as_str(), one.generation.number());
                let (level, problem) =
                    (one.result.as_ref().ok().map(|level| level.as_str()), one.result.as_ref().err());
                let problem = problem.map(String::as_str);
                print(&json_line(&Row { generation, manifest: name, verified: level, problem })?)?;
            }
        }
        Format::Text => print(&format!("{}\n", table(&verified)))?,
    }
    let damaged = verified.iter().filter(|one| one.result.is_err()).count();
    if damaged == 0 {
        return Ok(Exit::Success);
    }
    let message = format!("{damaged} of {} generations could not be restored", verified.len());
    Err(CliError::new(Exit::Failure, message))
}

fn table(verified: &[Verification]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["GENERATION", "VERIFIED", "PROBLEM"]);
    for one in verified {
        let level = one.result.as_ref().map_or("NO", |level| level.as_str());
        let problem = one.result.as_ref().err().cloned().unwrap_or_default();
        table.add_row([one.generation.to_string(), level.to_owned(), problem]);
    }
    table
}
