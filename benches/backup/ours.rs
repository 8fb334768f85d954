//! The backup itself, in a process of its own, so that nothing else is counted.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tgsignd::backup::sync::{Access, Engine, History, Inputs, Outcome, Places, Reason, Secrets};
use tgsignd::config::secret::{Secret, SecretRef};
use tgsignd::config::{Backup, BackupKeys, Keep, WebdavCredentials};
use tgsignd::daemon::backup_formats::OwnFormats;
use tgsignd::ledger::{LedgerHandle, SqliteLedger};

use super::support::Process;

/// Looks at a data directory in which nothing changed.
const LOOKS: u32 = 50;

pub(super) const KEY: &str = "a text of more than thirty-two bytes";
const PASSWORD: &str = "hunter2";

/// What the process is told.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) datadir: PathBuf,
    pub(super) workdir: PathBuf,
    pub(super) url: String,
    pub(super) level: u32,
}

/// What it answers.
#[derive(Serialize, Deserialize)]
pub(super) struct Measured {
    /// Megabytes before anything was backed up.
    pub(super) idle: f64,
    /// Megabytes at most while it was.
    pub(super) peak: f64,
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
    /// Bytes of the new archives.
    pub(super) stored: u64,
    /// Processor time of one look.
    pub(super) look: Duration,
    /// Bytes sent by all looks.
    pub(super) look_sent: u64,
    /// Processor time of the first look after a start, which compares whole contents.
    pub(super) first_look: Duration,
    pub(super) first_look_sent: u64,
}

pub(super) fn measure(order: &Order) -> Measured {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(perform(order))
}

async fn perform(order: &Order) -> Measured {
    let database = order.datadir.join("state/state.db");
    let ledger = LedgerHandle::start(SqliteLedger::open(&database).unwrap(), &database).unwrap();
    let mut engine = open(order, &ledger).await;
    // Everything that any process does once: the first connection, the first listing.
    engine.survey().await.unwrap();
    let idle = Process::this().memory().resident;
    // See proc_pid_clear_refs(5): the peak is counted from here.
    fs::write("/proc/self/clear_refs", "5").unwrap();

    let (clock, before) = (Instant::now(), Process::this().cpu());
    let outcome = engine.commit(&inputs(order, &ledger, History::Include).await, Reason::Command).await.unwrap();
    let (wall, cpu) = (clock.elapsed(), Process::this().cpu().checked_sub(before).unwrap());
    let peak = Process::this().memory().peak;
    let Outcome::Committed(committed) = outcome else { panic!("there was nothing to back up") };

    let (sent, before) = (engine.traffic().sent, Process::this().cpu());
    for _ in 0..LOOKS {
        unchanged(&mut engine, order, &ledger).await;
    }
    let look = Process::this().cpu().checked_sub(before).unwrap() / LOOKS;
    let look_sent = engine.traffic().sent - sent;

    drop(engine);
    let mut engine = open(order, &ledger).await;
    let before = Process::this().cpu();
    unchanged(&mut engine, order, &ledger).await;
    let first_look = Process::this().cpu().checked_sub(before).unwrap();
    let first_look_sent = engine.traffic().sent;
    Measured { idle, peak, wall, cpu, stored: committed.bytes, look, look_sent, first_look, first_look_sent }
}

async fn unchanged(engine: &mut Engine, order: &Order, ledger: &LedgerHandle) {
    let outcome = engine.commit(&inputs(order, ledger, History::Include).await, Reason::Interval).await.unwrap();
    assert_eq!(outcome, Outcome::Unchanged);
}

async fn open(order: &Order, ledger: &LedgerHandle) -> Engine {
    let inline = |text: &str| SecretRef::Inline(Secret::new(text.to_owned()));
    let settings = Backup {
        credentials: Some(WebdavCredentials { username: "alice".to_owned(), password: inline(PASSWORD) }),
        remote_path: "/backup/".to_owned(),
        level: order.level,
        keep: Keep { last: 3, daily: 0, weekly: 0 },
        ..Backup::at(order.url.clone(), BackupKeys::Derived(inline(KEY)))
    };
    let secret = |text: &str| Some(Secret::new(text.to_owned()));
    let secrets = Secrets { password: secret(PASSWORD), key: secret(KEY), certificates: None };
    let places = Places { datadir: order.datadir.clone(), workdir: order.workdir.clone() };
    let instance = ledger.instance().await.unwrap();
    Engine::open(&settings, secrets, places, Access::Owner, Some(&instance), Arc::new(OwnFormats)).unwrap()
}

/// With the claims of the last two days in the core.
async fn inputs(order: &Order, ledger: &LedgerHandle, history: History) -> Inputs {
    let workdir = fs::read_dir(&order.workdir).unwrap().map(|entry| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    });
    let today = Utc::now().date_naive().and_time(chrono::NaiveTime::MIN);
    let since: DateTime<Utc> = today.and_utc() - TimeDelta::days(2);
    Inputs { workdir: workdir.collect(), since, history, ledger: Some(ledger.version().await.unwrap()) }
}
