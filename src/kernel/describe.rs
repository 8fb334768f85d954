//! Keeping the observable status in step.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::engine::Kernel;
use super::pair::Pair;
use super::pairs::PairId;
use super::record::{Position, RunRecord};
use super::status::{Counted, DelayedReason, LastRun, MissedReason, NextRun, PairStatus, SkippedReason, Status};
use crate::config::{Snapshot, Task};
use crate::names::{AccountName, RunKey, TaskName};
use crate::script::{Amount, Outcome};

/// The evidence in `status` and in alarms is one line of a terminal.
const EVIDENCE_CHARACTERS: usize = 120;

/// Slots that are looked at for the interval of a task: a week of days and one more.
const SLOTS_OF_INTERVAL: usize = 8;

impl Kernel {
    /// A task that is new or was changed; counters of what stays go on.
    pub(super) fn describe(&mut self, now: DateTime<Utc>, task: &Task, in_detail: bool) {
        let status = Arc::make_mut(self.status.tasks.get_or_insert_with(&task.name, Arc::default));
        status.enabled = task.enabled;
        status.interval = if in_detail && task.enabled { interval(task, now) } else { None };
        let stays: BTreeSet<&AccountName> = task.accounts.iter().collect();
        status.accounts.retain(|name| stays.contains(name));
        for account in task.accounts.iter() {
            let position = || self.positions.get(&(task.name.clone(), account.clone()));
            let pair = status.accounts.get_or_insert_with(account, || seeded(position()));
            let known = self.pairs.find(&task.name, account).and_then(|id| self.pairs.get(id));
            pair.next = known.and_then(Pair::next_run);
        }
    }

    /// Drops what is gone, and adds accounts that are new.
    pub(super) fn describe_all(&mut self, snapshot: &Arc<Snapshot>) {
        self.status.accounts.retain(|name, _| snapshot.accounts.contains_key(name));
        for name in snapshot.accounts.keys() {
            self.status.accounts.entry(name.clone()).or_default();
        }
        if self.status.tasks.len() != snapshot.tasks.len() {
            self.status.tasks.retain(|name| snapshot.tasks.contains_key(name));
        }
    }

    pub(super) fn describe_next(&mut self, id: PairId) {
        let Some(pair) = self.pairs.get(id) else { return };
        if let Some(status) = status_of(&mut self.status, &pair.task.name, pair.account()) {
            status.next = pair.next_run();
        }
    }

    pub(super) fn remember_ended(&mut self, record: &RunRecord) {
        let closed = record.resume_at.is_none();
        let Some(pair) = status_of(&mut self.status, &record.key.task, &record.key.account) else { return };
        pair.last = Some(Box::new(LastRun {
            run_id: record.run_id.clone(),
            slot: record.key.slot,
            ended_at: record.ended_at,
            outcome: record.outcome,
            reason: record.reason.clone(),
            evidence: evidence_line(&record.evidence),
            amounts: amounts(&record.evidence),
        }));
        if record.outcome.is_done() {
            pair.last_success_at = Some(record.ended_at);
            pair.consecutive_failures = 0;
        } else if closed {
            pair.consecutive_failures += 1;
        }
    }

    /// An attempt of an earlier process, unless something ended after it.
    pub(super) fn remember_left_behind(&mut self, record: &RunRecord) {
        let known =
            status_of(&mut self.status, &record.key.task, &record.key.account).and_then(|pair| pair.last.as_ref());
        if known.is_none_or(|last| last.ended_at <= record.ended_at) {
            self.remember_ended(record);
        }
    }

    pub(super) fn count(&mut self, task: &TaskName, outcome: Outcome) {
        self.count_outcomes(task, outcome, 1);
    }

    /// The slots are those of the pair that the key names.
    pub(super) fn count_missed(&mut self, key: &RunKey, reason: MissedReason, slots: usize) {
        self.count_outcomes(&key.task, Outcome::Missed, slots);
        if let Some(counts) = self.counts(&key.task) {
            *counts.missed.entry(reason).or_default() += slots as u64;
        }
        if reason == MissedReason::Coalesced {
            return;
        }
        if let Some(pair) = status_of(&mut self.status, &key.task, &key.account) {
            let slots = u32::try_from(slots).unwrap_or(u32::MAX);
            pair.consecutive_failures = pair.consecutive_failures.saturating_add(slots);
        }
    }

    pub(super) fn count_skipped(&mut self, task: &TaskName, reason: SkippedReason, slots: usize) {
        if slots == 0 {
            return;
        }
        self.count_outcomes(task, Outcome::Skipped, slots);
        if let Some(counts) = self.counts(task) {
            *counts.skipped.entry(reason).or_default() += slots as u64;
        }
    }

    pub(super) fn count_delayed(&mut self, task: &TaskName, reason: DelayedReason) {
        if let Some(counts) = self.counts(task) {
            *counts.delayed.entry(reason).or_default() += 1;
        }
    }

    fn count_outcomes(&mut self, task: &TaskName, outcome: Outcome, slots: usize) {
        if let Some(counts) = self.counts(task) {
            *counts.outcomes.entry(outcome).or_default() += slots as u64;
        }
    }

    fn counts(&mut self, task: &TaskName) -> Option<&mut Counted> {
        let task = self.status.tasks.get_mut(task.as_str()).map(Arc::make_mut)?;
        Some(&mut task.counts)
    }
}

/// The status of a pair, to be changed: what was published keeps its own copy.
fn status_of<'a>(status: &'a mut Status, task: &TaskName, account: &AccountName) -> Option<&'a mut PairStatus> {
    let task = status.tasks.get_mut(task.as_str()).map(Arc::make_mut)?;
    task.accounts.get_mut(account.as_str())
}

/// The longest time between two of the next slots: a task of Monday to Friday rests for three days.
fn interval(task: &Task, now: DateTime<Utc>) -> Option<Duration> {
    if let Some(period) = task.timing.schedule.period() {
        return Some(period);
    }
    let slots: Vec<_> = task.timing.slots_between(now, DateTime::<Utc>::MAX_UTC).take(SLOTS_OF_INTERVAL).collect();
    slots.windows(2).filter_map(|pair| (pair[1].instant() - pair[0].instant()).to_std().ok()).max()
}

fn seeded(position: Option<&Position>) -> PairStatus {
    let Some(position) = position else { return PairStatus::default() };
    PairStatus {
        next: None,
        last: position.last.as_ref().map(|last| {
            Box::new(LastRun {
                run_id: last.run_id.clone(),
                slot: last.slot,
                ended_at: last.ended_at,
                outcome: last.outcome,
                reason: last.reason.clone(),
                evidence: evidence_line(&last.evidence),
                amounts: amounts(&last.evidence),
            })
        }),
        last_success_at: position.last_success_at,
        consecutive_failures: position.consecutive_failures,
    }
}

/// What decided, else the newest piece of evidence.
fn decisive(evidence: &serde_json::Value) -> Option<&serde_json::Value> {
    let all = evidence.as_array()?;
    all.iter().rfind(|one| one.get("rule").is_some_and(|rule| !rule.is_null())).or_else(|| all.last())
}

/// The numbers that were named there.
fn amounts(evidence: &serde_json::Value) -> Vec<Amount> {
    let amounts = decisive(evidence).and_then(|decisive| decisive.get("amounts"));
    amounts.and_then(|amounts| serde_json::from_value(amounts.clone()).ok()).unwrap_or_default()
}

/// The text that decided, else the newest one, on one line.
pub fn evidence_line(evidence: &serde_json::Value) -> Option<String> {
    let text = decisive(evidence)?.get("text")?.as_str()?;
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(line.chars().take(EVIDENCE_CHARACTERS).collect())
}

impl Pair {
    fn next_run(&self) -> Option<NextRun> {
        let waiting = self.waiting.as_ref().and_then(|waiting| {
            let again = waiting.outcome == Outcome::Failed;
            let fire_at = waiting.resume_at.filter(|_| again)?;
            Some(NextRun { slot: waiting.key.slot, fire_at, attempt: waiting.attempt + 1 })
        });
        let planned = self.planned.map(|planned| NextRun { slot: planned.slot, fire_at: planned.at, attempt: 1 });
        [waiting, planned].into_iter().flatten().min_by_key(|next| next.fire_at)
    }
}
