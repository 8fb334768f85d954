//! The times of a day: sets of hours, minutes and seconds.

use chrono::{NaiveTime, Timelike};

/// Numbers below 64, as the bits of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Numbers(u64);

impl Numbers {
    /// Reads a normalized field whose numbers are below `end`; `None` when it holds something else, or nothing.
    fn parse(field: &str, end: u32) -> Option<Self> {
        let mut bits = 0;
        for item in field.split(',') {
            let (base, step) = item.split_once('/').unwrap_or((item, "1"));
            let (first, last) = match base.split_once('-') {
                _ if base == "*" => (0, end - 1),
                Some((first, last)) => (first.parse().ok()?, last.parse().ok()?),
                None => (base.parse().ok()?, base.parse().ok()?),
            };
            let step = step.parse().ok().filter(|step| *step > 0)?;
            bits |=
                (first..=last).step_by(step).filter(|number| *number < end).fold(0, |bits, number| bits | 1 << number);
        }
        Some(Self(bits)).filter(|numbers| numbers.0 != 0)
    }

    fn contains(self, number: u32) -> bool {
        self.0 >> number & 1 == 1
    }

    /// The first one that is not below `number`.
    fn first_from(self, number: u32) -> Option<u32> {
        let left = self.0 >> number;
        (left != 0).then(|| number + left.trailing_zeros())
    }

    fn first(self) -> u32 {
        self.0.trailing_zeros()
    }
}

/// Every combination of an hour, a minute and a second; there is at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    hours: Numbers,
    minutes: Numbers,
    seconds: Numbers,
}

impl Times {
    /// Reads three normalized fields.
    pub(super) fn parse(second: &str, minute: &str, hour: &str) -> Option<Self> {
        Some(Self {
            hours: Numbers::parse(hour, 24)?,
            minutes: Numbers::parse(minute, 60)?,
            seconds: Numbers::parse(second, 60)?,
        })
    }

    pub(super) fn first(&self) -> NaiveTime {
        at(self.hours.first(), self.minutes.first(), self.seconds.first()).unwrap_or_default()
    }

    /// The next one of the same day.
    pub(super) fn after(&self, time: NaiveTime) -> Option<NaiveTime> {
        let (hour, minute) = (time.hour(), time.minute());
        if self.hours.contains(hour) {
            if self.minutes.contains(minute)
                && let Some(second) = self.seconds.first_from(time.second() + 1)
            {
                return at(hour, minute, second);
            }
            if let Some(minute) = self.minutes.first_from(minute + 1) {
                return at(hour, minute, self.seconds.first());
            }
        }
        at(self.hours.first_from(hour + 1)?, self.minutes.first(), self.seconds.first())
    }
}

fn at(hour: u32, minute: u32, second: u32) -> Option<NaiveTime> {
    NaiveTime::from_hms_opt(hour, minute, second)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use croner::parser::{CronParser, Seconds};

    use super::*;

    #[test]
    fn fields_mean_what_croner_reads_in_them() {
        let croner = CronParser::builder().seconds(Seconds::Required).build();
        let fields = [
            ("0", "0", "0"),
            ("*", "*", "*"),
            ("59", "59", "23"),
            ("*/7", "5-50/15", "*/5"),
            ("0,30", "1,2-4,50-59/9", "0,6-18/6,23"),
        ];
        let midnight = chrono::NaiveDate::from_ymd_opt(2027, 3, 1).unwrap().and_time(NaiveTime::MIN);
        for (second, minute, hour) in fields {
            let times = Times::parse(second, minute, hour).unwrap();
            let cron = croner.parse(&format!("{second} {minute} {hour} * * *")).unwrap();
            for second in (0..86_400).step_by(97) {
                let from = midnight + chrono::TimeDelta::seconds(second);
                let expected = cron.find_next_occurrence(&from, false).unwrap();
                let same_day = Some(expected.time()).filter(|_| expected.date() == midnight.date());
                assert_eq!(times.after(from.time()), same_day, "{cron} after {from}");
                assert_eq!(times.first(), same_day.map_or(expected.time(), |_| times.first()), "{cron}");
            }
        }
    }

    #[test]
    fn what_is_no_set_of_times_is_none() {
        for field in ["", "x", "60", "5-", "*/0", "7-3"] {
            assert_eq!(Numbers::parse(field, 60), None, "{field:?}");
        }
    }
}
