//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::backup::BackupArgs;
use super::push::PushArgs;
use crate::names::{AccountName, RunId, TaskName};

/// Performs the daily check-in of Telegram bots and groups from your own accounts, and proves that it worked.
#[derive(Debug, Parser)]
#[command(name = "tgsignd", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// The directory of TOML files [default: /etc/tgsignd]
    #[arg(long, global = true, env = "TGSIGND_WORKDIR", value_name = "DIR")]
    pub workdir: Option<PathBuf>,
    /// The directory of sessions, ledger and transcripts [default: /var/lib/tgsignd]
    #[arg(long, global = true, env = "TGSIGND_DATADIR", value_name = "DIR")]
    pub datadir: Option<PathBuf>,
    /// Tables for people or JSON for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// More log output; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// Shape of a command's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: one JSON document, or one object a line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon
    Run(RunArgs),
    /// Check the whole workdir and show every error at once
    Check(CheckArgs),
    /// Show what will run when; needs no network and no account
    Plan(PlanArgs),
    /// Run one task now, with or without a daemon
    Once(OnceArgs),
    /// Sign an account in: phone number, code, two-step password
    Login(LoginArgs),
    /// Sign an account out: end its session at Telegram and delete it here
    Logout(LogoutArgs),
    /// Show what the daemon is doing and how the last runs ended
    Status(StatusArgs),
    /// Show the transcripts of runs
    Logs(LogsArgs),
    /// Make, list, verify and restore encrypted backups on a WebDAV server
    Backup(BackupArgs),
    /// Send a workdir or a session to a daemon elsewhere, through its backup's server
    Push(PushArgs),
    /// Print the JSON Schema of the configuration files, for editors
    Schema,
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Exit with 78 when the workdir has errors, even if there is a last good configuration
    #[arg(long)]
    pub strict: bool,
    /// The data directory and the backup are empty because this is the first start; TGSIGND_FIRST_BOOT=YYYY-MM-DD says the
    /// same for two days
    #[arg(long)]
    pub first_boot: bool,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Also read every secret that the files refer to
    #[arg(long)]
    pub resolve: bool,
    /// Also say in words when each task runs, with its next slots in local time
    #[arg(long)]
    pub explain: bool,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Start of the plan, RFC 3339 [default: now]
    #[arg(long, value_name = "RFC3339")]
    pub from: Option<chrono::DateTime<chrono::FixedOffset>>,
    /// Length of the plan, such as 7d or 12h
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    pub next: String,
    /// Only this task
    pub task: Option<TaskName>,
}

/// Arguments of `once`.
#[derive(Debug, Args)]
pub struct OnceArgs {
    /// The task
    pub task: TaskName,
    /// Only this account instead of all of the task's
    #[arg(long)]
    pub account: Option<AccountName>,
    /// Find the account and the chat, show what would be sent, and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `login`.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// The account, as `[accounts.NAME]` calls it
    pub account: AccountName,
}

/// Arguments of `logout`.
#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// The account, as `[accounts.NAME]` calls it
    pub account: AccountName,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Only this task
    pub task: Option<TaskName>,
}

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The run; without one, the runs that have a transcript are listed
    pub run: Option<RunId>,
    /// Go on as the run goes on
    #[arg(short, long)]
    pub follow: bool,
}
