//! Everything that can be seen from outside, in one value: `/metrics`, `/healthz`, `tgsignd status` and systemd's status
//! line only ever read this.
//!
//! It is plain data and travels as JSON over the control socket. What is not known yet is `None`, never a made-up number.

mod backup;
mod counts;
mod histogram;
mod pairs;
mod reason;
mod shared_map;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::backup::{BackupResult, BackupRole, BackupStatus, BackupTotals, Check, Requests, Restored};
pub use self::counts::{Counted, Counts};
pub use self::histogram::Histogram;
pub use self::pairs::PairStatuses;
pub use self::reason::{DelayedReason, MissedReason, SkippedReason};
pub use self::shared_map::SharedMap;
use crate::names::{AccountName, RunId, RunKey, Slot, TaskName};
use crate::script::{Amount, Outcome};

/// One observation of the whole daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// What is running.
    pub build: Build,
    /// When the process began.
    pub started_at: DateTime<Utc>,
    /// When the loop last turned. `/livez` fails when this is older than [`HEARTBEAT_LIMIT`], so the loop has to turn at
    /// least every third of that even when nothing happens.
    pub heartbeat: DateTime<Utc>,
    /// SIGTERM came: no new claims.
    pub shutting_down: bool,
    /// The configuration in force and the last attempt to change it.
    pub config: ConfigStatus,
    /// How changes of the workdir are noticed; `None` before the watcher stands.
    pub watcher: Option<WatcherStatus>,
    /// The database.
    pub ledger: LedgerStatus,
    /// The copy elsewhere; `None` when there is none.
    #[serde(default)]
    pub backup: Option<BackupStatus>,
    /// Configured tasks, the disabled ones too. Shared, because a hundred thousand of them are published often and change
    /// one by one.
    pub tasks: SharedMap<TaskName, Arc<TaskStatus>>,
    /// Configured accounts.
    pub accounts: BTreeMap<AccountName, AccountStatus>,
    /// Runs that began and have not ended, oldest first.
    pub running: Vec<RunningRun>,
    /// What was counted since the process began.
    pub totals: Totals,
}

/// Age of the heartbeat at which the loop counts as stuck.
pub const HEARTBEAT_LIMIT: std::time::Duration = std::time::Duration::from_secs(90);

impl Status {
    /// The status of a process that has begun and done nothing yet.
    pub fn new(build: Build, now: DateTime<Utc>) -> Self {
        Self {
            build,
            started_at: now,
            heartbeat: now,
            shutting_down: false,
            config: ConfigStatus::default(),
            watcher: None,
            ledger: LedgerStatus::default(),
            backup: None,
            tasks: SharedMap::default(),
            accounts: BTreeMap::new(),
            running: Vec::new(),
            totals: Totals::default(),
        }
    }
}

/// What is running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Of the crate.
    pub version: String,
    /// Commit, when the build knew it.
    pub revision: Option<String>,
    /// Compiler, when the build knew it.
    pub rustc: Option<String>,
}

/// The configuration in force and the last attempt to change it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigStatus {
    /// Digest of the configuration in force; `None` as long as there is none.
    pub digest: Option<String>,
    /// When that configuration was accepted.
    pub accepted_at: Option<DateTime<Utc>>,
    /// Whether the last reading of the workdir was accepted; `None` before the first one.
    pub last_reload_accepted: Option<bool>,
    /// When the workdir was last read.
    pub last_reload_at: Option<DateTime<Utc>>,
    /// It came from `state/last-good`, because the workdir was refused at the start.
    pub from_last_good: bool,
    /// Why the last reading was refused, one line a diagnostic, with its position and without source text; empty when accepted.
    pub errors: Vec<String>,
    /// What the newest accepted edit changed, one line each; empty since the start.
    #[serde(default)]
    pub changes: Vec<String>,
    /// Keys that changed in the workdir and wait for a restart.
    pub restart_needed: Vec<String>,
}

/// How changes of the workdir are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatcherStatus {
    /// The mechanism.
    pub backend: WatcherBackend,
    /// Times the kernel's queue overflowed and everything was read again.
    pub overflows: u64,
}

/// The mechanism behind the watcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WatcherBackend {
    /// The operating system tells.
    Inotify,
    /// The folder is read at intervals.
    Poll,
}

impl WatcherBackend {
    /// Every mechanism.
    pub const ALL: [Self; 2] = [Self::Inotify, Self::Poll];

    /// The word used in metrics and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inotify => "inotify",
            Self::Poll => "poll",
        }
    }
}

/// The database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerStatus {
    /// It is open, and everything that a crash left behind has been taken up.
    pub ready: bool,
    /// The last call failed, and why; `None` after one that worked.
    pub error: Option<String>,
    /// Calls that failed.
    pub errors_total: u64,
    /// How big it is; measured now and then.
    pub sizes: Option<LedgerSizes>,
}

/// How big the database is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerSizes {
    /// Bytes of the main file.
    pub db_bytes: u64,
    /// Bytes of the write-ahead log; 0 when there is none.
    pub wal_bytes: u64,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
}

/// With more tasks than this, metrics only show sums and extremes.
pub const DETAILED_TASKS: usize = 2_000;

/// One configured task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// A disabled task has no slots.
    pub enabled: bool,
    /// Its accounts.
    pub accounts: PairStatuses,
    /// What was counted since the process began.
    #[serde(flatten)]
    pub counts: Counts,
    /// The longest time between two of the next slots; `None` without two, or when there are more than [`DETAILED_TASKS`].
    pub interval: Option<std::time::Duration>,
}

/// One account of one task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairStatus {
    /// What comes next; `None` for a disabled task or a schedule that has ended.
    pub next: Option<NextRun>,
    /// What was last; seeded from the ledger at the start.
    pub last: Option<Box<LastRun>>,
    /// When it last ended with an outcome that counts as done; seeded from the ledger at the start.
    pub last_success_at: Option<DateTime<Utc>>,
    /// Slots since then that were not done; skipped ones do not count.
    pub consecutive_failures: u32,
}

/// The next run of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextRun {
    /// The planned instant.
    pub slot: Slot,
    /// After jitter and stagger; also the next attempt of a slot that failed.
    pub fire_at: DateTime<Utc>,
    /// 1 for the first one of the slot.
    pub attempt: u32,
}

/// The last run of a pair, or the last slot that never became one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// Its row and its transcript.
    pub run_id: RunId,
    /// The planned instant.
    pub slot: Slot,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// How it ended.
    pub outcome: Outcome,
    /// One line for people.
    pub reason: String,
    /// The words that decided it, cut to a line.
    pub evidence: Option<String>,
    /// The numbers in them.
    #[serde(default)]
    pub amounts: Vec<Amount>,
}

/// One configured account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountStatus {
    /// Whether its session is logged in; `None` before Telegram was asked.
    pub authorized: Option<bool>,
    /// A connection is open.
    pub connected: bool,
    /// Telegram told it to wait until then.
    pub flood_wait_until: Option<DateTime<Utc>>,
    /// Runs that wait for their turn.
    pub queue_length: usize,
    /// The last failure of the connection or the login; `None` after one that worked.
    pub error: Option<String>,
}

/// One run in progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningRun {
    /// Its row and its transcript.
    pub run_id: RunId,
    /// What it is for.
    pub key: RunKey,
    /// Of the slot, from 1.
    pub attempt: u32,
    /// When its first step began; `None` while it waits for its account.
    pub started_at: Option<DateTime<Utc>>,
}

/// What was counted since the process began, and belongs to no task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Readings of the workdir that changed the configuration.
    pub reloads_accepted: u64,
    /// Readings of the workdir that were refused.
    pub reloads_rejected: u64,
    /// Errors that Telegram answered with, by code (`420` is a flood wait).
    pub rpc_errors: BTreeMap<i32, u64>,
    /// Alarms that were raised, by kind.
    #[serde(default)]
    pub alarms: BTreeMap<String, u64>,
    /// Connections that were opened again after they broke.
    pub reconnects: u64,
    /// Times the wall clock jumped against the monotonic one.
    pub clock_steps: u64,
    /// Turns of the ticker.
    pub ticks: u64,
    /// Seconds from the first step of a run to its end.
    pub run_duration: Histogram,
    /// Seconds from the instant a run was to begin to the instant it began.
    pub schedule_lag: Histogram,
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            reloads_accepted: 0,
            reloads_rejected: 0,
            rpc_errors: BTreeMap::new(),
            alarms: BTreeMap::new(),
            reconnects: 0,
            clock_steps: 0,
            ticks: 0,
            run_duration: Histogram::new(&[0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0]),
            schedule_lag: Histogram::new(&[0.1, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 21600.0]),
        }
    }
}
