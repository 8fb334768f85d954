//! SIGKILL between any two effects: by the data centre's log no message or click of a slot came twice, and by the ledger every
//! slot has its outcome.
//!
//! Each scenario has eleven accounts with a slot each, a data centre that remembers `random_id`s or does not, and a daemon that
//! is killed up to three times: in a call of an account (before it is carried out, before it is answered, right after the answer),
//! at a change of a file, or at any time. Then it is left alone until every slot has ended.
//!
//! `TGSIGND_KILL_POINTS="points seed"` sets the size; `"500 1"` is the whole of it. A scenario that went wrong tells the seed under
//! which `"1 seed"` plays it again.

mod judge;
mod strike;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use rusqlite::{Connection, OpenFlags};
use telegram_sim::{Stage as CallStage, World};
use tgsignd::daemon::datadir::Datadir;
use tgsignd::kernel::record::RunFilter;
use tgsignd::script::Outcome;
use tokio::task::JoinSet;

use self::judge::{EXPECTED, Judgement, Kept, judge};
use self::strike::{Executioner, Seen, Strike};
use crate::kit::{Daemon, LOOK_AGAIN, Stage};

/// Scenarios at one time; most of their time they wait.
const AT_ONCE: usize = 8;

/// A scenario in which nothing goes wrong takes seconds.
const PATIENCE: Duration = Duration::from_mins(3);

/// Steele's and Vigna's splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    fn from(&mut self, least: usize, most: usize) -> usize {
        least + self.below((most + 1).saturating_sub(least).max(1))
    }
}

/// What one scenario is.
struct Scenario {
    seed: u64,
    remembers: bool,
    /// The slot comes after the first start, or was there before it and is made up for.
    is_late: bool,
    strikes: Vec<Strike>,
}

impl Scenario {
    /// `undisturbed` is what a daemon does that nobody kills.
    fn draw(seed: u64, undisturbed: &Seen) -> Self {
        let mut random = Random(seed);
        let (remembers, is_late) = (random.below(2) == 0, random.below(4) > 0);
        let mut strikes: Vec<Strike> = Vec::new();
        for _ in 0..random.from(1, 3) {
            strikes.push(draw_strike(&mut random, undisturbed, strikes.last()));
        }
        Self { seed, remembers, is_late, strikes }
    }
}

/// A second strike often hits what is taken up after the first one.
fn draw_strike(random: &mut Random, undisturbed: &Seen, before: Option<&Strike>) -> Strike {
    match (random.below(10), before) {
        (0 | 1, None) => Strike::File { ordinal: random.from(1, undisturbed.files) },
        // After a strike less is left to be done.
        (0 | 1, Some(_)) => Strike::File { ordinal: random.from(1, undisturbed.files / 2) },
        (2, _) => Strike::Time { after: Duration::from_millis(random.from(50, 6000) as u64) },
        (3..7, Some(Strike::Call { account, .. })) => draw_call(random, undisturbed, account),
        _ => {
            // Whoever does more is struck more often.
            let calls: Vec<&String> =
                undisturbed.calls.iter().flat_map(|(account, calls)| std::iter::repeat_n(account, *calls)).collect();
            let account = calls[random.below(calls.len())];
            draw_call(random, undisturbed, account)
        }
    }
}

fn draw_call(random: &mut Random, undisturbed: &Seen, account: &str) -> Strike {
    // The first two calls of a connection greet.
    let least = if random.below(6) == 0 { 1 } else { 3 };
    let stages = [CallStage::Received, CallStage::CarriedOut, CallStage::Answered];
    let ordinal = random.from(least, undisturbed.calls[account]);
    Strike::Call { account: account.to_owned(), ordinal, stage: stages[random.below(3)] }
}

/// What came of a scenario.
struct Played {
    scenario: Scenario,
    /// The strikes that came, with what the daemon was doing.
    struck: Vec<(Strike, String)>,
    judgement: Judgement,
    seen: Seen,
    report: String,
}

async fn prepare(scenario: &Scenario) -> (Stage, DateTime<Utc>) {
    let world = World::from_toml(include_str!("kill_points/world.toml")).unwrap();
    let stage = Stage::of(world.remember_random_ids(scenario.remembers)).await;
    for (number, expected) in EXPECTED.iter().enumerate() {
        stage.sign_in(expected.account, 1001 + i64::try_from(number).unwrap());
    }
    let offset = if scenario.is_late { TimeDelta::minutes(-1) } else { TimeDelta::seconds(3) };
    let slot = (Utc::now() + offset).with_nanosecond(0).unwrap();
    let more = "timeout = '30s'\nmissed = { policy = 'run-once', within = '6h' }\n";
    let schedule = format!("schedule = '{}'\n", slot.format("%H:%M:%S"));
    stage.write("tgsignd.toml", &format!("{}{more}{schedule}", stage.settings()));
    stage.write("tasks.toml", include_str!("kill_points/tasks.toml"));
    // The slot is due whenever the daemon is killed.
    stage.in_force_for(TimeDelta::hours(2)).await;
    (stage, slot)
}

/// Whether every slot has ended. The ledger is asked and not the daemon, which may be dead at any time.
fn is_settled(stage: &Stage) -> bool {
    let file = stage.datadir().join("state/state.db");
    let count = || -> rusqlite::Result<i64> {
        let connection = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let query = "SELECT COUNT(*) FROM claims WHERE closed_at IS NOT NULL OR outcome = 'unknown'";
        connection.query_row(query, [], |row| row.get(0))
    };
    count().is_ok_and(|ended| usize::try_from(ended).is_ok_and(|ended| ended >= EXPECTED.len()))
}

async fn settled(stage: &Stage) {
    while !is_settled(stage) {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn kept(stage: &Stage) -> Kept {
    let datadir = Datadir::open(&stage.datadir()).await.unwrap();
    let filter = RunFilter { task: None, account: None, since: None, limit: usize::MAX };
    let (runs, open) = (datadir.ledger.runs(filter).await.unwrap(), datadir.ledger.open_claims().await.unwrap());
    datadir.ledger.close().await.unwrap();
    Kept { runs, open }
}

async fn play(scenario: Scenario) -> Played {
    let (stage, slot) = prepare(&scenario).await;
    let (executioner, _watcher) = Executioner::place(&stage.centre, &stage.datadir());
    let (mut struck, mut log) = (Vec::new(), String::new());
    let began = Instant::now();
    let mut strikes = scenario.strikes.clone().into_iter();
    let seen = loop {
        let strike = strikes.next();
        let mut daemon = stage.spawn(stage.tgsignd(&["run"]));
        executioner.arm(daemon.id(), strike.as_ref());
        let is_settled = tokio::select! {
            _ = daemon.ended() => false,
            () = settled(&stage) => true,
            () = tokio::time::sleep(PATIENCE.saturating_sub(began.elapsed())) => true,
        };
        let seen = executioner.disarm();
        // It may be struck at the last moment.
        let is_alive = is_settled && seen.struck.is_none();
        let life = if is_alive {
            end(daemon).await
        } else {
            daemon.ended().await;
            daemon.log.text()
        };
        log.push_str(&format!("--- {}\n{life}", strike.as_ref().map_or("no strike".to_owned(), ToString::to_string)));
        match (&strike, &seen.struck) {
            (Some(strike), Some(doing)) => struck.push((strike.clone(), doing.clone())),
            _ if is_alive => break seen,
            _ => log.push_str("!!! it ended by itself\n"),
        }
        if is_alive || began.elapsed() > PATIENCE {
            break seen;
        }
    };
    let mut judgement = judge(&stage.centre, scenario.remembers, &kept(&stage).await, slot, &log);
    if log.contains("!!!") {
        judgement.wrong.push("the daemon ended by itself".to_owned());
    }
    if log.contains("panic") {
        judgement.wrong.push("something panicked".to_owned());
    }
    let entries: Vec<String> = stage.centre.log().iter().map(ToString::to_string).collect();
    Played { scenario, struck, judgement, seen, report: format!("{log}\n{}", entries.join("\n")) }
}

async fn end(daemon: Daemon) -> String {
    // All may have been over before it began.
    daemon.says("ready").await;
    daemon.sigterm();
    let mut daemon = daemon;
    let status = daemon.exit().await;
    assert_eq!(status.code(), Some(0), "{}", daemon.log.text());
    daemon.log.text()
}

#[derive(Default)]
struct Tally {
    scenarios: usize,
    kinds: BTreeMap<&'static str, usize>,
    doing: BTreeMap<String, usize>,
    outcomes: BTreeMap<(&'static str, Outcome), usize>,
    refused: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn points(&self) -> usize {
        self.kinds.values().sum()
    }

    fn add(&mut self, played: Played) {
        let Played { scenario, struck, judgement, report, .. } = played;
        self.scenarios += 1;
        self.refused += judgement.refused;
        for (strike, doing) in &struck {
            *self.kinds.entry(strike.kind()).or_default() += 1;
            if matches!(strike, Strike::Call { .. }) {
                *self.doing.entry(doing.clone()).or_default() += 1;
            }
        }
        for (ended, times) in judgement.outcomes {
            *self.outcomes.entry(ended).or_default() += times;
        }
        if !judgement.wrong.is_empty() {
            let struck: Vec<_> = struck.iter().map(|(strike, doing)| format!("{strike} ({doing})")).collect();
            let (seed, remembers) = (scenario.seed, scenario.remembers);
            self.wrong.push(format!(
                "TGSIGND_KILL_POINTS=\"1 {seed}\" plays it again: random_ids are remembered: {remembers}; killed at {struck:?}: {:#?}",
                judgement.wrong
            ));
            let file = std::env::temp_dir().join(format!("tgsignd-kill-{seed}.log"));
            std::fs::write(&file, report).unwrap();
            eprintln!("{}\nthe logs are in {}", self.wrong.last().unwrap(), file.display());
        }
    }
}

fn size() -> (usize, u64) {
    let size = std::env::var("TGSIGND_KILL_POINTS").unwrap_or_else(|_| "20 1".to_owned());
    let (points, seed) = size.split_once(' ').expect("TGSIGND_KILL_POINTS takes the number of points and a seed");
    (points.parse().unwrap(), seed.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_it_is_killed_nothing_is_done_twice_and_no_slot_is_lost() {
    let (points, seed) = size();
    let undisturbed = Scenario { seed: 0, remembers: true, is_late: true, strikes: Vec::new() };
    let undisturbed = play(undisturbed).await;
    assert!(undisturbed.judgement.wrong.is_empty(), "{:#?}\n{}", undisturbed.judgement.wrong, undisturbed.report);
    assert!(undisturbed.judgement.outcomes.keys().all(|(_, outcome)| outcome.is_done()), "{}", undisturbed.report);
    println!("undisturbed: {:?}", undisturbed.seen);

    let (mut tally, mut playing, mut next) = (Tally::default(), JoinSet::new(), seed);
    loop {
        while playing.len() < AT_ONCE && tally.points() + playing.len() < points {
            playing.spawn(play(Scenario::draw(next, &undisturbed.seen)));
            next += 1;
        }
        let Some(played) = playing.join_next().await else { break };
        tally.add(played.unwrap());
    }
    println!(
        "{} points in {} scenarios from seed {seed}: {:?}\nin calls: {:?}\noutcomes: {:?}\nmessages refused as duplicates: {}",
        tally.points(),
        tally.scenarios,
        tally.kinds,
        tally.doing,
        tally.outcomes,
        tally.refused
    );
    assert!(tally.wrong.is_empty(), "{} scenarios went wrong:\n{}", tally.wrong.len(), tally.wrong.join("\n"));
}
