//! The command line: one file a command.

mod arguments;
mod output;
pub mod plan;

pub use arguments::{Cli, Command, Format};
pub use output::{CliError, Exit};
