//! What decides a task's behaviour, as one hash.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::config::snapshot::Task;
use crate::config::source::hexadecimal;
use crate::schedule::MissedPolicy;
use crate::script::Script;

/// Formatting, comments and the place in the files have no part in it. The order of the fields is that of the bytes that
/// are hashed: changing it makes every task look changed once.
#[derive(Serialize)]
struct Behaviour<'a> {
    enabled: bool,
    accounts: &'a [crate::names::AccountName],
    schedule: &'a [&'a str],
    zone: &'a str,
    jitter: std::time::Duration,
    stagger: std::time::Duration,
    missed: MissedPolicy,
    deadline: Option<chrono::NaiveTime>,
    timeout: std::time::Duration,
    attempts: u32,
    delay: std::time::Duration,
    chat: String,
    topic: Option<i32>,
    delete_after: Option<std::time::Duration>,
    script: &'a Script,
}

/// The fingerprint of a task with this schedule.
pub(super) fn fingerprint(task: &Task, schedule: &[&str]) -> String {
    let behaviour = Behaviour {
        enabled: task.enabled,
        accounts: &task.accounts,
        schedule,
        zone: task.timing.zone.name(),
        jitter: task.timing.jitter,
        stagger: task.timing.stagger,
        missed: task.timing.missed,
        deadline: task.timing.deadline,
        timeout: task.timeout,
        attempts: task.retry.attempts,
        delay: task.retry.delay,
        chat: task.chat.to_string(),
        topic: task.topic,
        delete_after: task.delete_after,
        script: &task.script,
    };
    #[expect(clippy::expect_used, reason = "no map with other keys than text, nothing that writes can fail")]
    let bytes = serde_json::to_vec(&behaviour).expect("plain data is JSON");
    hexadecimal(&Sha256::digest(bytes))
}
