//! Metrics of tasks, and of their accounts.
//!
//! A task has about thirty series, so beyond [`DETAILED_TASKS`] tasks their series are folded into one set without `task` and
//! `account`: counters are summed, of the next run the earliest counts, of the last run the latest, of the last success the
//! oldest, of the failures the most. The usual alerts still fire then, they only no longer say for which task;
//! `tgsignd status` does. `tgsignd_task_series_aggregated` is 1 while this is so.

use std::collections::BTreeMap;

use super::family::{Family, Labels, Number, counters, gauge, gauges, histogram};
use super::label;
use crate::kernel::status::{
    DETAILED_TASKS, DelayedReason, MissedReason, PairStatus, SkippedReason, Status, TaskStatus,
};
use crate::names::{AccountName, TaskName};
use crate::script::Outcome;

pub(super) fn families(status: &Status) -> Vec<Family> {
    let tasks = &status.tasks;
    let aggregated = tasks.len() > DETAILED_TASKS;
    let enabled = tasks.values().filter(|task| task.enabled).count();
    let counts = [("enabled", enabled), ("disabled", tasks.len() - enabled)];
    let mut families = vec![
        gauges("tasks", "Configured tasks.", counts.map(|(state, count)| (label("state", state), count.into()))),
        gauge("task_series_aggregated", "1 when there are too many tasks for series of their own.", aggregated),
        gauge("runs_in_progress", "Runs that began and have not ended.", status.running.len()),
        histogram("run_duration_seconds", "From the first step of a run to its end.", &status.totals.run_duration),
        histogram(
            "schedule_lag_seconds",
            "From when a run was to begin to when it began.",
            &status.totals.schedule_lag,
        ),
    ];
    families.extend(if aggregated { together(status) } else { apart(status) });
    families
}

const ENABLED: (&str, &str) = ("task_enabled", "Whether the task has slots.");
const RUNS: (&str, &str) = ("runs", "Ended runs, and slots that were not run, by outcome.");
const MISSED: (&str, &str) = ("schedule_missed_runs", "Slots that were missed, by reason.");
const SKIPPED: (&str, &str) = ("schedule_skipped_runs", "Slots that were left out on purpose, by reason.");
const DELAYED: (&str, &str) = ("schedule_delayed_runs", "Runs that were held up, by reason.");
const INTERVAL: (&str, &str) = ("task_interval_seconds", "The longest time between two of the next slots.");
const NEXT: (&str, &str) = ("schedule_next_run_timestamp_seconds", "When the next run begins.");
const LAST: (&str, &str) = ("task_last_run_timestamp_seconds", "When the last run ended.");
const SUCCESS: (&str, &str) = ("task_last_success_timestamp_seconds", "When a run last ended as done.");
const FAILURES: (&str, &str) = ("task_consecutive_failures", "Slots not done since the last one that was.");

fn apart(status: &Status) -> Vec<Family> {
    let tasks = || status.tasks.iter();
    let outcomes = tasks().flat_map(|(name, task)| by_outcome(&label("task", name), &task.counts.outcomes));
    let missed = tasks().flat_map(|(name, task)| by_missed(&label("task", name), &task.counts.missed));
    let skipped = tasks().flat_map(|(name, task)| by_skipped(&label("task", name), &task.counts.skipped));
    let delayed = tasks().flat_map(|(name, task)| by_delayed(&label("task", name), &task.counts.delayed));
    let intervals = tasks().filter_map(|(name, task)| Some((label("task", name), task.interval?.as_secs().into())));
    vec![
        gauges(ENABLED.0, ENABLED.1, tasks().map(|(name, task)| (label("task", name), task.enabled.into()))),
        counters(RUNS.0, RUNS.1, outcomes),
        counters(MISSED.0, MISSED.1, missed),
        counters(SKIPPED.0, SKIPPED.1, skipped),
        counters(DELAYED.0, DELAYED.1, delayed),
        gauges(INTERVAL.0, INTERVAL.1, intervals),
        of_pairs(NEXT, status, |pair| Some(pair.next?.fire_at.into())),
        of_pairs(LAST, status, |pair| Some(pair.last.as_ref()?.ended_at.into())),
        of_pairs(SUCCESS, status, |pair| Some(pair.last_success_at?.into())),
        of_pairs(FAILURES, status, |pair| Some(pair.consecutive_failures.into())),
    ]
}

fn of_pairs(
    (name, help): (&'static str, &'static str),
    status: &Status,
    value: impl Fn(&PairStatus) -> Option<Number>,
) -> Family {
    let labels = |task: &TaskName, account: &AccountName| -> Labels {
        vec![("task", task.to_string()), ("account", account.to_string())]
    };
    let series = pairs(status).filter_map(|(task, account, pair)| Some((labels(task, account), value(pair)?)));
    gauges(name, help, series)
}

fn together(status: &Status) -> Vec<Family> {
    let all = || pairs(status).map(|(_, _, pair)| pair);
    let one = |(name, help): (&'static str, &'static str), value: Option<Number>| {
        gauges(name, help, value.map(|value| (vec![], value)))
    };
    vec![
        counters(RUNS.0, RUNS.1, by_outcome(&vec![], &sums(status, |task| &task.counts.outcomes))),
        counters(MISSED.0, MISSED.1, by_missed(&vec![], &sums(status, |task| &task.counts.missed))),
        counters(SKIPPED.0, SKIPPED.1, by_skipped(&vec![], &sums(status, |task| &task.counts.skipped))),
        counters(DELAYED.0, DELAYED.1, by_delayed(&vec![], &sums(status, |task| &task.counts.delayed))),
        one(NEXT, all().filter_map(|pair| Some(pair.next?.fire_at)).min().map(Into::into)),
        one(LAST, all().filter_map(|pair| Some(pair.last.as_ref()?.ended_at)).max().map(Into::into)),
        one(SUCCESS, all().filter_map(|pair| pair.last_success_at).min().map(Into::into)),
        one(FAILURES, all().map(|pair| pair.consecutive_failures).max().map(Into::into)),
    ]
}

fn pairs(status: &Status) -> impl Iterator<Item = (&TaskName, &AccountName, &PairStatus)> {
    status.tasks.iter().flat_map(|(name, task)| task.accounts.iter().map(move |(account, pair)| (name, account, pair)))
}

fn sums<K: Ord + Copy>(status: &Status, counts: impl Fn(&TaskStatus) -> &BTreeMap<K, u64>) -> BTreeMap<K, u64> {
    let mut sums = BTreeMap::new();
    for (key, count) in status.tasks.values().flat_map(|task| counts(task)) {
        *sums.entry(*key).or_default() += count;
    }
    sums
}

fn by_outcome(labels: &Labels, counts: &BTreeMap<Outcome, u64>) -> Vec<(Labels, Number)> {
    with(labels, "outcome", Outcome::ALL.map(|outcome| (outcome.as_str(), counts.get(&outcome))))
}

fn by_missed(labels: &Labels, counts: &BTreeMap<MissedReason, u64>) -> Vec<(Labels, Number)> {
    with(labels, "reason", MissedReason::ALL.map(|reason| (reason.as_str(), counts.get(&reason))))
}

fn by_skipped(labels: &Labels, counts: &BTreeMap<SkippedReason, u64>) -> Vec<(Labels, Number)> {
    with(labels, "reason", SkippedReason::ALL.map(|reason| (reason.as_str(), counts.get(&reason))))
}

fn by_delayed(labels: &Labels, counts: &BTreeMap<DelayedReason, u64>) -> Vec<(Labels, Number)> {
    with(labels, "reason", DelayedReason::ALL.map(|reason| (reason.as_str(), counts.get(&reason))))
}

fn with<const N: usize>(
    labels: &Labels,
    name: &'static str,
    counts: [(&'static str, Option<&u64>); N],
) -> Vec<(Labels, Number)> {
    let series = |(value, count): (&str, Option<&u64>)| {
        let mut labels = labels.clone();
        labels.push((name, value.to_owned()));
        (labels, count.copied().unwrap_or(0).into())
    };
    counts.map(series).into()
}
