//! `backup resolve`

use super::arguments::{ResolveArgs, Side};
use super::desk::{Desk, explain};
use super::{now, restore};
use crate::backup::log::{Keep, Survey};
use crate::backup::sync::{History, Resolved, explain as words};
use crate::cli::output::print;
use crate::cli::{Cli, CliError, Exit, Format};
use crate::daemon::control::{KeepSide, Request};

pub(super) async fn run(cli: &Cli, arguments: &ResolveArgs) -> Result<Exit, CliError> {
    let Some(side) = arguments.keep else { return show(cli).await };
    let (keep, keep_side) = match side {
        Side::Local => (Keep::Local, KeepSide::Local),
        Side::Remote => (Keep::Remote(arguments.manifest.clone()), KeepSide::Remote),
    };
    let request = Request::BackupResolve { keep: keep_side, manifest: arguments.manifest.clone() };
    if let Some(exit) = now::through_daemon(cli, &request).await? {
        return Ok(exit);
    }
    let mut desk = Desk::own(cli)?;
    let survey = desk.engine.survey().await.map_err(|error| explain(&error))?;
    if cli.format == Format::Text {
        print(&both_sides(&desk, &survey))?;
    }
    if keep == Keep::Local {
        desk.must_have_ledger()?;
    }
    let inputs = desk.inputs(History::Include);
    match desk.engine.resolve(&keep, &inputs).await.map_err(|error| explain(&error))? {
        Resolved::Nothing => {
            print("Nothing disagrees; nothing was changed.\n")?;
            Ok(Exit::Success)
        }
        Resolved::Committed(outcome) => now::tell(cli, &outcome),
        Resolved::Restored { restoration, settle } => {
            restore::tell(cli, &restoration)?;
            let Some(above) = settle else { return Ok(Exit::Success) };
            desk.reread_instance()?;
            let outcome = desk.engine.settle(&inputs, above).await.map_err(|error| explain(&error))?;
            now::tell(cli, &outcome)
        }
    }
}

async fn show(cli: &Cli) -> Result<Exit, CliError> {
    let mut desk = Desk::look(cli)?;
    let survey = desk.engine.survey().await.map_err(|error| explain(&error))?;
    print(&both_sides(&desk, &survey))?;
    if matches!(survey, Survey::Empty | Survey::Head(_) | Survey::Landed(_)) {
        return Ok(Exit::Success);
    }
    let message = "the two sides disagree; decide with --keep local (what is here becomes the newest generation) or \
                   --keep remote (what is there is restored here)";
    Err(CliError::new(Exit::Failure, message))
}

fn both_sides(desk: &Desk, survey: &Survey) -> String {
    let here = match &desk.engine.position().committed {
        Some(committed) => words::manifest(&committed.manifest),
        None => "nothing was ever backed up from here or restored here".to_owned(),
    };
    format!("Here:  {here}\nThere: {}\n", words::survey(survey))
}
