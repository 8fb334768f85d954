//! The schedule of a task.

use std::cell::RefCell;

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
        let errors = match self.0.borrow_mut().parse(&texts) {
            Ok(schedule) => return Some(schedule),
            Err(errors) => errors,
        };
        for error in errors {
            if let Some(entry) = entries.get(error.entry) {
                entry.place.error_with_hint(format!("schedule: {}", error.message), error.hint);
            }
        }
        None
    }
}
