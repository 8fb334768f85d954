//! A backup of a gigabyte: memory and processor time, beside `tar | gzip | age`, restic and rclone crypt on the same tree, and what
//! a look costs when nothing changed.
//!
//! `cargo bench --bench backup` takes some minutes; `-- --size 100M` measures less state, `-- --level 1` another level of gzip,
//! `-- --assert` fails when a figure is over its limit. Other programs are measured where they are installed. The simulated
//! WebDAV server lives in the benchmark's process, the backup in another one.

#![allow(clippy::disallowed_methods, reason = "outside of the pure modules")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a benchmark fails by panicking")]

mod others;
mod ours;
mod state;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use chrono::Utc;
use others::Cost;
use ours::{Measured, Order};
use support::{Arguments, Figures, Place, milliseconds};
use tgsignd::backup::keys::DerivedKeys;
use tgsignd::config::secret::Secret;
use webdav_sim::{Server, profiles};

const SIZE: u64 = 1_000_000_000;
const LEVEL: u32 = 6;
/// See `src/main.rs`: the daemon runs with it.
const ALLOCATOR: (&str, &str) = ("MALLOC_MMAP_THRESHOLD_", "131072");
const SETTINGS: &str = "version = 1\n";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let [command, order] = &arguments.rest[..]
        && command == "ours"
    {
        let measured = ours::measure(&serde_json::from_str(order).unwrap());
        println!("{}", serde_json::to_string(&measured).unwrap());
        return ExitCode::SUCCESS;
    }
    let option = |name: &str| {
        let at = arguments.rest.iter().position(|argument| argument == name)?;
        Some(arguments.rest.get(at + 1).unwrap_or_else(|| panic!("{name} needs a value")).as_str())
    };
    let size = option("--size").map_or(SIZE, bytes);
    let level = option("--level").map_or(LEVEL, |text| text.parse().expect("--level is a number from 1 to 9"));
    let mut figures = Figures::default();
    measure(size, level, &mut figures);
    figures.exit(&arguments)
}

/// `100M`, `1G`, or a number.
fn bytes(text: &str) -> u64 {
    let (number, unit) = match text.strip_suffix(['M', 'G']) {
        Some(number) => (number, if text.ends_with('M') { 1_000_000 } else { 1_000_000_000 }),
        None => (text, 1),
    };
    number.parse::<u64>().expect("--size is 100M, 1G or a number of bytes") * unit
}

fn measure(size: u64, level: u32, figures: &mut Figures) {
    let place = Place::new(&[("tgsignd.toml".to_owned(), SETTINGS.to_owned())]);
    state::fill(&place, size, Utc::now());
    let database = fs::metadata(place.datadir().join("state/state.db")).unwrap().len();
    figures.show("the ledger", megabytes(database), "MB", None);
    let scratch = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();

    // First the others, so that the tree is in the page cache for everybody and ours adds nothing to it.
    let recipient =
        DerivedKeys::from_text(&Secret::new(ours::KEY.to_owned())).unwrap().identity.recipient().to_string();
    let sealed = scratch.path().join("tree.tar.gz.age");
    let pipeline = others::pipeline(&place.datadir(), level, &recipient, &sealed);
    let name = format!("tar | gzip -{level} | age");
    show(figures, &name, pipeline, Some(fs::metadata(&sealed).unwrap().len()));

    let server = runtime.block_on(Server::start(profiles::APACHE)).unwrap();
    if others::installed("restic") {
        let (first, again) = others::restic(&place.datadir(), scratch.path());
        show(figures, "restic to this disk", first, None);
        show(figures, "restic, nothing changed", again, None);
    }
    if others::installed("rclone") {
        let (first, again) = others::rclone(&place.datadir(), &server.url(), server.username(), server.password());
        show(figures, "rclone crypt to the same server", first, None);
        show(figures, "rclone crypt, nothing changed", again, None);
        server.remove("rclone");
    }

    let ours = ours(&Order { datadir: place.datadir(), workdir: place.workdir(), url: server.url(), level });
    show_ours(figures, &ours, pipeline.cpu);
}

fn ours(order: &Order) -> Measured {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("ours").arg(serde_json::to_string(order).unwrap()).env(ALLOCATOR.0, ALLOCATOR.1);
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "the process of the backup failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn show(figures: &mut Figures, name: &str, cost: Cost, stored: Option<u64>) {
    figures.show(format!("{name}: CPU"), cost.cpu.as_secs_f64(), "s", None);
    figures.show(format!("{name}: wall"), cost.wall.as_secs_f64(), "s", None);
    figures.show(format!("{name}: peak memory"), cost.peak, "MB", None);
    if let Some(stored) = stored {
        figures.show(format!("{name}: stored"), megabytes(stored), "MB", None);
    }
}

fn show_ours(figures: &mut Figures, ours: &Measured, pipeline: Duration) {
    let percent = |part: Duration, whole: Duration| 100.0 * part.as_secs_f64() / whole.as_secs_f64();
    let whole = Cost { wall: ours.wall, cpu: ours.cpu, peak: ours.peak };
    show(figures, "tgsignd, copied, sealed, sent and read back", whole, Some(ours.stored));
    figures.show("tgsignd: peak memory above idle", ours.peak - ours.idle, "MB", Some(24.0));
    figures.show("tgsignd: CPU, in parts of tar | gzip | age", percent(ours.cpu, pipeline), "%", Some(100.0));
    figures.show("nothing changed: CPU", milliseconds(ours.look), "ms", None);
    figures.show("nothing changed: CPU, in parts of a whole backup", percent(ours.look, ours.cpu), "%", Some(1.0));
    figures.show("nothing changed: sent", megabytes(ours.look_sent), "MB", Some(0.0));
    figures.show("nothing changed, first look after a start: CPU", milliseconds(ours.first_look), "ms", None);
    figures.show("nothing changed, first look after a start: sent", megabytes(ours.first_look_sent), "MB", Some(0.0));
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
