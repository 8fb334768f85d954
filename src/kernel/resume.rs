//! Whether and when a slot is taken up again.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::record::RunRecord;
use crate::config::Retry;
use crate::script::Outcome;

/// When the chat's history is read again after a run that ended `unknown` (DESIGN, promise 2).
pub const REVIEWS: [Duration; 3] = [Duration::from_mins(1), Duration::from_mins(10), Duration::from_hours(1)];

/// No retry waits longer.
const LONGEST_DELAY: Duration = Duration::from_hours(1);

/// When the slot of an attempt that ended at `record.ended_at` is taken up again; `None` makes its outcome final.
///
/// `failed` is tried again as the task says; `unknown` is only ever looked at again, because the sign-in may have worked.
pub fn resume_at(record: &RunRecord, retry: Retry, sent_anything: bool, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match record.outcome {
        Outcome::Failed if record.attempt >= 1 && record.attempt < retry.attempts => {
            let doubled = retry.delay.saturating_mul(2_u32.saturating_pow(record.attempt - 1));
            Some(record.ended_at + doubled.min(LONGEST_DELAY.max(retry.delay)))
        }
        Outcome::Unknown if sent_anything => REVIEWS.iter().map(|delay| record.ended_at + *delay).find(|at| *at > now),
        _ => None,
    }
}
