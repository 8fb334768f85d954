//! Commands that root calls on the daemon's files act as the owner of those files, so that the daemon can read what they leave.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::{Cli, CliError, Exit, workdir};

/// Does `work`, or, when called by root on somebody else's data directory, starts the same command as its owner.
pub(super) fn as_owner(cli: &Cli, work: impl FnOnce() -> Result<Exit, CliError>) -> Result<Exit, CliError> {
    if !rustix::process::geteuid().is_root() {
        return work();
    }
    let Ok(owner) = std::fs::metadata(workdir::datadir(cli)) else { return work() };
    if owner.uid() == 0 {
        return work();
    }
    let program = std::env::current_exe()
        .map_err(|error| CliError::new(Exit::Failure, format!("cannot find this program's own file: {error}")))?;
    let failed = Command::new(program).args(std::env::args_os().skip(1)).gid(owner.gid()).uid(owner.uid()).exec();
    Err(CliError::new(
        Exit::Failure,
        format!("cannot act as uid {}, the owner of the data directory: {failed}", owner.uid()),
    ))
}
