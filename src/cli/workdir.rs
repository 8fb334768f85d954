//! Where the configuration of a command comes from.

use std::path::{Path, PathBuf};

use super::{Cli, CliError, Exit};
use crate::config::Sources;
use crate::daemon::workdir;

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
