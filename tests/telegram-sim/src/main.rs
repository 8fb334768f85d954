//! Runs the simulated data centre.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
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
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let Arguments { command: Command::Serve { world, listen, speed } } = Arguments::parse();
    match serve(world.as_deref(), listen, speed).await {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => {
            eprintln!("tgsignd-sim: {message}");
            ExitCode::from(code)
        }
    }
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
