//! How often models were asked today.

use std::sync::{Mutex, PoisonError};

use chrono::{NaiveDate, Utc};

use super::AskError;

/// Counts calls by the days of UTC, in memory: a restart begins anew.
#[derive(Debug)]
pub struct Budget {
    limit: Mutex<u32>,
    spent: Mutex<(NaiveDate, u32)>,
}

impl Budget {
    /// At most `limit` calls a day.
    pub fn new(limit: u32) -> Self {
        Self { limit: Mutex::new(limit), spent: Mutex::default() }
    }

    /// What was spent stays spent.
    pub fn set_limit(&self, limit: u32) {
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner) = limit;
    }

    /// Takes one call, if there is one left.
    pub fn spend(&self) -> Result<(), AskError> {
        self.spend_on(Utc::now().date_naive())
    }

    fn spend_on(&self, today: NaiveDate) -> Result<(), AskError> {
        let limit = *self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.0 != today {
            *spent = (today, 0);
        }
        if spent.1 >= limit {
            return Err(AskError::Spent(spent.1));
        }
        spent.1 += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_day_brings_new_calls() {
        let (today, tomorrow) = (NaiveDate::default(), NaiveDate::default().succ_opt().unwrap_or_default());
        let budget = Budget::new(2);
        let spend = |day| budget.spend_on(day).is_ok();
        assert_eq!([spend(today), spend(today), spend(today), spend(tomorrow)], [true, true, false, true]);
    }
}
