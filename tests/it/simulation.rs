//! Years of the kernel with an in-memory ledger, through crashes, restarts, steps of the clock, lost actors and reloads:
//! every slot that was due is exactly one of run, missed and skipped, and none comes twice.
//!
//! `TGSIGND_SIMULATION="tasks days seed"` sets the size and replays a failure; `"200 3650 1"` is the whole of it, and is
//! best run with `--release`.

mod drafts;
mod ledger;
mod periods;
mod reference;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tgsignd::config::Snapshot;
use tgsignd::kernel::record::RunRecord;
use tgsignd::kernel::resume::resume_at;
use tgsignd::kernel::status::{Build, Status};
use tgsignd::kernel::{Alarm, Effect, Event, Kernel, RunOrder, Seeds, Work};
use tgsignd::names::{AccountName, RunId};
use tgsignd::schedule::Seed;
use tgsignd::script::Outcome;

use self::drafts::{ACCOUNTS, Draft, draw_account, snapshot};
use self::ledger::Ledger;
use self::reference::Reference;
use crate::kit::Random;

/// From `least` seconds to less than `most`.
fn seconds(random: &mut Random, least: u64, most: u64) -> TimeDelta {
    TimeDelta::seconds((least + random.below(most - least)).cast_signed())
}

/// A run under way.
#[expect(clippy::struct_field_names, reason = "`run_id` is its name everywhere")]
struct Run {
    order: RunOrder,
    run_id: RunId,
    ends_at: DateTime<Utc>,
}

struct World {
    random: Random,
    accounts: Vec<String>,
    drafts: Vec<Draft>,
    snapshot: Arc<Snapshot>,
    kernel: Kernel,
    ledger: Ledger,
    reference: Reference,
    runs: Vec<Run>,
    now: DateTime<Utc>,
    events: BTreeMap<&'static str, u64>,
}

fn kernel(ledger: &Ledger, now: DateTime<Utc>) -> Kernel {
    let seeds = Seeds { seed: Seed([9; 32]), positions: ledger.positions(), open: ledger.open(), starts: Vec::new() };
    Kernel::new(seeds, Status::new(Build { version: String::new(), revision: None, rustc: None }, now))
}

impl World {
    fn new(tasks: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let accounts: Vec<_> = (0..ACCOUNTS).map(|_| draw_account(&mut random)).collect();
        let drafts: Vec<_> = (0..tasks).map(|_| Draft::draw(&mut random)).collect();
        let now = "2026-11-22T00:00:00Z".parse().unwrap();
        let (snapshot, ledger) = (snapshot(&accounts, &drafts), Ledger::default());
        let kernel = kernel(&ledger, now);
        let reference = Reference::default();
        let mut world = Self {
            random,
            accounts,
            drafts,
            snapshot,
            kernel,
            ledger,
            reference,
            runs: Vec::new(),
            now,
            events: BTreeMap::new(),
        };
        world.load();
        world
    }

    /// Puts the snapshot in force.
    fn load(&mut self) {
        let active_since = self.ledger.active_since(&self.snapshot, self.now);
        self.reference.load(&self.snapshot, self.now, &self.ledger);
        self.tell(Event::Loaded { snapshot: Arc::clone(&self.snapshot), active_since });
    }

    fn tell(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for effect in self.kernel.handle(self.now, event) {
                match effect {
                    Effect::Run(order) => events.extend(self.begin(*order)),
                    Effect::NotRun { key, what, .. } => self.ledger.record_without_run(key, what, self.now),
                    Effect::Close(record) => self.ledger.finish(*record),
                    Effect::Recover { account } => {
                        let open = self.ledger.open().into_iter();
                        let open = open.filter(|history| history.claim.key.account == account).collect();
                        events.push(Event::Recovered { account, open });
                    }
                    Effect::Alarm(Alarm::DeadlinePassed { key }) => self.ledger.deadline_alarm(key, self.now),
                    Effect::Alarm(_) | Effect::Delete { .. } => {}
                }
            }
        }
    }

    /// An account takes an order: it claims the slot, and is at work for a while.
    fn begin(&mut self, order: RunOrder) -> Option<Event> {
        let run_id = match &order.work {
            Work::First => match self.ledger.claim(&order, self.now) {
                Some(run_id) => run_id,
                None => return Some(Event::Dropped { key: order.key }),
            },
            Work::Again { run_id, .. } | Work::Review { run_id, .. } => run_id.clone(),
        };
        *self.events.entry("runs").or_default() += 1;
        let longest = if self.random.below(50) == 0 { 20_000 } else { 120 };
        let ends_at = self.now + seconds(&mut self.random, 1, longest);
        self.runs.push(Run { order, run_id, ends_at });
        None
    }

    fn end(&mut self, place: usize) {
        let Run { order, run_id, .. } = self.runs.swap_remove(place);
        let outcome = match self.random.below(10) {
            0 | 1 => Outcome::Failed,
            2 => Outcome::Unknown,
            3 => Outcome::Interrupted,
            _ => Outcome::Succeeded,
        };
        let mut record = RunRecord {
            run_id,
            key: order.key.clone(),
            trigger: order.trigger,
            fire_at: order.fire_at,
            claimed_at: order.fire_at,
            started_at: Some(self.now),
            ended_at: self.now,
            attempt: order.attempt(),
            outcome,
            reason: String::new(),
            evidence: serde_json::Value::Null,
            failed_step: None,
            resume_at: None,
        };
        if let Work::Review { last: Some(last), .. } = order.work {
            record.ended_at = last.ended_at;
        }
        record.resume_at = resume_at(&record, order.task.retry, None, true, self.now);
        self.ledger.finish(record.clone());
        self.tell(Event::Ended { record: Box::new(record), messages: Vec::new() });
    }

    /// The next thing that happens before `until`.
    fn step(&mut self, until: DateTime<Utc>) {
        let run =
            self.runs.iter().enumerate().min_by_key(|(_, run)| run.ends_at).map(|(place, run)| (run.ends_at, place));
        let tick = self.kernel.deadline().filter(|deadline| *deadline <= until);
        match run.filter(|(ends_at, _)| *ends_at <= until && tick.is_none_or(|tick| *ends_at < tick)) {
            Some((ends_at, place)) => {
                self.pass(ends_at);
                self.end(place);
            }
            None => match tick {
                Some(tick) => {
                    self.pass(tick);
                    self.tell(Event::Tick);
                }
                None => self.pass(until),
            },
        }
    }

    fn pass(&mut self, to: DateTime<Utc>) {
        self.now = self.now.max(to);
        self.reference.saw(self.now);
    }

    /// Something goes wrong, or somebody changes something.
    fn disturb(&mut self) {
        let what = match self.random.below(10) {
            0 | 1 => "crash",
            2 => "forward",
            3 => "backward",
            4 => "actor",
            _ => "reload",
        };
        *self.events.entry(what).or_default() += 1;
        match what {
            "crash" => self.crash(),
            "forward" => self.put_clock(|random| seconds(random, 1, 12 * 3600)),
            "backward" => self.put_clock(|random| -seconds(random, 1, 3 * 3600)),
            "actor" => {
                let account: AccountName = format!("a{}", self.random.below(ACCOUNTS as u64)).parse().unwrap();
                self.runs.retain(|run| run.order.key.account != account);
                self.tell(Event::ActorLost { account });
            }
            _ => {
                self.edit();
                self.load();
            }
        }
    }

    /// Runs go on for as long as they would have.
    fn put_clock(&mut self, delta: impl Fn(&mut Random) -> TimeDelta) {
        let delta = delta(&mut self.random);
        self.runs.iter_mut().for_each(|run| run.ends_at += delta);
        self.now += delta;
        self.reference.saw(self.now);
        self.tell(Event::Tick);
    }

    fn edit(&mut self) {
        for _ in 0..=self.random.below(4) {
            let task = usize::try_from(self.random.below(self.drafts.len() as u64)).unwrap();
            let what = self.random.below(6);
            self.drafts[task].redraw(what, &mut self.random);
        }
        if self.random.below(4) == 0 {
            let account = usize::try_from(self.random.below(ACCOUNTS as u64)).unwrap();
            self.accounts[account] = draw_account(&mut self.random);
        }
        self.snapshot = snapshot(&self.accounts, &self.drafts);
    }

    /// The process ends without a word; a new one comes sooner or later, now and then to an edited workdir.
    fn crash(&mut self) {
        self.reference.excuse_what_only_the_process_knew(&self.ledger);
        self.ledger.process_ended(self.kernel.status());
        self.runs.clear();
        let longest = if self.random.below(4) == 0 { 4 * 86_400 } else { 600 };
        let pause = seconds(&mut self.random, 1, longest);
        self.pass(self.now + pause);
        // What was in force when the process ended comes first, as the daemon does it: the old schedules' slots are due.
        self.kernel = kernel(&self.ledger, self.now);
        self.load();
        if self.random.below(5) == 0 {
            *self.events.entry("edits while nothing ran").or_default() += 1;
            self.edit();
            self.load();
        }
    }
}

fn size() -> (usize, i64, u64) {
    let size = std::env::var("TGSIGND_SIMULATION").unwrap_or_else(|_| "30 400 1".to_owned());
    let numbers: Vec<u64> = size.split_whitespace().map(|number| number.parse().unwrap()).collect();
    let [tasks, days, seed] = numbers[..] else { panic!("TGSIGND_SIMULATION takes tasks, days and a seed") };
    (tasks.try_into().unwrap(), days.try_into().unwrap(), seed)
}

#[test]
fn every_due_slot_is_exactly_one_of_run_missed_and_skipped() {
    let (tasks, days, seed) = size();
    let mut world = World::new(tasks, seed);
    let end = world.now + TimeDelta::days(days);
    while world.now < end {
        // Often in the middle of something.
        let until = match (world.random.below(3), world.kernel.deadline()) {
            (0, Some(deadline)) => deadline.max(world.now) + seconds(&mut world.random, 0, 120),
            _ => world.now + seconds(&mut world.random, 600, 3 * 86_400),
        };
        while world.now < until {
            world.step(until);
        }
        world.disturb();
    }
    // What is under way comes to its end.
    let settled = world.now.max(world.reference.latest());
    let quiet = settled + TimeDelta::days(5);
    while world.now < quiet {
        world.step(quiet);
    }
    world.ledger.process_ended(world.kernel.status());
    println!("{tasks} tasks, {days} days, seed {seed}: {:?}, {:?}", world.events, world.ledger.outcomes());
    world.reference.check(&world.ledger, settled);
    let stuck: Vec<_> = world
        .ledger
        .open()
        .into_iter()
        .filter(|open| open.claim.claimed_at < settled)
        .map(|open| open.claim.key)
        .collect();
    assert!(stuck.is_empty(), "claims that nobody will ever close: {stuck:?}");
}
