#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use std::io::Write;
use std::process::{Command, Stdio};

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::kernel::status::*;
use crate::names::{AccountName, RunId, RunKey, Slot, TaskName};
use crate::script::Outcome;

const GOLDEN: &str = "src/http/metrics/golden.prom";

pub(in crate::http) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

/// Two tasks, two accounts, and something in every field.
pub(in crate::http) fn busy_status() -> Status {
    let build = Build { version: "0.1.0".into(), revision: Some("abc123".into()), rustc: Some("1.95.0".into()) };
    let mut status = Status::new(build, now() - TimeDelta::hours(1));
    status.heartbeat = now();
    status.config = ConfigStatus {
        digest: Some("d1".into()),
        accepted_at: Some(now() - TimeDelta::minutes(30)),
        last_reload_accepted: Some(false),
        last_reload_at: Some(now()),
        changes: vec!["task t changed".into()],
        errors: vec!["tgsignd.toml:3:1: no".into()],
        restart_needed: vec!["http.listen".into()],
        ..ConfigStatus::default()
    };
    status.watcher = Some(WatcherStatus { backend: WatcherBackend::Inotify, overflows: 2 });
    let rows = [("claims".to_owned(), 3)].into();
    let sizes = Some(LedgerSizes { db_bytes: 40_960, wal_bytes: 0, rows });
    status.ledger = LedgerStatus { ready: true, sizes, ..LedgerStatus::default() };
    fill_accounts(&mut status);
    fill_tasks(&mut status);
    status.backup = Some(backup());
    status.totals.rpc_errors = [(420, 3), (-503, 1)].into();
    status.totals.alarms = [("missed".to_owned(), 1)].into();
    status.totals.reloads_rejected = 1;
    status.totals.run_duration.observe(4.5);
    status.totals.run_duration.observe(1e6);
    status.totals.schedule_lag.observe(0.05);
    status
}

fn fill_accounts(status: &mut Status) {
    let well = AccountStatus { authorized: Some(true), connected: true, queue_length: 1, ..AccountStatus::default() };
    let out = AccountStatus {
        authorized: Some(false),
        flood_wait_until: Some(now() + TimeDelta::milliseconds(90_500)),
        error: Some("AUTH_KEY_UNREGISTERED".into()),
        ..AccountStatus::default()
    };
    status.accounts = [("alice".parse().unwrap(), well), ("bob-2".parse().unwrap(), out)].into();
}

fn fill_tasks(status: &mut Status) {
    let account: AccountName = "alice".parse().unwrap();
    let task: TaskName = "签到_a".parse().unwrap();
    let key = RunKey { task: task.clone(), account: account.clone(), slot: Slot::at(now()) };
    let run_id = RunId::new(&key, now());
    let pair = PairStatus {
        next: Some(NextRun { slot: Slot::at(now()), fire_at: now() + TimeDelta::days(1), attempt: 1 }),
        last: Some(Box::new(LastRun {
            run_id: run_id.clone(),
            slot: key.slot,
            ended_at: now() - TimeDelta::days(1),
            outcome: Outcome::Failed,
            reason: "no button".into(),
            evidence: Some("维护中".into()),
            amounts: Vec::new(),
        })),
        last_success_at: Some(now() - TimeDelta::days(2)),
        consecutive_failures: 1,
    };
    let busy = TaskStatus {
        enabled: true,
        accounts: [(account, pair)].into_iter().collect(),
        counts: Counts::from(Counted {
            outcomes: [(Outcome::Failed, 1), (Outcome::Succeeded, 4)].into(),
            missed: [(MissedReason::WindowPassed, 1)].into(),
            skipped: [(SkippedReason::Overlap, 2)].into(),
            delayed: [(DelayedReason::Budget, 3)].into(),
        }),
        interval: Some(std::time::Duration::from_hours(24)),
    };
    let idle = ("idle-b".parse().unwrap(), Arc::new(TaskStatus::default()));
    status.tasks = [(task, Arc::new(busy)), idle].into_iter().collect();
    status.running = vec![RunningRun { run_id, key, attempt: 1, started_at: Some(now()) }];
}

fn backup() -> BackupStatus {
    let requests = [("PROPFIND", Some(207), 8), ("PUT", None, 1)];
    let requests =
        requests.map(|(method, status, count)| Requests { method: method.to_owned(), status, count }).to_vec();
    let mut totals = BackupTotals { uploaded_bytes: 4096, requests, ..BackupTotals::default() };
    totals.attempts = [(BackupResult::Committed, 3), (BackupResult::Failed, 1)].into();
    BackupStatus {
        role: BackupRole::Holder,
        generation: Some(7),
        generations: Some(3),
        last_success_at: Some(now() - TimeDelta::minutes(5)),
        last_size_bytes: Some(1024),
        unsaved_since: Some(now()),
        error: Some("the server is full".into()),
        drill: Some(Check { at: now() - TimeDelta::days(1), passed: true }),
        month_bytes: 8192,
        totals,
        ..BackupStatus::default()
    }
}

fn process() -> ProcessMetrics {
    ProcessMetrics { cpu_seconds: Some(1.5), resident_bytes: Some(1 << 20), threads: Some(4), ..Default::default() }
}

#[test]
fn the_page_is_the_golden_one() {
    let page = render(&busy_status(), &process());
    if std::env::var_os("TGSIGND_TEST_BLESS").is_some() {
        std::fs::write(GOLDEN, &page).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap();
    for (number, (found, expected)) in page.lines().zip(golden.lines()).enumerate() {
        assert_eq!(found, expected, "line {} of {GOLDEN}; TGSIGND_TEST_BLESS=1 writes it anew", number + 1);
    }
    assert_eq!(page.len(), golden.len());
}

#[test]
fn what_is_not_known_has_no_series() {
    let page = render(&Status::new(busy_status().build, now()), &ProcessMetrics::default());
    for absent in ["NaN", "-1", "Inf\n", "config_last_reload_successful ", "db_size_bytes ", "process_open_fds "] {
        assert!(!page.contains(absent), "{absent:?} in {page}");
    }
    assert!(page.contains("\ntgsignd_ticks_total 0\n") && page.ends_with("# EOF\n"), "{page}");
}

#[test]
fn a_histogram_counts_upwards_to_its_total() {
    let page = render(&busy_status(), &process());
    for line in
        ["bucket{le=\"2.5\"} 0", "bucket{le=\"5.0\"} 1", "bucket{le=\"600.0\"} 1", "bucket{le=\"+Inf\"} 2", "count 2"]
    {
        assert!(page.contains(&format!("\ntgsignd_run_duration_seconds_{line}\n")), "{line} in {page}");
    }
}

#[test]
fn too_many_tasks_share_their_series_and_say_so() {
    let mut status = busy_status();
    let failing = status.tasks.values().next_back().cloned().unwrap();
    let tasks = |count: usize| {
        let name = |number: usize| format!("task-{number}").parse::<TaskName>().unwrap();
        (0..count).map(|number| (name(number), Arc::clone(&failing))).collect()
    };
    status.tasks = tasks(DETAILED_TASKS);
    let apart = render(&status, &process());
    assert!(apart.contains("tgsignd_task_series_aggregated 0") && apart.contains("task=\"task-7\""));

    status.tasks = tasks(DETAILED_TASKS + 1);
    let (task, pair) = (TaskName::clone(status.tasks.keys().next().unwrap()), "alice".parse::<AccountName>().unwrap());
    let worst = Arc::make_mut(status.tasks.get_mut(&task).unwrap());
    let worst = worst.accounts.get_mut(pair.as_str()).unwrap();
    worst.consecutive_failures = 9;
    worst.last_success_at = Some(DateTime::from_timestamp(1000, 0).unwrap());
    let together = render(&status, &process());
    assert!(!together.contains("task="), "{together}");
    for line in [
        "task_series_aggregated 1",
        "tasks{state=\"enabled\"} 2001",
        "runs_total{outcome=\"succeeded\"} 8004",
        "schedule_missed_runs_total{reason=\"window_passed\"} 2001",
        "schedule_skipped_runs_total{reason=\"overlap\"} 4002",
        "task_consecutive_failures 9",
        "task_last_success_timestamp_seconds 1000",
        "schedule_next_run_timestamp_seconds 1790086400",
    ] {
        assert!(together.contains(&format!("\ntgsignd_{line}\n")), "{line} in {together}");
    }
}

/// promtool reads only the older text format, in which the family of a counter has the name of its samples.
fn as_old_text(page: &str) -> String {
    let counters: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    assert!(counters.len() > 5, "{counters:?}");
    let mut old = page.to_owned();
    for name in counters {
        old = old.replace(&format!("# HELP {name} "), &format!("# HELP {name}_total "));
        old = old.replace(&format!("# TYPE {name} "), &format!("# TYPE {name}_total "));
    }
    old
}

#[test]
fn promtool_finds_no_fault() {
    let command =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut promtool = match command {
        Ok(promtool) => promtool,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            assert!(std::env::var_os("TGSIGND_TEST_REQUIRE_TOOLS").is_none(), "promtool is not installed");
            println!("SKIPPED: promtool is not installed");
            return;
        }
        Err(error) => panic!("promtool cannot be started: {error}"),
    };
    let page = as_old_text(&render(&busy_status(), &process()));
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_status_survives_json() {
    let status = busy_status();
    let json = serde_json::to_string(&status).unwrap();
    assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), status);
}
