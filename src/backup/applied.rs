//! What was applied from the inbox: part of the backup, so that a restore does not make an old letter a new one.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// When that had been pushed which was applied last, by what it was: older ones are replays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied(BTreeMap<String, DateTime<Utc>>);

impl Applied {
    /// Reads what [`Applied::to_bytes`] wrote; `None` for anything else.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A map with text as keys can always be written.
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }

    /// Whether `subject`, pushed at `time`, is no newer than what was applied.
    pub fn covers(&self, subject: &str, time: DateTime<Utc>) -> bool {
        self.0.get(subject).is_some_and(|applied| *applied >= time)
    }

    /// `subject`, pushed at `time`, is in force.
    pub fn add(&mut self, subject: &str, time: DateTime<Utc>) {
        let applied = self.0.entry(subject.to_owned()).or_insert(time);
        *applied = time.max(*applied);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_counts_once_also_after_it_was_written_down() {
        let (now, second) = (DateTime::UNIX_EPOCH, chrono::TimeDelta::seconds(1));
        let mut applied = Applied::default();
        applied.add("workdir", now);
        applied.add("workdir", now - second);
        let applied = Applied::parse(&applied.to_bytes()).unwrap_or_default();
        assert!(applied.covers("workdir", now) && !applied.covers("workdir", now + second));
        assert!(!applied.covers("session of alice", now));
        assert_eq!(Applied::parse(b"[]"), None);
    }
}
