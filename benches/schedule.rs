//! What many tasks cost: loading, memory, finding the next slot, and a plan; beside a heap of croner's own schedules.
//!
//! `cargo bench --bench schedule` takes a few seconds; `-- --full` compares 100,000 tasks too, for which croner alone needs
//! more than half a gigabyte. Every measurement runs in a process of its own, so that memory is counted from nothing.

#![allow(clippy::disallowed_methods, reason = "outside of the pure modules")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark fails by panicking")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::process::Command;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use tgsignd::names::{AccountName, TaskName};
use tgsignd::schedule::{MissedPolicy, Parser, PlannedTask, Seed, Timing, fire_at, plan};

const ZONE: Tz = chrono_tz::Asia::Shanghai;
/// Slots that are looked up, and runs that are planned.
const EVENTS: usize = 20_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, command, variant, tasks] = &arguments[..]
        && command == "measure"
    {
        let tasks = tasks.parse().unwrap();
        let measured = if variant == "tgsignd" { measure_ours(tasks) } else { measure_croner(tasks) };
        return println!("{}", measured.map(|number| number.to_string()).join(" "));
    }
    let full = arguments.iter().any(|argument| argument == "--full");
    println!(
        "{:>8} {:>9} {:>10} {:>11} {:>11} {:>11}",
        "tasks", "", "load ms", "memory KB", "ns a next", "plan runs/s"
    );
    for tasks in [1_000, 10_000, 100_000] {
        let ours = in_child("tgsignd", tasks);
        print_row(tasks, "tgsignd", ours);
        if tasks < 100_000 || full {
            let croner = in_child("croner", tasks);
            print_row(tasks, "croner", croner);
            let [load, memory, next, runs] = std::array::from_fn(|index| ours[index] / croner[index]);
            println!("{tasks:>8} {:>9} {load:>10.2} {memory:>11.2} {next:>11.2} {runs:>11.2}", "ratio");
        }
    }
}

fn print_row(tasks: usize, variant: &str, [load, memory, next, runs]: [f64; 4]) {
    println!("{tasks:>8} {variant:>9} {load:>10.1} {memory:>11.0} {next:>11.0} {runs:>11.0}");
}

/// Milliseconds to load, kilobytes, nanoseconds for a next slot, and planned runs a second.
fn in_child(variant: &str, tasks: usize) -> [f64; 4] {
    let output =
        Command::new(std::env::current_exe().unwrap()).args(["measure", variant, &tasks.to_string()]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<f64> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn entry(task: usize) -> String {
    format!("{} {} * * *", task % 60, task / 60 % 24)
}

fn start() -> DateTime<Utc> {
    "2026-11-22T00:00:00Z".parse().unwrap()
}

#[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
fn numbers(loaded: Duration, memory: u64, looked_up: Duration, planned: Duration) -> [f64; 4] {
    [
        loaded.as_secs_f64() * 1e3,
        memory as f64,
        looked_up.as_secs_f64() * 1e9 / EVENTS as f64,
        EVENTS as f64 / planned.as_secs_f64(),
    ]
}

/// Resident memory of this process in kilobytes; 0 where there is no `/proc`.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

fn measure_ours(tasks: usize) -> [f64; 4] {
    let (before, clock) = (resident(), Instant::now());
    let mut parser = Parser::default();
    let timings: Vec<Timing> = (0..tasks)
        .map(|task| Timing {
            zone: ZONE,
            schedule: parser.parse(&[entry(task)]).unwrap(),
            jitter: Duration::from_mins(5),
            stagger: Duration::ZERO,
            missed: MissedPolicy::Skip,
            deadline: None,
        })
        .collect();
    let mut heap: BinaryHeap<_> =
        timings.iter().enumerate().map(|(task, timing)| Reverse((timing.next_after(start()).unwrap(), task))).collect();
    let (loaded, memory) = (clock.elapsed(), resident() - before);

    let clock = Instant::now();
    for _ in 0..EVENTS {
        let mut top = heap.peek_mut().unwrap();
        let Reverse((slot, task)) = *top;
        *top = Reverse((timings[task].next_after(slot.instant()).unwrap(), task));
    }
    let looked_up = clock.elapsed();

    let names: Vec<TaskName> = (0..tasks).map(|task| format!("t{task}").parse().unwrap()).collect();
    let accounts: [AccountName; 1] = ["alice".parse().unwrap()];
    let seed = Seed([7; 32]);
    let clock = Instant::now();
    let planned = names.iter().zip(&timings).map(|(name, timing)| PlannedTask { name, accounts: &accounts, timing });
    let runs = plan(planned, Some(&seed), start(), start() + TimeDelta::days(36_500)).take(EVENTS);
    let last = runs.last().unwrap();
    let planned = clock.elapsed();
    let index = names.iter().position(|name| *name == last.task).unwrap();
    assert_eq!(last.fire_at, fire_at(&seed, &last.task, &last.account, 0, last.slot, &timings[index]));
    numbers(loaded, memory, looked_up, planned)
}

fn measure_croner(tasks: usize) -> [f64; 4] {
    let next = |cron: &Cron, after: DateTime<Tz>| cron.find_next_occurrence(&after, false).unwrap();
    let first = start().with_timezone(&ZONE);
    let (before, clock) = (resident(), Instant::now());
    let schedules: Vec<Cron> = (0..tasks).map(|task| entry(task).parse().unwrap()).collect();
    let fill = || -> BinaryHeap<_> {
        schedules.iter().enumerate().map(|(task, cron)| Reverse((next(cron, first), task))).collect()
    };
    let mut heap = fill();
    let (loaded, memory) = (clock.elapsed(), resident() - before);

    let pop = |heap: &mut BinaryHeap<Reverse<(DateTime<Tz>, usize)>>| {
        let mut top = heap.peek_mut().unwrap();
        let Reverse((slot, task)) = *top;
        *top = Reverse((next(&schedules[task], slot), task));
    };
    let clock = Instant::now();
    (0..EVENTS).for_each(|_| pop(&mut heap));
    let looked_up = clock.elapsed();

    let clock = Instant::now();
    let mut heap = fill();
    (0..EVENTS).for_each(|_| pop(&mut heap));
    numbers(loaded, memory, looked_up, clock.elapsed())
}
