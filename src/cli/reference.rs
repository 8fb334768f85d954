//! `completions` and `man`, made from the command line's own definition.

use clap::CommandFactory;

use super::output::print;
use super::{Cli, CliError, Exit};

pub(super) fn completions(shell: clap_complete::Shell) -> Result<Exit, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tgsignd", &mut text);
    print(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Success)
}

/// What the page says beyond the options, in roff.
const MORE: &str = include_str!("manual.roff");

pub(super) fn man() -> Result<Exit, CliError> {
    let failed =
        |error: std::io::Error| CliError::new(Exit::Failure, format!("the manual page cannot be made: {error}"));
    let mut page = Vec::new();
    // Not built: that would repeat the global options under every command.
    let command = Cli::command();
    let manual = clap_mangen::Man::new(command.clone());
    manual.render_title(&mut page).map_err(failed)?;
    manual.render_name_section(&mut page).map_err(failed)?;
    manual.render_synopsis_section(&mut page).map_err(failed)?;
    manual.render_description_section(&mut page).map_err(failed)?;
    manual.render_options_section(&mut page).map_err(failed)?;
    page.extend_from_slice(b".SH COMMANDS\n");
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        let name = subcommand.get_name().to_owned();
        let words: Vec<String> =
            subcommand.get_positionals().map(|word| word.get_id().as_str().to_uppercase()).collect();
        page.extend_from_slice(format!(".SS {name} {}\n", words.join(" ")).as_bytes());
        let mut section = Vec::new();
        let part = clap_mangen::Man::new(subcommand.clone());
        part.render_description_section(&mut section).map_err(failed)?;
        part.render_options_section(&mut section).map_err(failed)?;
        // Within the page these are paragraphs, not sections.
        let section =
            String::from_utf8_lossy(&section).replace(".SH DESCRIPTION\n", "").replace(".SH OPTIONS\n", ".PP\n");
        page.extend_from_slice(section.as_bytes());
        for nested in subcommand.get_subcommands().filter(|nested| nested.get_name() != "help") {
            page.extend_from_slice(entry(&name, nested).as_bytes());
        }
    }
    page.extend_from_slice(MORE.as_bytes());
    print(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Success)
}

/// A command below another one, as a paragraph: what it does and what it takes.
fn entry(parent: &str, command: &clap::Command) -> String {
    let plain = |text: &clap::builder::StyledStr| text.to_string().replace('\\', "\\e").replace('-', "\\-");
    let about = command.get_about().map(plain).unwrap_or_default();
    let mut text = format!(".TP\n\\fB{parent} {}\\fR\n{about}.\n", command.get_name());
    for argument in command.get_arguments() {
        let name = match argument.get_long() {
            Some(long) => format!("\\-\\-{}", long.replace('-', "\\-")),
            None => argument.get_id().as_str().to_uppercase(),
        };
        let help = argument.get_help().map(plain).unwrap_or_default();
        text.push_str(&format!("\\fB{name}\\fR: {help}.\n"));
    }
    text
}
