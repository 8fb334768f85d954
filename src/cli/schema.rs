//! `schema`: the JSON Schema of the configuration files.

use std::io::{self, Write};

use super::check::unless_the_reader_left;
use super::{CliError, Exit};
use crate::config;

/// Prints the schema to stdout.
pub fn run() -> Result<Exit, CliError> {
    print(&mut io::stdout().lock())
        .or_else(unless_the_reader_left)
        .map_err(|error| CliError::new(Exit::Failure, format!("the schema cannot be printed: {error}")))?;
    Ok(Exit::Success)
}

fn print(out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &config::schema::schema())?;
    writeln!(out)
}
