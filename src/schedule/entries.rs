//! A schedule: several entries, merged into one sequence of slots.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use chrono_tz::Tz;

use super::rule::Rule;
use super::syntax::{self, Mistake};
use crate::names::Slot;

/// The years that croner searches; it may give up in the year 5000 itself.
const YEARS: RangeInclusive<i32> = 1..=4_999;

/// Why an entry of a schedule is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}: {hint}")]
pub struct ScheduleError {
    /// Position of the entry, from 0.
    pub entry: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

/// Parses schedules and keeps one copy of equal entries, for many tasks that run at the same time: a parsed cron expression
/// takes more than 5 KB.
#[derive(Debug, Default)]
pub struct Parser {
    rules: BTreeMap<String, Arc<Rule>>,
}

impl Parser {
    /// Reads the entries of one schedule and returns all errors at once. No entries at all are an error too.
    pub fn parse(&mut self, entries: &[impl AsRef<str>]) -> Result<Schedule, Vec<ScheduleError>> {
        let mut rules: Vec<Arc<Rule>> = Vec::with_capacity(entries.len());
        let mut errors = Vec::new();
        for (entry, text) in entries.iter().enumerate() {
            match self.rule(text.as_ref()) {
                Ok(rule) if rules.iter().any(|known| Arc::ptr_eq(known, &rule)) => {}
                Ok(rule) => rules.push(rule),
                Err(Mistake { message, hint }) => errors.push(ScheduleError { entry, message, hint }),
            }
        }
        if entries.is_empty() {
            let message = "the schedule has no entries".to_owned();
            errors.push(ScheduleError { entry: 0, message, hint: "write a time such as \"06:00\"".to_owned() });
        }
        if errors.is_empty() { Ok(Schedule { rules: rules.into() }) } else { Err(errors) }
    }

    fn rule(&mut self, text: &str) -> Result<Arc<Rule>, Mistake> {
        let fields = syntax::normalize(text)?;
        if let Some(rule) = self.rules.get(&fields) {
            return Ok(Arc::clone(rule));
        }
        let rule = Arc::new(Rule::parse(&fields)?);
        self.rules.insert(fields, Arc::clone(&rule));
        Ok(rule)
    }
}

/// The planned wall clock times of a task; a zone makes them [slots](Slot). See the [module](super) for the syntax and the
/// daylight-saving policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    rules: Arc<[Arc<Rule>]>,
}

impl Schedule {
    /// Reads the entries of one schedule; [`Parser`] does it for many.
    pub fn parse(entries: &[impl AsRef<str>]) -> Result<Self, Vec<ScheduleError>> {
        Parser::default().parse(entries)
    }

    /// The first slot strictly after `after`; `None` when `after` or the slot is not within the years 1 to 4999.
    pub fn next_after(&self, zone: Tz, after: DateTime<Utc>) -> Option<Slot> {
        if !YEARS.contains(&after.year()) {
            return None;
        }
        let second = Slot::at(after).instant();
        self.rules.iter().filter_map(|rule| rule.next_after(zone, second)).min().map(Slot::at)
    }

    /// The slots in `from..until`, found one by one.
    pub fn slots_between(&self, zone: Tz, from: DateTime<Utc>, until: DateTime<Utc>) -> impl Iterator<Item = Slot> {
        let first = self.next_after(zone, just_before(from));
        std::iter::successors(first, move |slot| self.next_after(zone, slot.instant()))
            .take_while(move |slot| slot.instant() < until)
    }

    /// The last slot in `not_before..=now`.
    ///
    /// The work grows with the logarithm of the distance, not with the number of slots.
    pub fn last_at_or_before(&self, zone: Tz, now: DateTime<Utc>, not_before: DateTime<Utc>) -> Option<Slot> {
        let reached = |slot: &Slot| slot.instant() <= now;
        let first = self.next_after(zone, just_before(not_before)).filter(reached)?;
        // Nearer and nearer to `now`: there is a slot at or after `found`, and none after `bound`.
        let mut found = first;
        let mut bound = now.timestamp();
        while found.unix_seconds() < bound {
            let middle = bound - (bound - found.unix_seconds()) / 2;
            match Slot::from_unix_seconds(middle - 1).and_then(|before| self.next_after(zone, before.instant())) {
                Some(slot) if reached(&slot) => found = slot,
                _ => bound = middle - 1,
            }
        }
        Some(found)
    }
}

fn just_before(instant: DateTime<Utc>) -> DateTime<Utc> {
    instant.checked_sub_signed(TimeDelta::nanoseconds(1)).unwrap_or(instant)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn tasks_loaded_together_share_equal_entries() {
        let mut parser = Parser::default();
        let mut parse = |entry: &str| parser.parse(&[entry]).unwrap();
        let (one, other, apart) = (parse("06:00"), parse("0 6 * * *"), parse("06:01"));
        assert!(Arc::ptr_eq(&one.rules[0], &other.rules[0]));
        assert_eq!(one, other);
        assert_ne!(one, apart);
        assert_eq!(format!("{apart:?}"), r#"Schedule { rules: ["0 1 6 * * *"] }"#);
    }
}
