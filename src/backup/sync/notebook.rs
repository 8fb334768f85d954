//! `state/backup-notes.json`: what is worth remembering and may be lost: counters, times, what the server proved to do.

use std::path::{Path, PathBuf};
use std::{fs, io};

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::error::SyncError;
use crate::backup::position::write_durably;
use crate::backup::remote::Capabilities;

/// Bytes of bodies in one calendar month (UTC), retries included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Month {
    /// `year * 100 + month`.
    pub month: i32,
    /// Sent to the server.
    pub sent: u64,
    /// Received from it.
    pub received: u64,
}

/// The notes. None of them decides whether something is overwritten or deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notebook {
    /// The current month's traffic.
    pub month: Month,
    /// When the history part was last found up to date or uploaded.
    pub history_at: Option<DateTime<Utc>>,
    /// When a whole generation was last opened and verified here.
    pub drilled_at: Option<DateTime<Utc>>,
    /// When that last failed, for a reason that lies in the backup or its keys.
    pub drill_failed_at: Option<DateTime<Utc>>,
    /// How often the server's validators and the digest of the head disagreed.
    pub disagreements: u64,
    /// What the server proved to do, and where that was.
    pub probed: Option<(String, Capabilities)>,
}

impl Notebook {
    fn file(datadir: &Path) -> PathBuf {
        datadir.join("state").join("backup-notes.json")
    }

    /// The notes of a data directory; new ones where there are none that can be read, which the log tells.
    pub fn load(datadir: &Path) -> Self {
        let file = Self::file(datadir);
        let read = match fs::read(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::default(),
            Err(error) => Err(error.to_string()),
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
        };
        read.unwrap_or_else(|error| {
            warn!(%error, file = %file.display(), "the notes about the backup cannot be read and are begun anew: this month's traffic is counted from zero, and the server is tried out again");
            Self::default()
        })
    }

    /// The last drill, and whether the generation was sound.
    pub fn last_drill(&self) -> Option<(DateTime<Utc>, bool)> {
        let passed = self.drilled_at.map(|at| (at, true));
        passed.max(self.drill_failed_at.map(|at| (at, false)))
    }

    pub(super) fn save(&self, datadir: &Path) -> Result<(), SyncError> {
        let file = Self::file(datadir);
        write_durably(&file, &serde_json::to_vec_pretty(self).unwrap_or_default()).map_err(SyncError::disk(file))
    }

    /// Counts traffic for the month of `now`.
    pub(super) fn count(&mut self, now: DateTime<Utc>, sent: u64, received: u64) {
        let month = now.year() * 100 + now.month().cast_signed();
        if self.month.month != month {
            self.month = Month { month, ..Month::default() };
        }
        self.month.sent += sent;
        self.month.received += received;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn traffic_is_counted_by_calendar_month() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let mut notebook = Notebook::default();
        notebook.count(at("2026-11-30T23:59:59Z"), 10, 1);
        notebook.count(at("2026-11-30T23:59:59Z"), 5, 0);
        assert_eq!(notebook.month, Month { month: 202_611, sent: 15, received: 1 });
        notebook.count(at("2026-12-01T00:00:00Z"), 2, 0);
        assert_eq!(notebook.month, Month { month: 202_612, sent: 2, received: 0 });
    }

    #[test]
    fn the_last_drill_is_the_later_one() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().ok();
        let (early, late) = (at("2026-11-01T00:00:00Z"), at("2026-11-02T00:00:00Z"));
        let last =
            |drilled_at, drill_failed_at| Notebook { drilled_at, drill_failed_at, ..Notebook::default() }.last_drill();
        assert_eq!(last(None, None), None);
        assert_eq!(last(early, late), late.map(|at| (at, false)));
        assert_eq!(last(late, early), late.map(|at| (at, true)));
        assert_eq!(last(early, None), early.map(|at| (at, true)));
    }

    #[test]
    fn notes_come_back_and_damaged_ones_are_begun_anew() {
        let datadir = tempfile::tempdir().unwrap();
        fs::create_dir(datadir.path().join("state")).unwrap();
        let mut notebook = Notebook::load(datadir.path());
        notebook.disagreements = 3;
        notebook.save(datadir.path()).unwrap();
        assert_eq!(Notebook::load(datadir.path()), notebook);
        fs::write(Notebook::file(datadir.path()), "{").unwrap();
        assert_eq!(Notebook::load(datadir.path()), Notebook::default());
    }
}
