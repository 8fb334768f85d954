//! Hours of an account in which nothing begins.

use super::Zone;
use chrono::{DateTime, NaiveTime, Utc};

use super::rule::first_instant;

/// The daily hours in which an account rests. They may reach over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// The first instant that is quiet.
    pub from: NaiveTime,
    /// The first instant that is not quiet any more; another time than `from`.
    pub until: NaiveTime,
    /// The account's own zone; without one, that of the task counts.
    pub zone: Option<Zone>,
}

impl Quiet {
    /// When the quiet hours that hold at `instant` are over; `None` when none do.
    pub fn end(&self, task_zone: Zone, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let zone = self.zone.unwrap_or(task_zone);
        let today = instant.with_timezone(&zone).date_naive();
        let days = [today.pred_opt(), Some(today)];
        days.into_iter().flatten().find_map(|day| {
            let last_day = if self.from < self.until { Some(day) } else { day.succ_opt() };
            let begin = first_instant(zone, day.and_time(self.from))?;
            let end = first_instant(zone, last_day?.and_time(self.until))?;
            (begin <= instant && instant < end).then_some(end)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use crate::schedule::tests::{utc, zone};

    fn quiet(from: &str, until: &str) -> Quiet {
        Quiet { from: from.parse().unwrap(), until: until.parse().unwrap(), zone: None }
    }

    #[test]
    fn the_night_ends_on_the_next_day() {
        let night = quiet("23:00:00", "07:00:00");
        let zone = zone("Asia/Shanghai");
        let end = |instant: &str| night.end(zone, utc(instant)).map(|end| end.with_timezone(&zone).to_rfc3339());
        assert_eq!(end("2026-11-22T22:59:59+08:00"), None);
        assert_eq!(end("2026-11-22T23:00:00+08:00").unwrap(), "2026-11-23T07:00:00+08:00");
        assert_eq!(end("2026-11-23T06:59:59+08:00").unwrap(), "2026-11-23T07:00:00+08:00");
        assert_eq!(end("2026-11-23T07:00:00+08:00"), None);
        let noon = quiet("12:00:00", "14:00:00");
        assert!(noon.end(zone, utc("2026-11-23T13:00:00+08:00")).is_some());
        assert!(noon.end(zone, utc("2026-11-23T11:59:59+08:00")).is_none());
    }

    #[test]
    fn a_night_is_as_long_as_the_clock_makes_it_and_in_the_account_s_zone_if_it_has_one() {
        let night = quiet("23:00:00", "02:30:00");
        let berlin = zone("Europe/Berlin");
        // 02:30 is left out: quiet until the end of the gap.
        assert_eq!(night.end(berlin, utc("2027-03-28T00:30:00Z")), Some(utc("2027-03-28T01:00:00Z")));
        let own = Quiet { zone: Some(berlin), ..quiet("00:00:00", "01:00:00") };
        assert!(own.end(zone("Asia/Tokyo"), utc("2027-01-01T23:30:00Z")).is_some());
        assert!(own.end(zone("Asia/Tokyo"), utc("2027-01-01T15:30:00Z")).is_none());
    }
}
