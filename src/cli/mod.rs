//! The command line: one file a command.

#![allow(clippy::disallowed_methods, reason = "a shell reads the environment")]

mod arguments;
mod backup;
pub mod check;
mod explain;
mod login;
mod logout;
mod logs;
mod once;
mod output;
pub mod plan;
mod privileges;
mod push;
mod reference;
mod run;
pub mod schema;
mod status;
pub mod workdir;

use std::ffi::OsString;
use std::future::Future;
use std::process::ExitCode;

use clap::Parser;

pub use arguments::{CheckArgs, Cli, Command, Format};
pub use output::{CliError, Exit};

/// Does what the command line says and returns how the process ends. `arguments` begins with the name of the program.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no failures; a closed pipe behind them is none either.
            let _ = error.print();
            return (if error.use_stderr() { Exit::Usage } else { Exit::Success }).into();
        }
    };
    match dispatch(&cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::print_error(&error.message);
            error.exit.into()
        }
    }
}

fn dispatch(cli: &Cli) -> Result<Exit, CliError> {
    match &cli.command {
        Command::Run(arguments) => run::run(cli, arguments),
        Command::Check(arguments) => check::run(cli, arguments),
        Command::Plan(arguments) => {
            let snapshot = workdir::snapshot(cli)?;
            let seed = workdir::seed(cli);
            plan::run(cli, arguments, &snapshot, seed.as_ref(), chrono::Utc::now())
        }
        Command::Once(arguments) => privileges::as_owner(cli, || once::run(cli, arguments)),
        Command::Login(arguments) => privileges::as_owner(cli, || login::run(cli, arguments)),
        Command::Logout(arguments) => privileges::as_owner(cli, || logout::run(cli, arguments)),
        Command::Status(arguments) => privileges::as_owner(cli, || status::run(cli, arguments)),
        Command::Logs(arguments) => privileges::as_owner(cli, || logs::run(cli, arguments)),
        Command::Backup(arguments) => privileges::as_owner(cli, || backup::run(cli, arguments)),
        Command::Push(arguments) => privileges::as_owner(cli, || push::run(cli, arguments)),
        Command::Schema => schema::run(),
        Command::Completions { shell } => reference::completions(*shell),
        Command::Man => reference::man(),
    }
}

/// Runs asynchronous work of a short command on this thread.
fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CliError::new(Exit::Failure, format!("cannot start: {error}")))?;
    runtime.block_on(work)
}
