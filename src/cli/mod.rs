//! The command line: one file a command.

mod arguments;
pub mod check;
mod output;
pub mod plan;
pub mod schema;
pub mod workdir;

pub use arguments::{CheckArgs, Cli, Command, Format};
pub use output::{CliError, Exit};
