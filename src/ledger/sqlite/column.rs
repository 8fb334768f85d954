//! Between columns and the types of the ledger.

use chrono::{DateTime, Utc};
use rusqlite::Row;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::fault::Fault;
use crate::ledger::Trigger;
use crate::names::{RunId, RunKey, Slot};
use crate::script::Outcome;

pub(super) fn from_instant(instant: DateTime<Utc>) -> i64 {
    instant.timestamp_micros()
}

pub(super) fn from_index(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

/// A row that is read by the names of its columns; `what` names it in errors.
pub(super) struct Reader<'a> {
    pub(super) row: &'a Row<'a>,
    pub(super) what: &'static str,
}

impl Reader<'_> {
    pub(super) fn text(&self, column: &str) -> Result<String, Fault> {
        Ok(self.row.get(column)?)
    }

    pub(super) fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, Fault> {
        let number: i64 = self.row.get(column)?;
        T::try_from(number).map_err(|_| self.unreadable(column, "out of range"))
    }

    pub(super) fn optional_index(&self, column: &str) -> Result<Option<usize>, Fault> {
        let number: Option<i64> = self.row.get(column)?;
        number.map(|number| usize::try_from(number).map_err(|_| self.unreadable(column, "out of range"))).transpose()
    }

    pub(super) fn optional_number(&self, column: &str) -> Result<Option<i64>, Fault> {
        Ok(self.row.get(column)?)
    }

    pub(super) fn instant(&self, column: &str) -> Result<DateTime<Utc>, Fault> {
        self.optional_instant(column)?.ok_or_else(|| self.unreadable(column, "no instant"))
    }

    pub(super) fn optional_instant(&self, column: &str) -> Result<Option<DateTime<Utc>>, Fault> {
        let micros: Option<i64> = self.row.get(column)?;
        let instant =
            |micros| DateTime::from_timestamp_micros(micros).ok_or_else(|| self.unreadable(column, "no instant"));
        micros.map(instant).transpose()
    }

    pub(super) fn slot(&self, column: &str) -> Result<Slot, Fault> {
        self.optional_slot(column)?.ok_or_else(|| self.unreadable(column, "no slot"))
    }

    pub(super) fn optional_slot(&self, column: &str) -> Result<Option<Slot>, Fault> {
        let seconds: Option<i64> = self.row.get(column)?;
        let slot = |seconds| Slot::from_unix_seconds(seconds).ok_or_else(|| self.unreadable(column, "no slot"));
        seconds.map(slot).transpose()
    }

    /// Anything that is made from a text.
    pub(super) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&self, column: &str) -> Result<T, Fault> {
        self.text(column)?.parse().map_err(|error: T::Err| self.unreadable(column, &error.to_string()))
    }

    pub(super) fn run_id(&self) -> Result<RunId, Fault> {
        self.parsed("run_id")
    }

    pub(super) fn key(&self) -> Result<RunKey, Fault> {
        Ok(RunKey { task: self.parsed("task")?, account: self.parsed("account")?, slot: self.slot("slot")? })
    }

    pub(super) fn outcome(&self) -> Result<Outcome, Fault> {
        self.optional_outcome()?.ok_or_else(|| self.unreadable("outcome", "none"))
    }

    pub(super) fn optional_outcome(&self) -> Result<Option<Outcome>, Fault> {
        let word: Option<String> = self.row.get("outcome")?;
        let outcome = |word: String| {
            let known = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == word);
            known.ok_or_else(|| self.unreadable("outcome", &word))
        };
        word.map(outcome).transpose()
    }

    pub(super) fn trigger(&self) -> Result<Trigger, Fault> {
        let word = self.text("trigger")?;
        Trigger::ALL
            .into_iter()
            .find(|trigger| trigger.as_str() == word)
            .ok_or_else(|| self.unreadable("trigger", &word))
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, Fault> {
        serde_json::from_str(&self.text(column)?).map_err(|error| self.unreadable(column, &error.to_string()))
    }

    /// `null` when the column is.
    pub(super) fn optional_json(&self, column: &str) -> Result<Value, Fault> {
        let text: Option<String> = self.row.get(column)?;
        let value =
            |text: String| serde_json::from_str(&text).map_err(|error| self.unreadable(column, &error.to_string()));
        text.map_or(Ok(Value::Null), value)
    }

    fn unreadable(&self, column: &str, cause: &str) -> Fault {
        let run = self.row.get::<_, String>("run_id").map(|run_id| format!(" of run {run_id}")).unwrap_or_default();
        Fault::Unreadable { what: format!("{column} in {}{run}", self.what), cause: cause.to_owned() }
    }
}
