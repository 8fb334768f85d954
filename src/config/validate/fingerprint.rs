//! What decides a task's behaviour, as one hash.

use std::time::Duration;

use crate::schedule::Zone;
use chrono::NaiveTime;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::config::snapshot::{Fingerprint, RetryFrom, Task};
use crate::names::AccountName;
use crate::schedule::MissedPolicy;
use crate::script::Script;

/// Formatting, comments and the place in the files have no part in it. The order of the fields is that of the bytes that
/// are hashed: changing it makes every task look changed once.
#[derive(Serialize)]
struct Behaviour<'a> {
    enabled: bool,
    accounts: &'a [AccountName],
    slots: String,
    jitter: Duration,
    stagger: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_end: Option<NaiveTime>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    once_per_day: bool,
    missed: MissedPolicy,
    deadline: Option<NaiveTime>,
    timeout: Duration,
    attempts: u32,
    delay: Duration,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    retry_from_step: bool,
    #[serde(skip_serializing_if = "Duration::is_zero")]
    post_gap: Duration,
    chat: String,
    topic: Option<i32>,
    delete_after: Option<Duration>,
    script: &'a Script,
}

/// The fingerprint of what decides which slots there are, apart from the last success.
pub(super) fn of_schedule(zone: Zone, entries: &[&str]) -> Fingerprint {
    hash(&(zone.name(), entries))
}

/// [`of_schedule`] for slots that follow the last success.
pub(super) fn of_period(period: Duration) -> Fingerprint {
    hash(&("every", period.as_secs()))
}

/// The fingerprint of a task whose `schedule_fingerprint` is set.
pub(super) fn of_task(task: &Task) -> Fingerprint {
    hash(&Behaviour {
        enabled: task.enabled,
        accounts: &task.accounts,
        slots: task.schedule_fingerprint.to_string(),
        jitter: task.timing.jitter,
        stagger: task.timing.stagger,
        window_end: task.timing.window_end,
        once_per_day: task.once_per_day,
        missed: task.timing.missed,
        deadline: task.timing.deadline,
        timeout: task.timeout,
        attempts: task.retry.attempts,
        delay: task.retry.delay,
        retry_from_step: task.retry.from == RetryFrom::Step,
        post_gap: task.post_gap,
        chat: task.chat.to_string(),
        topic: task.topic,
        delete_after: task.delete_after,
        script: &task.script,
    })
}

fn hash(value: &impl Serialize) -> Fingerprint {
    #[expect(
        clippy::expect_used,
        reason = "only maps with keys that are no text cannot be written, and there are none"
    )]
    let bytes = serde_json::to_vec(value).expect("plain data is JSON");
    Fingerprint::from(<[u8; 32]>::from(Sha256::digest(bytes)))
}
