//! One parsed entry and its instants in a zone: croner walks the wall clock, the daylight-saving policy is ours.

use std::fmt;

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use super::syntax::Mistake;

/// How the hours of a rule meet a clock that is put forward or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hours {
    /// Named hours: once a wall clock time; what a gap swallows runs at its end.
    Fixed,
    /// `*` or `*/n`: whenever the wall clock shows a time that matches.
    RealTime,
}

/// One entry of a schedule.
pub(super) struct Rule {
    cron: Cron,
    hours: Hours,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.cron.as_str(), f)
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.cron.as_str() == other.cron.as_str()
    }
}

impl Eq for Rule {}

impl Rule {
    /// Reads six normalized fields.
    pub(super) fn parse(fields: &str) -> Result<Self, Mistake> {
        let cron = CronParser::builder()
            .seconds(Seconds::Required)
            .year(Year::Disallowed)
            .build()
            .parse(fields)
            .map_err(|error| Mistake::new(error.to_string(), "write 5 fields: minute hour day month weekday"))?;
        let hours = match fields.split(' ').nth(2) {
            Some(field) if field.starts_with('*') => Hours::RealTime,
            _ => Hours::Fixed,
        };
        let rule = Self { cron, hours };
        // The calendar repeats after 400 years, so what does not come after 1970 never comes.
        if rule.wall_clock_after(DateTime::UNIX_EPOCH.naive_utc()).is_none() {
            return Err(Mistake::new("this day never comes", "check the day of the month against the months"));
        }
        Ok(rule)
    }

    /// The six normalized fields.
    pub(super) fn fields(&self) -> &str {
        self.cron.as_str()
    }

    /// The first instant strictly after `after` (a whole second).
    pub(super) fn next_after(&self, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = after.with_timezone(&zone).naive_local();
        let next = self.first_from(zone, local, after);
        if self.hours == Hours::Fixed {
            return next;
        }
        // In the first pass of a repeated time, times before `local` come once more.
        match zone.from_local_datetime(&local) {
            LocalResult::Ambiguous(first, second) if first == after => {
                let repeated = self.first_from(zone, local - (second - first), after);
                [next, repeated].into_iter().flatten().min()
            }
            _ => next,
        }
    }

    /// The first instant after `after` among the wall clock times after `local`.
    fn first_from(&self, zone: Tz, mut local: NaiveDateTime, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        loop {
            local = self.wall_clock_after(local)?;
            let instant = match zone.from_local_datetime(&local) {
                LocalResult::Single(instant) => Some(instant),
                LocalResult::Ambiguous(first, second) => {
                    Some(if self.hours == Hours::RealTime && first <= after { second } else { first })
                }
                LocalResult::None => {
                    let end = GapInfo::new(&local, &zone)?.end?;
                    local = end.naive_local() - TimeDelta::seconds(1);
                    (self.hours == Hours::Fixed).then_some(end)
                }
            };
            if let Some(instant) = instant.map(|instant| instant.to_utc()).filter(|instant| *instant > after) {
                return Some(instant);
            }
        }
    }

    fn wall_clock_after(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        self.cron.find_next_occurrence(&local, false).ok()
    }
}

/// The instant at which the zone's wall clock shows `local` for the first time or, when it leaves it out, the end of the gap.
pub(super) fn first_instant(zone: Tz, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    let instant = match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => instant,
        LocalResult::None => GapInfo::new(&local, &zone)?.end?,
    };
    Some(instant.to_utc())
}
