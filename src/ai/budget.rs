//! How often models were asked today.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::AskError;

/// Counts calls by the days of UTC.
#[derive(Debug)]
pub struct Budget {
    limit: Mutex<u32>,
    spent: Mutex<Spent>,
    /// Where the count is kept, so that a restart does not begin anew.
    file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Spent {
    day: NaiveDate,
    calls: u32,
}

impl Budget {
    /// At most `limit` calls a day, counted in memory.
    pub fn new(limit: u32) -> Self {
        Self { limit: Mutex::new(limit), spent: Mutex::default(), file: None }
    }

    /// At most `limit` calls a day, counted in a file too. A file that cannot be read counts as none: it is only a count.
    pub fn kept(limit: u32, file: &Path) -> Self {
        let spent = match fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .inspect_err(|error| warn!(%error, file = %file.display(), "the count of model calls cannot be read"))
                .unwrap_or_default(),
            Err(_) => Spent::default(),
        };
        Self { limit: Mutex::new(limit), spent: Mutex::new(spent), file: Some(file.to_owned()) }
    }

    /// What was spent stays spent.
    pub fn set_limit(&self, limit: u32) {
        *lock(&self.limit) = limit;
    }

    /// Takes one call, if there is one left.
    pub fn spend(&self) -> Result<(), AskError> {
        self.spend_on(Utc::now().date_naive())
    }

    fn spend_on(&self, today: NaiveDate) -> Result<(), AskError> {
        let limit = *lock(&self.limit);
        let mut spent = lock(&self.spent);
        if spent.day != today {
            *spent = Spent { day: today, calls: 0 };
        }
        if spent.calls >= limit {
            return Err(AskError::Spent(spent.calls));
        }
        spent.calls += 1;
        if let Some(file) = &self.file
            && let Err(error) = keep(file, *spent)
        {
            warn!(%error, file = %file.display(), "the count of model calls cannot be kept");
        }
        Ok(())
    }
}

fn keep(file: &Path, spent: Spent) -> io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, serde_json::to_vec(&spent)?)?;
    fs::rename(new, file)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use super::*;

    fn days() -> (NaiveDate, NaiveDate) {
        (NaiveDate::default(), NaiveDate::default().succ_opt().unwrap())
    }

    #[test]
    fn a_new_day_brings_new_calls() {
        let (today, tomorrow) = days();
        let budget = Budget::new(2);
        let spend = |day| budget.spend_on(day).is_ok();
        assert_eq!([spend(today), spend(today), spend(today), spend(tomorrow)], [true, true, false, true]);
    }

    #[test]
    fn a_restart_brings_none() {
        let (today, tomorrow) = days();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model-calls.json");
        let spend = |day| Budget::kept(2, &file).spend_on(day).is_ok();
        assert_eq!([spend(today), spend(today), spend(today), spend(tomorrow)], [true, true, false, true]);
        fs::write(&file, "{").unwrap();
        assert!(spend(tomorrow), "a broken count costs no sign-in");
    }
}
