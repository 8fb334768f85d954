//! What a daemon keeps in memory over time: after mass reconnects, and over thousands of days.
//!
//! `outages`: 100 accounts that are always connected; the data centre closes all connections, and every account checks in over a
//! new one, four times. `days`: 150 accounts check in every seven seconds, which is a day to them, each time over a new
//! connection and at its own moment, as jitter has it; at the end of thousands of days a run costs no more memory than at the beginning.
//! `bursts`: the same, with all accounts at one instant.
//!
//! `cargo bench --bench soak` takes about twelve minutes; `-- outages`, `-- days 24h` and `-- bursts 1h` measure one of them, `-- --assert`
//! fails when a figure is over its limit, `-- --binary PATH` measures another build.

#![allow(clippy::disallowed_methods, reason = "outside of the pure modules")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a benchmark fails by panicking")]

#[path = "support/checkins.rs"]
mod checkins;
mod support;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use checkins::{account, start_centre, user_id};
use support::{Arguments, Daemon, Figures, PATIENCE, Place, idle};
use telegram_sim::DataCentre;
use tgsignd::schedule::duration;
use tokio::runtime::Runtime;

const ACCOUNTS: usize = 100;
const OUTAGES: usize = 4;
/// Allocators give memory back a little later.
const SETTLE: Duration = Duration::from_secs(3);

const SOAKING: usize = 150;
const DAYS: Duration = Duration::from_mins(10);
/// Until everything that is made once has been made.
const WARM_UP: Duration = Duration::from_mins(1);
const SAMPLE: Duration = Duration::from_secs(5);
/// Nobody looks back, and the data centre is in another process than the daemon.
const LOG_LIMIT: usize = 10_000;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut figures = Figures::default();
    let wants = |what: &str| arguments.rest.is_empty() || arguments.rest.iter().any(|one| one == what);
    if wants("outages") {
        outages(&arguments, &mut figures);
    }
    let length = arguments.rest.iter().find_map(|text| duration::parse(text).ok()).unwrap_or(DAYS);
    if wants("days") {
        days(&arguments, &mut figures, length, "within seven seconds", "6s");
    }
    if arguments.rest.iter().any(|one| one == "bursts") {
        days(&arguments, &mut figures, length, "at one instant every seven seconds", "0s");
    }
    figures.exit(&arguments)
}

struct Soak {
    centre: DataCentre,
    daemon: Daemon,
    _place: Place,
    _runtime: Runtime,
}

/// A daemon whose accounts all have a task with this schedule.
fn start(arguments: &Arguments, accounts: usize, connect: &str, schedule: &str, jitter: &str) -> Soak {
    let runtime = Runtime::new().unwrap();
    let centre = start_centre(&runtime, accounts, LOG_LIMIT);
    let mut text = format!(
        "version = 1\n[telegram]\nconnect = \"{connect}\"\n{}[http]\nlisten = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n\
         [defaults]\ntimezone = \"UTC\"\nstagger = \"0s\"\njitter = \"{jitter}\"\nretry = {{ attempts = 1 }}\nschedule = \"{schedule}\"\n\
         chat = \"@bench_checkin_bot\"\nsteps = [{{ send = \"/checkin\" }}, {{ click = \"签到\" }}]\n",
        centre.daemon_config()
    );
    for number in 0..accounts {
        let name = account(number);
        writeln!(text, "[accounts.{name}]\n[tasks.{name}]\naccounts = [\"{name}\"]").unwrap();
    }
    let place = Place::new(&[("tgsignd.toml".to_owned(), text)]);
    for number in 0..accounts {
        place.sign_in(&account(number), user_id(number), centre.address());
    }
    let daemon = Daemon::start(&place, &arguments.binary);
    daemon.ready();
    Soak { centre, daemon, _place: place, _runtime: runtime }
}

/// Waits until every account's run has ended well.
fn round(daemon: &Daemon, accounts: usize) {
    let mut ended: BTreeMap<String, usize> = BTreeMap::new();
    while ended.len() < accounts {
        let run = daemon.wait_for("run ended");
        assert_eq!(run["outcome"], "succeeded", "{run}");
        *ended.entry(run["account"].to_string()).or_default() += 1;
    }
}

fn outages(arguments: &Arguments, figures: &mut Figures) {
    // Long enough that the memory can be looked at between two rounds.
    let soak = start(arguments, ACCOUNTS, "always", "*/15 * * * * *", "0s");
    let process = soak.daemon.process();
    let what = format!("{ACCOUNTS} accounts, always connected");
    let mut after = Vec::new();
    for outage in 0..=OUTAGES {
        if outage > 0 {
            soak.centre.kill_connections();
        }
        round(&soak.daemon, ACCOUNTS);
        idle(SETTLE);
        let resident = process.memory().resident;
        figures.show(format!("{what}: memory after outage {outage}"), resident, "MB", None);
        after.push(resident);
    }
    figures.show(format!("{what}: peak memory"), process.memory().peak, "MB", None);
    let growth = 100.0 * (after[OUTAGES] / after[1] - 1.0);
    figures.show(format!("{what}: growth from the first outage to the last"), growth, "%", Some(20.0));
    soak.daemon.stop();
}

fn days(arguments: &Arguments, figures: &mut Figures, length: Duration, when: &str, jitter: &str) {
    let soak = start(arguments, SOAKING, "on-demand", "*/7 * * * * *", jitter);
    let process = soak.daemon.process();
    let what = format!("{SOAKING} accounts, {when}");
    let (clock, mut runs, mut samples) = (Instant::now(), 0_usize, Vec::new());
    let mut next = WARM_UP;
    while clock.elapsed() < WARM_UP + length {
        let run = soak.daemon.wait_for("run ended");
        assert_eq!(run["outcome"], "succeeded", "{run}");
        runs += 1;
        if clock.elapsed() >= next {
            samples.push(process.memory().resident);
            next += SAMPLE;
        }
    }
    assert!(clock.elapsed() < WARM_UP + length + PATIENCE);
    let middle = |part: &[f64]| {
        let mut part = part.to_vec();
        part.sort_by(f64::total_cmp);
        part[part.len() / 2]
    };
    let third = (samples.len() / 3).max(1);
    let (first, last) = (middle(&samples[..third]), middle(&samples[samples.len() - third..]));
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let (runs, cpu) = (runs as f64, process.cpu().as_secs_f64());
    figures.show(format!("{what}: runs"), runs, "", None);
    figures.show(format!("{what}: memory in the first third"), first, "MB", None);
    figures.show(format!("{what}: memory in the last third"), last, "MB", None);
    figures.show(format!("{what}: peak memory"), process.memory().peak, "MB", None);
    figures.show(format!("{what}: CPU of a run"), 1e3 * cpu / runs, "ms", None);
    figures.show(format!("{what}: growth"), 100.0 * (last / first - 1.0), "%", Some(5.0));
    soak.daemon.stop();
}
