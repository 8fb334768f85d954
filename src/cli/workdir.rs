//! Where the configuration of a command comes from.

use std::path::{Path, PathBuf};

use super::{Cli, CliError, Exit};
use crate::config::{self, Snapshot, Sources};
use crate::daemon::{datadir, workdir};
use crate::ledger::SqliteLedger;
use crate::schedule::Seed;

/// The workdir when neither `--workdir` nor `TGSIGND_WORKDIR` names one.
pub const DEFAULT_WORKDIR: &str = "/etc/tgsignd";

/// The workdir of a command.
pub fn path(cli: &Cli) -> PathBuf {
    cli.workdir.clone().unwrap_or_else(|| Path::new(DEFAULT_WORKDIR).to_owned())
}

/// What the workdir and the environment of the process say.
pub fn sources(cli: &Cli) -> Result<Sources, CliError> {
    workdir::read(&path(cli), workdir::process_environment())
        .map_err(|error| CliError::new(Exit::Configuration, error.to_string()))
}

/// The data directory of a command.
pub fn datadir(cli: &Cli) -> PathBuf {
    cli.datadir.clone().unwrap_or_else(|| Path::new(datadir::DEFAULT).to_owned())
}

/// The valid configuration, or every error at once.
pub fn snapshot(cli: &Cli) -> Result<Snapshot, CliError> {
    match config::load(&sources(cli)?) {
        Ok(loaded) => Ok(loaded.snapshot),
        Err(findings) => {
            let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
            Err(CliError::new(Exit::Configuration, format!("the workdir has errors\n{}", lines.join("\n"))))
        }
    }
}

/// The seed that jitter is drawn from; `None` before the daemon's first start, or where the ledger cannot be read.
pub fn seed(cli: &Cli) -> Option<Seed> {
    SqliteLedger::read_seed(&datadir::database(&datadir(cli))).map(Seed)
}
