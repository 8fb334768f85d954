//! Log lines: for people on a terminal, for the journal under systemd, else one JSON object a line.
//!
//! Whatever the shape, a line carries the fields of all spans around it side by side with its own, so that every line of a
//! run can be found by `run_id`, `task` or `account`. Lines go to standard error; standard output belongs to the commands.

mod fields;
mod layer;
mod shape;

use std::io::IsTerminal;

use chrono::Utc;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Registry, reload};

use self::layer::Lines;
use self::shape::Shape;
use crate::config::{Log, LogFormat};

/// Libraries that tell more than a log needs; a directive for the same target in the configuration wins.
const QUIET: [&str; 8] = [
    "grammers_client=warn",
    "grammers_mtproto=warn",
    "grammers_mtsender=warn",
    "grammers_session=warn",
    "hyper=warn",
    "hyper_util=warn",
    "notify=warn",
    "tokio_cron_scheduler=warn",
];

/// Changes the level of a running log.
#[derive(Debug, Clone)]
pub struct LogControl {
    filter: reload::Handle<EnvFilter, Registry>,
}

/// Logging cannot be set up or changed.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The level is no list of directives.
    #[error("[log] level {level:?}: {cause}; write a level, or TARGET=LEVEL pairs with commas between")]
    Level {
        /// As configured.
        level: String,
        /// What is wrong with it.
        cause: ParseError,
    },
    /// The process has a log already.
    #[error("logging was set up twice; this is a fault of tgsignd, please report it")]
    Twice(#[from] TryInitError),
    /// The log has ended.
    #[error("the level cannot be changed any more: {0}")]
    Gone(#[from] reload::Error),
}

impl LogControl {
    /// Puts another `[log] level` in force; on an error the old one stays.
    pub fn set_level(&self, level: &str) -> Result<(), LoggingError> {
        Ok(self.filter.reload(filter(level)?)?)
    }
}

/// Sets up the log of this process. Called once, before the first line.
pub fn install(log: &Log) -> Result<LogControl, LoggingError> {
    let (filter, handle) = reload::Layer::new(filter(&log.level)?);
    let lines = Lines::new(choose(log.format, &Surroundings::observe()), Utc::now, std::io::stderr);
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok(LogControl { filter: handle })
}

/// Makes a line of the log of every panic: written as usual, its text would break the log's shape, and nobody could tell which
/// account or run it belongs to.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(tracing::field::display);
        let what = panic.payload_as_str().unwrap_or("without a text");
        tracing::error!(place, "panic: {what}");
    }));
}

fn filter(level: &str) -> Result<EnvFilter, LoggingError> {
    let directives = format!("{},{level}", QUIET.join(","));
    EnvFilter::builder().parse(directives).map_err(|cause| LoggingError::Level { level: level.to_owned(), cause })
}

/// What decides the shape of lines.
struct Surroundings {
    terminal: bool,
    journal: bool,
    no_color: bool,
}

impl Surroundings {
    fn observe() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        Self {
            terminal: std::io::stderr().is_terminal(),
            // systemd.exec(5): set when standard output or standard error goes to the journal.
            journal: is_set("JOURNAL_STREAM"),
            // https://no-color.org
            no_color: is_set("NO_COLOR"),
        }
    }
}

fn choose(format: LogFormat, around: &Surroundings) -> Shape {
    match format {
        LogFormat::Pretty | LogFormat::Auto if around.terminal => Shape::Pretty { color: !around.no_color },
        LogFormat::Pretty => Shape::Pretty { color: false },
        LogFormat::Auto if around.journal => Shape::Journal,
        LogFormat::Auto | LogFormat::Json => Shape::Json,
    }
}

#[cfg(test)]
mod tests;
