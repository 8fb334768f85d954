//! Whether and when a slot is taken up again.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::record::{ClaimHistory, JournalEntry, RunRecord};
use crate::config::Retry;
use crate::script::{JournalMark, Outcome};

/// When the chat's history is read again after a run that ended `unknown` (DESIGN, promise 2).
pub const REVIEWS: [Duration; 3] = [Duration::from_mins(1), Duration::from_mins(10), Duration::from_hours(1)];

/// No retry waits longer.
const LONGEST_DELAY: Duration = Duration::from_hours(1);

/// When the slot of an attempt that ended at `record.ended_at` is taken up again; `None` makes its outcome final.
///
/// `failed` is tried again as the task says, until `window_end`; `unknown` is only ever looked at again, because the sign-in
/// may have worked.
pub fn resume_at(
    record: &RunRecord,
    retry: Retry,
    window_end: Option<DateTime<Utc>>,
    sent_anything: bool,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    match record.outcome {
        Outcome::Failed if record.attempt >= 1 && record.attempt < retry.attempts => {
            let doubled = retry.delay.saturating_mul(2_u32.saturating_pow(record.attempt - 1));
            let at = record.ended_at + doubled.min(LONGEST_DELAY.max(retry.delay));
            Some(at).filter(|at| window_end.is_none_or(|end| *at <= end))
        }
        Outcome::Unknown if sent_anything => REVIEWS.iter().map(|delay| record.ended_at + *delay).find(|at| *at > now),
        _ => None,
    }
}

/// The traces with which a further attempt goes on behind what the last one did, and not at the first step: those up to the step
/// that could not be done. None when it is not known which that was, or nothing was done before it.
pub fn inherited(history: &ClaimHistory) -> Vec<JournalEntry> {
    let Some(last) = history.attempts.last() else { return Vec::new() };
    let Some(failed) = last.failed_step else { return Vec::new() };
    let of_last = history.journal.iter().filter(|entry| entry.attempt == last.attempt);
    let mut entries: Vec<JournalEntry> = of_last.filter(|entry| entry.mark.step() < failed).cloned().collect();
    // An optional step that was refused: it began, and surely nothing came of it.
    while entries.last().is_some_and(|entry| matches!(entry.mark, JournalMark::Begun { .. })) {
        entries.pop();
    }
    entries
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use super::*;
    use crate::config::RetryFrom;
    use crate::kernel::record::{Claim, JournalEntry, Trigger};
    use crate::names::{RunId, RunKey, Slot};

    fn at(minute: u32) -> DateTime<Utc> {
        format!("2027-03-01T06:{minute:02}:00Z").parse().unwrap()
    }

    fn record(outcome: Outcome, attempt: u32, failed_step: Option<usize>) -> RunRecord {
        let key = RunKey { task: "t".parse().unwrap(), account: "alice".parse().unwrap(), slot: Slot::at(at(0)) };
        RunRecord {
            run_id: RunId::new(&key, at(0)),
            key,
            trigger: Trigger::Scheduled,
            fire_at: at(0),
            claimed_at: at(0),
            started_at: Some(at(0)),
            ended_at: at(1),
            attempt,
            outcome,
            reason: String::new(),
            evidence: serde_json::Value::Null,
            failed_step,
            resume_at: None,
        }
    }

    #[test]
    fn only_failures_are_tried_again_and_only_within_the_window() {
        let retry = Retry { attempts: 3, delay: Duration::from_mins(10), from: RetryFrom::Start };
        let again = |outcome, attempt, end| resume_at(&record(outcome, attempt, None), retry, end, true, at(1));
        assert_eq!(again(Outcome::Failed, 1, None), Some(at(11)));
        assert_eq!(again(Outcome::Failed, 2, None), Some(at(21)));
        assert_eq!(again(Outcome::Failed, 3, None), None);
        assert_eq!(again(Outcome::Failed, 1, Some(at(11))), Some(at(11)));
        assert_eq!(again(Outcome::Failed, 2, Some(at(20))), None);
        assert_eq!(again(Outcome::AlreadyDone, 1, None), None);
        assert_eq!(again(Outcome::Unknown, 1, Some(at(0))), Some(at(2)), "only looked at again, whatever the window");
        let patient = Retry { delay: Duration::from_mins(50), attempts: 9, ..retry };
        let waited = resume_at(&record(Outcome::Failed, 8, None), patient, None, true, at(1)).unwrap() - at(1);
        assert_eq!(waited.to_std().unwrap(), LONGEST_DELAY);
    }

    #[test]
    fn an_attempt_goes_on_behind_what_was_done() {
        let mark = |mark| JournalEntry { at: at(0), attempt: 1, mark, random_id: None };
        let begun =
            |step| JournalMark::Begun { step, date: 0, message: None, memory: crate::script::Memory::default() };
        let sent = |step| JournalMark::Sent { step, message_id: 10, date: 0 };
        let history = |failed_step, marks: Vec<JournalMark>| ClaimHistory {
            claim: Claim {
                run_id: record(Outcome::Failed, 1, None).run_id,
                key: record(Outcome::Failed, 1, None).key,
                trigger: Trigger::Scheduled,
                fire_at: at(0),
                claimed_at: at(0),
                script: serde_json::Value::Null,
            },
            resume_at: None,
            attempts: vec![record(Outcome::Failed, 1, failed_step)],
            journal: marks.into_iter().map(mark).collect(),
        };
        let steps =
            |history: &ClaimHistory| inherited(history).iter().map(|entry| entry.mark.step()).collect::<Vec<_>>();
        assert_eq!(steps(&history(Some(1), vec![begun(0), sent(0), begun(1)])), [0, 0]);
        assert_eq!(steps(&history(Some(2), vec![begun(0), sent(0), begun(1)])), [0, 0]);
        assert!(steps(&history(None, vec![begun(0), sent(0)])).is_empty());
        assert!(steps(&history(Some(0), vec![begun(0)])).is_empty());
    }
}
