//! The seam to [`crate::schedule`].

use chrono_tz::Tz;

use crate::config::document::Place;

/// An entry of a schedule and where it stands.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    pub(super) place: Place<'a>,
    pub(super) text: &'a str,
}

/// The schedules parsed so far: tasks of one kind share theirs.
#[derive(Default)]
pub(in crate::config) struct Schedules;

impl Schedules {
    /// Reports every entry that is wrong.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the seam")]
    pub(super) fn parse(&self, _entries: &[Entry<'_>], _zone: Tz) -> Option<()> {
        Some(())
    }
}
