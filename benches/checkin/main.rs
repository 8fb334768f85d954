//! What a check-in costs: one daemon, 1, 50 and 500 accounts, all due at the same instant, against a simulated data centre.
//!
//! Each check-in resolves the bot, sends a command, gets a keyboard, presses a button and reads the popup; the claim, the
//! journal, the record and the transcript are durable. The data centre lives in the benchmark's process, the daemon in
//! another. Beside it a bare grammers client makes the same calls and keeps nothing.
//!
//! `cargo bench --bench checkin` takes about three minutes; `-- 50 500` measures these numbers of accounts only,
//! `-- --assert` fails when a figure is over its limit, `-- --binary PATH` measures another build.

#![allow(clippy::disallowed_methods, reason = "outside of the pure modules")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a benchmark fails by panicking")]

mod bare;
#[path = "../support/checkins.rs"]
mod checkins;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use checkins::{account, phone, start_centre, user_id};
use chrono::{TimeDelta, Utc};
use support::{Arguments, Daemon, Figures, Memory, PATIENCE, Place, again, idle};
use telegram_sim::{DataCentre, Event};
use tokio::runtime::Runtime;

const COUNTS: [usize; 3] = [1, 50, 500];
/// Connections that all break at once, as after a network outage.
const OUTAGES: usize = 4;
/// From writing the tasks to their slot: the time in which the daemon starts and is then measured doing nothing.
const HEAD_START: TimeDelta = TimeDelta::seconds(12);
const IDLE: Duration = Duration::from_secs(3);
/// Between two slots of one task.
const ROUND: TimeDelta = TimeDelta::seconds(12);
/// What is measured at the end is measured when allocators had time to give memory back.
const SETTLE: Duration = Duration::from_secs(3);
/// All of it is judged at the end.
const LOG_LIMIT: usize = 1_000_000;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let [command, address, accounts] = &arguments.rest[..]
        && command == "bare"
    {
        bare::measure(address.parse().unwrap(), accounts.parse().unwrap());
        return ExitCode::SUCCESS;
    }
    let chosen: Vec<usize> = arguments.rest.iter().filter_map(|count| count.parse().ok()).collect();
    let counts = if chosen.is_empty() { COUNTS.to_vec() } else { chosen };
    let mut figures = Figures::default();
    // Kept until everything is measured: ext4 takes the number of a deleted file again only after minutes, and searches for
    // every new file until then, which would be charged to the next daemon.
    let mut places = Vec::new();
    for accounts in counts {
        let bare = measure_bare(accounts);
        figures.show(format!("{accounts} bare grammers: CPU a check-in"), bare.cpu, "ms", None);
        figures.show(format!("{accounts} bare grammers: peak memory"), bare.memory.peak, "MB", None);
        // One check-in alone pays for everything that happens once, and of those that are spread out each pays for itself.
        for (jitter, limit) in [("0s", (accounts > 1).then_some(2.0)), ("10s", None)] {
            let plan = Plan { accounts, jitter, rounds: 1 };
            let (cost, place) = measure_daemon(&arguments, &plan);
            let name = format!("{accounts} accounts, jitter {jitter}");
            figures.show(format!("{name}: CPU a check-in"), cost.cpu, "ms", limit);
            figures.show(format!("{name}: CPU in proportion to bare grammers"), cost.cpu / bare.cpu, "x", None);
            show_memory(&mut figures, &name, cost.memory, cost.settled, Some(60.0));
            places.push(place);
        }
        let plan = Plan { accounts, jitter: "0s", rounds: OUTAGES + 1 };
        let (cost, place) = measure_daemon(&arguments, &plan);
        let name = format!("{accounts} always connected, {OUTAGES} outages");
        figures.show(format!("{name}: CPU a check-in"), cost.cpu, "ms", None);
        show_memory(&mut figures, &name, cost.memory, cost.settled, None);
        places.push(place);
    }
    figures.exit(&arguments)
}

fn show_memory(figures: &mut Figures, name: &str, memory: Memory, settled: Memory, limit: Option<f64>) {
    figures.show(format!("{name}: peak memory"), memory.peak, "MB", limit);
    figures.show(format!("{name}: memory after the last run"), memory.resident, "MB", None);
    figures.show(format!("{name}: memory {}s later", SETTLE.as_secs()), settled.resident, "MB", None);
}

/// What is measured.
struct Plan {
    accounts: usize,
    jitter: &'static str,
    /// With more than one, accounts are always connected, and all connections break between two rounds.
    rounds: usize,
}

struct Cost {
    /// Milliseconds of processor time a check-in, without what an idle daemon uses in the same time.
    cpu: f64,
    memory: Memory,
    settled: Memory,
}

fn measure_daemon(arguments: &Arguments, plan: &Plan) -> (Cost, Place) {
    let runtime = Runtime::new().unwrap();
    let centre = start_centre(&runtime, plan.accounts, LOG_LIMIT);
    let place = Place::new(&workdir(plan, &centre));
    for number in 0..plan.accounts {
        place.sign_in(&account(number), user_id(number), centre.address());
    }
    let text = tasks(plan);
    std::fs::write(place.workdir().join("tasks.toml"), text).unwrap();

    let daemon = Daemon::start(&place, &arguments.binary);
    daemon.ready();
    let process = daemon.process();
    if plan.rounds > 1 {
        wait_until(|| has_greeted(&centre) == plan.accounts);
        idle(SETTLE);
    }
    let before = process.cpu();
    idle(IDLE);
    let idle_load = process.cpu().checked_sub(before).unwrap().as_secs_f64() / IDLE.as_secs_f64();

    let (before, clock) = (process.cpu(), Instant::now());
    for round in 0..plan.rounds {
        if round > 0 {
            centre.kill_connections();
        }
        for _ in 0..plan.accounts {
            let ended = daemon.wait_for("run ended");
            assert_eq!(ended["outcome"], "succeeded", "{ended}");
        }
    }
    let memory = process.memory();
    if plan.rounds == 1 {
        // Closing the connection is part of a check-in.
        wait_until(|| centre.open_connections() == 0);
    }
    let used = process.cpu().checked_sub(before).unwrap().as_secs_f64() - idle_load * clock.elapsed().as_secs_f64();
    idle(SETTLE);
    let settled = process.memory();
    daemon.stop();
    check_log(&centre, plan);
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let checkins = (plan.accounts * plan.rounds) as f64;
    (Cost { cpu: used * 1e3 / checkins, memory, settled }, place)
}

fn measure_bare(accounts: usize) -> Cost {
    let runtime = Runtime::new().unwrap();
    let centre = start_centre(&runtime, accounts, LOG_LIMIT);
    let printed = again(["bare".to_owned(), centre.address().to_string(), accounts.to_string()]);
    let numbers: Vec<f64> = printed.split_whitespace().map(|number| number.parse().unwrap()).collect();
    let [cpu, resident, peak] = numbers[..] else { panic!("{printed}") };
    check_log(&centre, &Plan { accounts, jitter: "0s", rounds: 1 });
    let memory = Memory { resident, peak, ..Memory::default() };
    Cost { cpu, memory, settled: memory }
}

/// Every account did exactly what it had to, as the other side saw it.
fn check_log(centre: &DataCentre, plan: &Plan) {
    let mut seen: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for entry in centre.log() {
        let Some(account) = entry.account else { continue };
        let (sent, clicked) = seen.entry(account.to_string()).or_default();
        match entry.event {
            Event::MessageSent { duplicate, .. } => {
                assert!(!duplicate, "{account} sent a message twice");
                *sent += 1;
            }
            Event::Click { .. } => *clicked += 1,
            _ => {}
        }
    }
    assert_eq!(seen.len(), plan.accounts, "every account was there");
    for (account, (sent, clicked)) in seen {
        assert_eq!((sent, clicked), (plan.rounds, plan.rounds), "messages and clicks of {account}");
    }
}

/// How many accounts have asked whether their session is still valid, which is what they do when they connect.
fn has_greeted(centre: &DataCentre) -> usize {
    let greeting = |event: &Event| matches!(event, Event::Call { method } if *method == "updates.getState");
    centre.log().iter().filter(|entry| greeting(&entry.event)).count()
}

fn workdir(plan: &Plan, centre: &DataCentre) -> Vec<(String, String)> {
    let connect = if plan.rounds > 1 { "always" } else { "on-demand" };
    let mut text = format!(
        "version = 1\n[telegram]\nconnect = \"{connect}\"\n{}[http]\nlisten = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n\
         [defaults]\ntimezone = \"UTC\"\nstagger = \"0s\"\njitter = \"{}\"\nretry = {{ attempts = 1 }}\n",
        centre.daemon_config(),
        plan.jitter
    );
    for number in 0..plan.accounts {
        writeln!(text, "[accounts.{}]\nphone = \"{}\"", account(number), phone(number)).unwrap();
    }
    vec![("tgsignd.toml".to_owned(), text)]
}

/// One task for each account, all due at the same instants.
fn tasks(plan: &Plan) -> String {
    let first = Utc::now() + HEAD_START;
    let slots: Vec<String> = (0..plan.rounds)
        .map(|round| format!("\"{}\"", (first + ROUND * i32::try_from(round).unwrap()).format("%H:%M:%S")))
        .collect();
    let schedule = slots.join(", ");
    (0..plan.accounts)
        .map(|number| {
            format!(
                "[tasks.checkin{number}]\naccounts = [\"{}\"]\nschedule = [{schedule}]\nchat = \"@bench_checkin_bot\"\n\
                 steps = [{{ send = \"/checkin\" }}, {{ click = \"签到\" }}]\n",
                account(number)
            )
        })
        .collect()
}

fn wait_until(condition: impl Fn() -> bool) {
    let clock = Instant::now();
    while !condition() {
        assert!(clock.elapsed() < PATIENCE, "what was waited for never happened");
        idle(Duration::from_millis(10));
    }
}
