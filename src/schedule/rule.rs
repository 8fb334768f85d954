//! One parsed entry and its instants in a zone: croner knows the days, the times of a day are three sets, and
//! the daylight-saving policy is ours.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use super::syntax::Mistake;
use super::times::Times;
use super::zone::Zone;

const HINT: &str = "write 5 fields: minute hour day month weekday";

/// How the hours of a rule meet a clock that is put forward or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hours {
    /// Named hours: once a wall clock time; what a gap swallows runs at its end.
    Fixed,
    /// `*` or `*/n`: whenever the wall clock shows a time that matches.
    RealTime,
}

/// The days of rules, by their fields. One of croner's values has five kilobytes.
pub(super) type Days = BTreeMap<String, Arc<Cron>>;

/// One entry of a schedule.
pub(super) struct Rule {
    fields: Box<str>,
    /// Their midnights; `None` is every day, which is what most rules mean.
    days: Option<Arc<Cron>>,
    times: Times,
    hours: Hours,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.fields, f)
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.fields == other.fields
    }
}

impl Eq for Rule {}

impl Rule {
    /// Reads six normalized fields.
    pub(super) fn parse(fields: &str, days: &mut Days) -> Result<Self, Mistake> {
        let malformed = || Mistake::new(format!("{fields:?} is not a time"), HINT);
        let [second, minute, hour, day @ ..] = &fields.split(' ').collect::<Vec<_>>()[..] else {
            return Err(malformed());
        };
        let times = Times::parse(second, minute, hour).ok_or_else(malformed)?;
        let days = if day == ["*"; 3] { None } else { Some(Self::midnights(day, days)?) };
        let hours = if hour.starts_with('*') { Hours::RealTime } else { Hours::Fixed };
        let rule = Self { fields: fields.into(), days, times, hours };
        // The calendar repeats after 400 years, so what does not come after 1970 never comes.
        if rule.wall_clock_after(DateTime::UNIX_EPOCH.naive_utc()).is_none() {
            return Err(Mistake::new("this day never comes", "check the day of the month against the months"));
        }
        Ok(rule)
    }

    fn midnights(day: &[&str], days: &mut Days) -> Result<Arc<Cron>, Mistake> {
        match days.entry(format!("0 0 0 {}", day.join(" "))) {
            Entry::Occupied(known) => Ok(Arc::clone(known.get())),
            Entry::Vacant(unknown) => {
                let cron = midnight_parser().parse(unknown.key());
                let cron = Arc::new(cron.map_err(|error| Mistake::new(error.to_string(), HINT))?);
                Ok(Arc::clone(unknown.insert(cron)))
            }
        }
    }

    /// The six normalized fields.
    pub(super) fn fields(&self) -> &str {
        &self.fields
    }

    /// The first instant strictly after `after` (a whole second).
    pub(super) fn next_after(&self, zone: Zone, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
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
    fn first_from(&self, zone: Zone, mut local: NaiveDateTime, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        loop {
            local = self.wall_clock_after(local)?;
            let instant = match zone.from_local_datetime(&local) {
                LocalResult::Single(instant) => Some(instant),
                LocalResult::Ambiguous(first, second) => {
                    Some(if self.hours == Hours::RealTime && first <= after { second } else { first })
                }
                LocalResult::None => {
                    let end = zone.end_of_gap(local)?.with_timezone(&zone);
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
        let today = local.date();
        let mut day = self.day_from(today)?;
        if day == today {
            if let Some(time) = self.times.after(local.time()) {
                return Some(today.and_time(time));
            }
            day = self.day_from(today.succ_opt()?)?;
        }
        Some(day.and_time(self.times.first()))
    }

    /// The first day that is not before `date`.
    fn day_from(&self, date: NaiveDate) -> Option<NaiveDate> {
        let Some(days) = &self.days else { return Some(date) };
        days.find_next_occurrence(&date.and_time(NaiveTime::MIN), true).ok().map(|midnight| midnight.date())
    }
}

fn midnight_parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Required).year(Year::Disallowed).build()
}

/// The instant at which the zone's wall clock shows `local` for the first time or, when it leaves it out, the end of the gap.
pub(super) fn first_instant(zone: Zone, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    let instant = match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => instant,
        LocalResult::None => return zone.end_of_gap(local),
    };
    Some(instant.to_utc())
}
