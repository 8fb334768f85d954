//! Schedules, parsed once each.

use std::cell::RefCell;

use sha2::{Digest, Sha256};

use crate::config::document::Place;
use crate::schedule::{Parser, Schedule};

/// An entry of a schedule and where it stands.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    pub(super) place: Place<'a>,
    pub(super) text: &'a str,
}

/// The schedules parsed so far: tasks of one kind share theirs.
#[derive(Default)]
pub(in crate::config) struct Schedules(RefCell<Parser>);

impl Schedules {
    /// Reports every entry that is wrong.
    pub(super) fn parse(&self, entries: &[Entry<'_>]) -> Option<Schedule> {
        let texts: Vec<_> = entries.iter().map(|entry| entry.text).collect();
        match self.0.borrow_mut().parse(&texts) {
            Ok(schedule) => Some(schedule),
            Err(errors) => {
                for error in errors {
                    if let Some(entry) = entries.get(error.entry) {
                        entry.place.error_with_hint(error.message, error.hint);
                    }
                }
                None
            }
        }
    }
}

/// Digest of what decides which slots there are.
pub(super) fn fingerprint(entries: &[&str], zone: chrono_tz::Tz) -> String {
    let mut digest = Sha256::new();
    for text in entries.iter().copied().chain([zone.name()]) {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
