//! PURE: cron expressions, time zones, jitter, stagger and the missed-run policy become slots and fire instants.
//!
//! Nothing here reads a clock: `now` is always an argument.

use std::time::Duration;

use chrono::NaiveTime;
use serde::{Deserialize, Serialize};

/// What happens to a slot whose instant passed while the daemon could not run it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MissedPolicy {
    /// Record it as missed and alarm.
    Skip,
    /// Run the latest missed slot late, as long as no more than this has passed since the planned instant.
    RunOnce {
        /// From the planned instant.
        within: Duration,
    },
}

/// When a task runs.
#[derive(Debug, Clone)]
pub struct Timing {
    /// The IANA zone the schedule and the deadline are read in.
    pub zone: chrono_tz::Tz,
    /// Upper bound of the delay drawn for each slot and account.
    pub jitter: Duration,
    /// Distance between two accounts of the task.
    pub stagger: Duration,
    /// What happens to slots that could not be run in time.
    pub missed: MissedPolicy,
    /// First such local time after the slot: alarm when the task is not done by then.
    pub deadline: Option<NaiveTime>,
}
