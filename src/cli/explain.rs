//! What `check --explain` says of each task: its schedule in words, and the next slots in local time.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::config::Snapshot;
use crate::names::TaskName;
use crate::schedule::describe;

/// Slots shown for each task.
const SLOTS: usize = 3;

/// One task.
#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    task: TaskName,
    enabled: bool,
    /// When, in words.
    runs: String,
    /// The next slots as RFC 3339 in the offset of the task's zone; none when they follow the last success.
    next: Vec<String>,
}

/// Explains every task, the disabled ones too.
pub(super) fn explain(snapshot: &Snapshot, now: DateTime<Utc>) -> Vec<Explanation> {
    let tasks = snapshot.tasks.values().map(|task| {
        let slots = task.timing.slots_between(now, DateTime::<Utc>::MAX_UTC).take(SLOTS);
        let local = |instant: DateTime<Utc>| {
            instant.with_timezone(&task.timing.zone).to_rfc3339_opts(SecondsFormat::Secs, false)
        };
        Explanation {
            task: task.name.clone(),
            enabled: task.enabled,
            runs: describe(&task.timing),
            next: slots.map(|slot| local(slot.instant())).collect(),
        }
    });
    tasks.collect()
}

impl Explanation {
    /// A line for the task and one for each slot.
    pub(super) fn text(&self) -> String {
        let disabled = if self.enabled { "" } else { " (disabled)" };
        let next: String = self.next.iter().map(|slot| format!("    {slot}\n")).collect();
        format!("{}{disabled}: {}\n{next}", self.task, self.runs)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{FileContent, Sources, load};

    #[test]
    fn every_task_is_told_in_words_and_local_time() {
        let text = r#"
            version = 1
            [accounts.alice]
            [defaults]
            timezone = "Europe/Berlin"
            chat = "@some_bot"
            steps = [{ send = "/checkin" }]
            [tasks.days]
            schedule = "30 2 1,15 * 5"
            [tasks.often]
            every = "20h"
            enabled = false
            [tasks.window]
            between = ["23:00", "01:30"]
        "#;
        let files = BTreeMap::from([("tgsignd.toml".to_owned(), FileContent::Bytes(text.into()))]);
        let snapshot = load(&Sources { files, environment: BTreeMap::new() }).unwrap().snapshot;
        let told: String =
            explain(&snapshot, "2027-03-26T00:00:00Z".parse().unwrap()).iter().map(Explanation::text).collect();
        let expected = "\
days: at 02:30 on day 1 and 15 of the month or on Friday (Europe/Berlin)
    2027-03-26T02:30:00+01:00
    2027-04-01T02:30:00+02:00
    2027-04-02T02:30:00+02:00
often (disabled): 20h after the last success (Europe/Berlin)
window: at 23:00 every day, drawn in the time until 01:30 (Europe/Berlin)
    2027-03-26T23:00:00+01:00
    2027-03-27T23:00:00+01:00
    2027-03-28T23:00:00+02:00
";
        assert_eq!(told, expected);
    }
}
