//! What can be typed after `backup`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Arguments of `backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// What to do
    #[command(subcommand)]
    pub command: BackupCommand,
}

/// What to do with the backup.
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Make a generation now, if anything changed
    Now,
    /// Show the generations on the server
    List,
    /// Check that what is on the server could be restored
    Verify(VerifyArgs),
    /// Bring a generation back; what is here stays if that fails
    Restore(RestoreArgs),
    /// Try out in about twenty requests what the server really does
    Probe,
    /// Show both sides of a backup that is not as this host left it, and decide
    Resolve(ResolveArgs),
    /// Print the key that opens the backup, as `age -d -i` reads it, or make one
    Key,
}

/// Arguments of `backup verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Read all archives and, with the key, open the newest one: a restore into a scratch folder
    #[arg(long)]
    pub read_data: bool,
}

/// Arguments of `backup restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// Number of the generation [default: the newest]
    #[arg(long, value_name = "N")]
    pub generation: Option<u64>,
    /// Into this new or empty folder instead of the data directory
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Only a part
    #[arg(long, value_enum)]
    pub only: Option<Portion>,
}

/// A part of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Portion {
    /// The accounts' sessions
    Sessions,
    /// What ran when, and how it ended
    Ledger,
    /// The TOML files
    Workdir,
}

/// Arguments of `backup resolve`.
#[derive(Debug, Args)]
pub struct ResolveArgs {
    /// The side to keep; without it both are only shown
    #[arg(long, value_enum)]
    pub keep: Option<Side>,
    /// Of several newest manifests, the one to restore
    #[arg(long, value_name = "NAME", requires = "keep")]
    pub manifest: Option<String>,
}

/// A side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Side {
    /// What is in the data directory becomes the newest generation
    Local,
    /// What is on the server is restored here
    Remote,
}
