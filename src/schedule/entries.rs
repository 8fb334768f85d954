//! A schedule: several entries, merged into one sequence of slots.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::Zone;
use chrono::{DateTime, Datelike, TimeDelta, Utc};

use super::rule::{Days, Rule};
use super::syntax::{self, Mistake};
use crate::names::Slot;

/// The years in which there are slots: croner searches no others, and may give up in the year 5000 itself.
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

/// Parses schedules and keeps one copy of equal ones, for many tasks that run at the same time.
#[derive(Debug, Default)]
pub struct Parser {
    days: Days,
    /// By their normalized fields.
    schedules: BTreeMap<Vec<String>, Schedule>,
    /// By their entries as written.
    written: BTreeMap<Vec<String>, Schedule>,
}

impl Parser {
    /// Reads the entries of one schedule and returns all errors at once. No entries at all are an error too.
    pub fn parse(&mut self, entries: &[impl AsRef<str>]) -> Result<Schedule, Vec<ScheduleError>> {
        let written: Vec<String> = entries.iter().map(|entry| entry.as_ref().to_owned()).collect();
        if let Some(known) = self.written.get(&written) {
            return Ok(known.clone());
        }
        let mut fields: Vec<String> = Vec::with_capacity(entries.len());
        let mut rules: Vec<Rule> = Vec::with_capacity(entries.len());
        let mut errors = Vec::new();
        for (entry, text) in entries.iter().enumerate() {
            match self.rule(text.as_ref()) {
                Ok(rule) if rules.contains(&rule) => {}
                Ok(rule) => {
                    fields.push(rule.fields().to_owned());
                    rules.push(rule);
                }
                Err(Mistake { message, hint }) => errors.push(ScheduleError { entry, message, hint }),
            }
        }
        if entries.is_empty() {
            let message = "the schedule has no entries".to_owned();
            errors.push(ScheduleError { entry: 0, message, hint: "write a time such as \"06:00\"".to_owned() });
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let schedule = self.schedules.entry(fields).or_insert_with(|| Schedule(Slots::Rules(rules.into())));
        let schedule = schedule.clone();
        self.written.insert(written, schedule.clone());
        Ok(schedule)
    }

    fn rule(&mut self, text: &str) -> Result<Rule, Mistake> {
        Rule::parse(&syntax::normalize(text)?, &mut self.days)
    }
}

/// The planned times of a task; a zone makes them [slots](Slot). See the [module](super) for the syntax and the
/// daylight-saving policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Slots);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Slots {
    Rules(Arc<[Rule]>),
    /// Whole periods after the anchor, both in seconds.
    Every {
        period: i64,
        anchor: Option<i64>,
    },
}

impl Schedule {
    /// Reads the entries of one schedule; [`Parser`] does it for many.
    pub fn parse(entries: &[impl AsRef<str>]) -> Result<Self, Vec<ScheduleError>> {
        Parser::default().parse(entries)
    }

    /// A schedule without wall clock times: whole periods after an anchor that is still to be given. Fractions of a second
    /// do not count, and the shortest period is a second.
    pub fn every(period: Duration) -> Self {
        let period = i64::try_from(period.as_secs()).unwrap_or(i64::MAX).max(1);
        Self(Slots::Every { period, anchor: None })
    }

    /// The distance of the slots of [`every`](Self::every).
    pub fn period(&self) -> Option<Duration> {
        match self.0 {
            Slots::Rules(_) => None,
            Slots::Every { period, .. } => Some(Duration::from_secs(period.unsigned_abs())),
        }
    }

    /// The entries as six normalized fields each.
    pub(super) fn normalized(&self) -> impl Iterator<Item = &str> {
        let rules: &[Rule] = match &self.0 {
            Slots::Rules(rules) => rules,
            Slots::Every { .. } => &[],
        };
        rules.iter().map(Rule::fields)
    }

    /// The schedule of [`every`](Self::every) counted from `anchor`; other schedules stay what they are.
    #[must_use]
    pub fn anchored(&self, anchor: DateTime<Utc>) -> Self {
        match &self.0 {
            Slots::Rules(_) => self.clone(),
            Slots::Every { period, .. } => Self(Slots::Every { period: *period, anchor: Some(anchor.timestamp()) }),
        }
    }

    /// The first slot strictly after `after`; `None` when `after` or the slot is not within the years 1 to 4999.
    pub fn next_after(&self, zone: Zone, after: DateTime<Utc>) -> Option<Slot> {
        if !YEARS.contains(&after.year()) {
            return None;
        }
        let second = Slot::at(after).instant();
        match &self.0 {
            Slots::Rules(rules) => {
                let next = rules.iter().filter_map(|rule| rule.next_after(zone, second)).min();
                next.filter(|next| YEARS.contains(&next.year())).map(Slot::at)
            }
            Slots::Every { period, anchor } => {
                let anchor = (*anchor)?;
                let periods = second.timestamp().saturating_sub(anchor).div_euclid(*period).max(0) + 1;
                Slot::from_unix_seconds(period.checked_mul(periods)?.checked_add(anchor)?)
            }
        }
    }

    /// The slots in `from..until`, found one by one.
    pub fn slots_between(&self, zone: Zone, from: DateTime<Utc>, until: DateTime<Utc>) -> impl Iterator<Item = Slot> {
        let first = self.next_after(zone, just_before(from));
        std::iter::successors(first, move |slot| self.next_after(zone, slot.instant()))
            .take_while(move |slot| slot.instant() < until)
    }

    /// The last slot in `not_before..=now`.
    ///
    /// The work grows with the logarithm of the distance, not with the number of slots.
    pub fn last_at_or_before(&self, zone: Zone, now: DateTime<Utc>, not_before: DateTime<Utc>) -> Option<Slot> {
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
    fn tasks_loaded_together_share_equal_schedules() {
        let mut parser = Parser::default();
        let mut parse = |entry: &str| parser.parse(&[entry]).unwrap();
        let (one, other, apart) = (parse("06:00"), parse("0 6 * * *"), parse("06:01"));
        let (Slots::Rules(first), Slots::Rules(second)) = (&one.0, &other.0) else { panic!("both have rules") };
        assert!(Arc::ptr_eq(first, second));
        assert_eq!(one, other);
        assert_ne!(one, apart);
        assert_eq!(format!("{apart:?}"), r#"Schedule(Rules(["0 1 6 * * *"]))"#);
    }

    #[test]
    fn periods_are_counted_from_the_anchor() {
        let hours = |hours: i64| DateTime::UNIX_EPOCH + TimeDelta::hours(hours);
        let schedule = Schedule::every(Duration::from_hours(20));
        assert_eq!(schedule.next_after(Zone::UTC, hours(0)), None);
        let schedule = schedule.anchored(hours(1));
        let next = |after| schedule.next_after(Zone::UTC, after).unwrap().instant();
        assert_eq!([next(hours(-9)), next(hours(1)), next(hours(20)), next(hours(21))], [21, 21, 21, 41].map(hours));
        let last = schedule.last_at_or_before(Zone::UTC, hours(100), hours(1)).unwrap();
        assert_eq!(last.instant(), hours(81));
    }
}
