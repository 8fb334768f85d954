//! What the kernel asks for when, told in short stories. `tests/it/simulation.rs` has the long one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod accounts;
mod deadlines;
mod recovery;
mod slots;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::record::{Claim, ClaimHistory, JournalEntry, LastEnded, NotRun, Position, RunRecord, Trigger};
use super::resume::resume_at;
use super::status::{Build, Status, TaskStatus};
use super::{Alarm, Effect, Event, Kernel, RunOrder, Seeds, Work};
use crate::config::{FileContent, Snapshot, Sources, load};
use crate::names::{AccountName, RunId, RunKey, Slot, TaskName};
use crate::schedule::Seed;
use crate::script::{JournalMark, Memory, Outcome};

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-11-{text}Z").parse().unwrap()
}

/// A configuration of two accounts, with these tables on top. Tasks are in UTC, without stagger.
fn snapshot(tables: &str) -> Arc<Snapshot> {
    let accounts = if tables.contains("[accounts.") { "" } else { "[accounts.alice]\n[accounts.bob]\n" };
    let text = format!(
        "version = 1\n{accounts}{tables}\n[defaults]\ntimezone = 'UTC'\naccounts = ['alice']\nstagger = '0s'\nchat = 1\n\
         steps = [{{ send = '/checkin' }}]\n"
    );
    let files = BTreeMap::from([("tgsignd.toml".to_owned(), FileContent::Bytes(text.into()))]);
    Arc::new(load(&Sources { files, environment: BTreeMap::new() }).unwrap().snapshot)
}

/// A kernel and what it asked for.
struct Stage {
    kernel: Kernel,
    now: DateTime<Utc>,
    /// Since when every pair has its schedule, unless the kernel is told otherwise.
    since: DateTime<Utc>,
    orders: Vec<RunOrder>,
    not_run: Vec<(String, NotRun, String)>,
    alarms: Vec<String>,
    closed: Vec<RunRecord>,
    recover: Vec<AccountName>,
}

impl Stage {
    fn new(start: &str, tables: &str) -> Self {
        Self::after(
            start,
            tables,
            Seeds { seed: Seed([7; 32]), positions: Vec::new(), open: Vec::new(), starts: Vec::new() },
        )
    }

    fn after(start: &str, tables: &str, seeds: Seeds) -> Self {
        let build = Build { version: String::new(), revision: None, rustc: None };
        let now = at(start);
        let mut stage = Self {
            kernel: Kernel::new(seeds, Status::new(build, now)),
            now,
            since: at("01T00:00:00"),
            orders: Vec::new(),
            not_run: Vec::new(),
            alarms: Vec::new(),
            closed: Vec::new(),
            recover: Vec::new(),
        };
        if stage.kernel.positions.is_empty() {
            stage.since = now;
        }
        stage.load(tables);
        stage
    }

    fn load(&mut self, tables: &str) {
        let snapshot = snapshot(tables);
        let pairs = snapshot
            .tasks
            .values()
            .flat_map(|task| task.accounts.iter().map(|account| ((task.name.clone(), account.clone()), self.since)));
        let active_since = pairs.collect();
        self.event(Event::Loaded { snapshot, active_since });
    }

    fn event(&mut self, event: Event) {
        for effect in self.kernel.handle(self.now, event) {
            match effect {
                Effect::Run(order) => self.orders.push(*order),
                Effect::NotRun { key, what, reason } => self.not_run.push((short(&key), what, reason)),
                Effect::Alarm(Alarm::NotDone { key, outcome, .. }) => {
                    self.alarms.push(format!("{} {outcome}", short(&key)));
                }
                Effect::Alarm(Alarm::DeadlinePassed { key }) => self.alarms.push(format!("{} deadline", short(&key))),
                Effect::Alarm(Alarm::LoggedOut { account, .. }) => self.alarms.push(format!("{account} logged out")),
                Effect::Close(record) => self.closed.push(*record),
                Effect::Recover { account } => self.recover.push(account),
                Effect::Delete { .. } => {}
            }
        }
    }

    /// Lets time pass as a daemon sees it: a tick at every deadline.
    fn until(&mut self, time: &str) {
        let end = at(time);
        while let Some(deadline) = self.kernel.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.event(Event::Tick);
        }
        self.now = end;
    }

    /// The clock is put to a time, or the machine slept until then.
    fn jump(&mut self, time: &str) {
        self.now = at(time);
        self.event(Event::Tick);
    }

    /// The orders since the last call, as `task/account@day-hour:minute:second work`.
    fn ordered(&mut self) -> Vec<String> {
        self.orders.drain(..).map(|order| words(&order)).collect()
    }

    /// The only order since the last call.
    fn order(&mut self) -> RunOrder {
        assert_eq!(self.orders.len(), 1, "{:?}", self.orders.iter().map(words).collect::<Vec<_>>());
        self.orders.pop().unwrap()
    }

    fn end(&mut self, order: &RunOrder, outcome: Outcome) -> RunRecord {
        let record = record(order, outcome, self.now);
        self.event(Event::Ended { record: Box::new(record.clone()), messages: Vec::new() });
        record
    }

    fn missed(&mut self) -> Vec<String> {
        self.not_run.drain(..).map(|(key, what, _)| format!("{key} {what:?}")).collect()
    }

    fn task(&mut self, name: &str) -> TaskStatus {
        self.kernel.status().tasks[name].as_ref().clone()
    }

    fn last_outcome(&mut self, task: &str) -> Option<Outcome> {
        let status = self.task(task);
        let pair = status.accounts.values().next()?;
        pair.last.as_ref().map(|last| last.outcome)
    }

    fn next(&mut self, task: &str) -> Option<String> {
        let task: TaskName = task.parse().unwrap();
        let pair = self.kernel.status().tasks.get(&task)?.accounts.values().next()?;
        Some(pair.next?.fire_at.format("%dT%H:%M:%S").to_string())
    }
}

fn short(key: &RunKey) -> String {
    format!("{}/{}@{}", key.task, key.account, key.slot.instant().format("%dT%H:%M"))
}

fn words(order: &RunOrder) -> String {
    let work = match &order.work {
        Work::First => order.trigger.as_str().to_owned(),
        Work::Again { attempt, .. } => format!("attempt {attempt}"),
        Work::Review { left_behind: None, .. } => "review".to_owned(),
        Work::Review { .. } => "take up".to_owned(),
    };
    format!("{} {work}", short(&order.key))
}

/// How an order ends now.
fn record(order: &RunOrder, outcome: Outcome, now: DateTime<Utc>) -> RunRecord {
    let mut record = RunRecord {
        run_id: match &order.work {
            Work::First => RunId::new(&order.key, order.fire_at),
            Work::Again { run_id, .. } | Work::Review { run_id, .. } => run_id.clone(),
        },
        key: order.key.clone(),
        trigger: order.trigger,
        fire_at: order.fire_at,
        claimed_at: order.fire_at,
        started_at: Some(now),
        ended_at: now,
        attempt: order.attempt(),
        outcome,
        reason: String::new(),
        evidence: serde_json::Value::Null,
        failed_step: None,
        resume_at: None,
    };
    // As the daemon does it: who asked for a run decides himself whether to ask again.
    if order.trigger != Trigger::Manual {
        record.resume_at = resume_at(&record, order.task.retry, None, true, now);
    }
    record
}

fn position(task: &str, last_slot: &str, success: Option<&str>) -> Position {
    let slot = Slot::at(at(last_slot));
    let key = RunKey { task: task.parse().unwrap(), account: "alice".parse().unwrap(), slot };
    Position {
        task: key.task.clone(),
        account: key.account.clone(),
        last_slot: Some(slot),
        last: success.map(|_| LastEnded {
            run_id: RunId::new(&key, slot.instant()),
            slot,
            ended_at: slot.instant(),
            outcome: Outcome::Succeeded,
            reason: String::new(),
            evidence: serde_json::Value::Null,
        }),
        last_success_at: success.map(at),
        consecutive_failures: 0,
        deadline_alarm: None,
    }
}

fn seeds(positions: impl IntoIterator<Item = Position>, open: Vec<ClaimHistory>) -> Seeds {
    Seeds { seed: Seed([7; 32]), positions: positions.into_iter().collect(), open, starts: Vec::new() }
}

/// A claim that is not closed, with the attempts that ended.
fn open(order: &RunOrder, attempts: Vec<RunRecord>) -> ClaimHistory {
    let claim = Claim {
        run_id: RunId::new(&order.key, order.fire_at),
        key: order.key.clone(),
        trigger: order.trigger,
        fire_at: order.fire_at,
        claimed_at: order.fire_at,
        script: serde_json::Value::Null,
    };
    ClaimHistory { claim, resume_at: attempts.last().and_then(|last| last.resume_at), attempts, journal: Vec::new() }
}

const MINUTE: TimeDelta = TimeDelta::minutes(1);
