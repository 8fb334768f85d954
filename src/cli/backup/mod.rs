//! `backup`: one file a subcommand.
//!
//! | file | what it holds |
//! |---|---|
//! | `arguments` | what can be typed |
//! | `desk` | configuration, lock and engine, ready for a command |
//! | `bars` | progress bars on a terminal |
//! | the others | the subcommands |

mod arguments;
mod bars;
pub(super) mod desk;
mod key;
mod list;
mod now;
mod probe;
mod resolve;
mod restore;
mod verify;

use super::{Cli, CliError, Exit, block_on};

pub(super) use arguments::BackupArgs;
use arguments::BackupCommand;

/// Does what was typed.
pub(super) fn run(cli: &Cli, arguments: &BackupArgs) -> Result<Exit, CliError> {
    match &arguments.command {
        BackupCommand::Now => block_on(now::run(cli)),
        BackupCommand::List => block_on(list::run(cli)),
        BackupCommand::Verify(arguments) => block_on(verify::run(cli, arguments)),
        BackupCommand::Restore(arguments) => block_on(restore::run(cli, arguments)),
        BackupCommand::Probe => block_on(probe::run(cli)),
        BackupCommand::Resolve(arguments) => block_on(resolve::run(cli, arguments)),
        BackupCommand::Key => key::run(cli),
    }
}
