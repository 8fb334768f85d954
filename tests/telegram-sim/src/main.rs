//! Runs the simulated data centre.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use telegram_sim::trial::{self, Trial, TrialError};
use telegram_sim::{DataCentre, World};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Used without `--world`.
const EXAMPLE_WORLD: &str = include_str!("../examples/world.toml");

/// The operation failed.
const FAILED: u8 = 1;
/// The world file is wrong.
const BAD_CONFIGURATION: u8 = 78;

/// A simulated Telegram data centre: try tgsignd offline
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a world until SIGINT or SIGTERM, and show everything received
    Serve {
        /// The TOML file that describes accounts, bots and groups; a built-in example without it
        #[arg(long, value_name = "FILE")]
        world: Option<PathBuf>,
        /// The loopback address to listen on; port 0 takes a free one
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Seconds of the world per real second: 86400 makes every second a day
        #[arg(long, value_name = "FACTOR")]
        speed: Option<f64>,
    },
    /// Run a task once against a scripted bot, offline, and show the conversation
    Try {
        /// A task of the workdir, or a TOML file that holds one task
        task: String,
        /// The world file with the bot
        #[arg(long, value_name = "FILE")]
        bot: PathBuf,
        /// Where tasks are looked for by name
        #[arg(long, value_name = "DIR", env = "TGSIGND_WORKDIR", default_value = "/etc/tgsignd")]
        workdir: PathBuf,
        /// The daemon's program; the one beside this one, or else in PATH, without it
        #[arg(long, value_name = "FILE")]
        tgsignd: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let done = match Arguments::parse().command {
        Command::Serve { world, listen, speed } => {
            serve(world.as_deref(), listen, speed).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Try { task, bot, workdir, tgsignd } => {
            try_out(Trial { tgsignd: tgsignd.unwrap_or_else(trial::beside_us), task, workdir, bot }).await
        }
    };
    match done {
        Ok(code) => code,
        Err((code, message)) => {
            eprintln!("tgsignd-sim: {message}");
            ExitCode::from(code)
        }
    }
}

/// Ends with the exit code of `tgsignd once`.
async fn try_out(trial: Trial) -> Result<ExitCode, (u8, String)> {
    let tried = trial::play(&trial).await.map_err(|error| {
        let code = match error {
            TrialError::Start { .. } => FAILED,
            _ => BAD_CONFIGURATION,
        };
        (code, error.to_string())
    })?;
    print!("{}", tried.transcript);
    if !tried.complaints.is_empty() {
        eprintln!("{}", tried.complaints);
    }
    Ok(ExitCode::from(tried.code))
}

async fn serve(path: Option<&Path>, listen: SocketAddr, speed: Option<f64>) -> Result<(), (u8, String)> {
    let world = match path {
        Some(path) => {
            World::from_file(path).map_err(|error| (BAD_CONFIGURATION, format!("{}: {error}", path.display())))?
        }
        None => World::from_toml(EXAMPLE_WORLD)
            .map_err(|error| (BAD_CONFIGURATION, format!("the built-in world: {error}")))?,
    };
    let world = match speed {
        Some(speed) => world.clock_speed(speed),
        None => world,
    };
    let failed = |error: std::io::Error| (FAILED, format!("{listen}: {error}"));
    // Before anything is printed: whoever reads the address may send a signal at once.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let centre = DataCentre::start_on(listen, world).await.map_err(failed)?;
    println!("The simulated data centre listens on {}.", centre.address());
    println!("Point tgsignd at it with these lines:\n\n[telegram]\n{}", centre.daemon_config());
    tokio::select! {
        () = show(&centre) => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    centre.stop();
    println!("Stopped.");
    Ok(())
}

/// Prints every entry of the log.
async fn show(centre: &DataCentre) {
    let mut changes = centre.log_changes();
    let mut shown = 0;
    while changes.changed().await.is_ok() {
        changes.borrow_and_update();
        for entry in centre.log_since(shown) {
            shown = entry.sequence;
            println!("{entry}");
        }
    }
}
