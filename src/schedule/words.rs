//! Schedules in English.

use super::Timing;
use super::duration::words as length;
use super::syntax;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 8] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const WHICH: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];

/// A list of times of day gets no longer than this before it becomes "minutes … of hours …".
const MOST_TIMES: usize = 6;

/// When a task runs, in a sentence without a full stop: "at 06:00 every day, up to 10m later (Asia/Shanghai)".
pub fn describe(timing: &Timing) -> String {
    let mut text = match timing.schedule.period() {
        Some(period) => format!("{} after the last success", length(period)),
        None => timing.schedule.normalized().map(entry).collect::<Vec<_>>().join("; "),
    };
    if let Some(end) = timing.window_end {
        text.push_str(&format!(", drawn in the time until {}", end.format("%H:%M")));
    } else if !timing.jitter.is_zero() {
        text.push_str(&format!(", up to {} later", length(timing.jitter)));
    }
    format!("{text} ({})", timing.zone)
}

/// Whether an entry names days of the month and days of the week: a day that fits either of them fits, as in Vixie cron, which
/// surprises many. `false` for an entry with mistakes.
pub fn restricts_both_days(entry: &str) -> bool {
    syntax::normalize(entry).is_ok_and(|fields| {
        let fields: Vec<&str> = fields.split(' ').collect();
        fields[3] != "*" && fields[5] != "*"
    })
}

/// Six normalized fields.
fn entry(fields: &str) -> String {
    match fields.split(' ').collect::<Vec<_>>()[..] {
        [second, minute, hour, day, month, weekday] => {
            let months = if month == "*" { String::new() } else { format!(" in {}", items(month, &name(&MONTHS, 1))) };
            format!("{} {}{months}", time(second, minute, hour), days(day, weekday))
        }
        _ => fields.to_owned(),
    }
}

fn time(second: &str, minute: &str, hour: &str) -> String {
    if let Some(times) = clock_times(second, minute, hour) {
        return format!("at {}", list(&times));
    }
    let second = match second {
        "0" => String::new(),
        "*" => "every second, ".to_owned(),
        _ => format!("at second {}, ", items(second, &str::to_owned)),
    };
    let hours = match hour.strip_prefix("*/") {
        Some(step) => format!("every {step} hours from midnight"),
        None if hour == "*" => "every hour".to_owned(),
        None => format!("in hour {}", items(hour, &str::to_owned)),
    };
    match (minute.strip_prefix("*/"), minute) {
        (Some("1"), _) | (None, "*") if hour == "*" => format!("{second}every minute"),
        (Some("1"), _) | (None, "*") => format!("{second}every minute {hours}"),
        (Some(step), _) if hour == "*" => format!("{second}every {step} minutes"),
        (Some(step), _) => format!("{second}every {step} minutes {hours}"),
        (None, _) => format!("{second}at minute {} {hours}", items(minute, &str::to_owned)),
    }
}

/// The times of day, when all three fields are few plain numbers.
fn clock_times(second: &str, minute: &str, hour: &str) -> Option<Vec<String>> {
    let numbers = |field: &str| field.split(',').map(|item| item.parse::<u32>().ok()).collect::<Option<Vec<_>>>();
    let (seconds, minutes, hours) = (numbers(second)?, numbers(minute)?, numbers(hour)?);
    let mut times = Vec::new();
    for hour in &hours {
        for minute in &minutes {
            for second in &seconds {
                let seconds = if second == &0 { String::new() } else { format!(":{second:02}") };
                times.push(format!("{hour:02}:{minute:02}{seconds}"));
            }
        }
    }
    times.sort();
    (times.len() <= MOST_TIMES).then_some(times)
}

fn days(day: &str, weekday: &str) -> String {
    let of_month = || match day {
        "L" => "the last day of the month".to_owned(),
        "LW" => "the last Monday to Friday of the month".to_owned(),
        _ => format!("day {} of the month", items(day, &day_of_month)),
    };
    let of_week = || items(weekday, &day_of_week);
    match (day, weekday) {
        ("*", "*") => "every day".to_owned(),
        (_, "*") => format!("on {}", of_month()),
        ("*", _) => format!("on {}", of_week()),
        _ => format!("on {} or on {}", of_month(), of_week()),
    }
}

fn day_of_month(item: &str) -> String {
    match (item, item.strip_suffix('W')) {
        ("L", _) => "the last".to_owned(),
        ("LW", _) => "the last from Monday to Friday".to_owned(),
        (_, Some(day)) => format!("{day} (or the nearest from Monday to Friday)"),
        _ => item.to_owned(),
    }
}

fn day_of_week(item: &str) -> String {
    let weekday = name(&WEEKDAYS, 0);
    match item.split_once('#') {
        Some((day, "L")) => format!("the last {} of the month", weekday(day)),
        Some((day, nth)) => {
            let which = nth.parse::<usize>().ok().and_then(|nth| WHICH.get(nth.checked_sub(1)?)).unwrap_or(&"");
            format!("the {which} {} of the month", weekday(day))
        }
        None => weekday(item),
    }
}

fn name<'a>(names: &'a [&'a str], first: usize) -> impl Fn(&str) -> String + 'a {
    move |item| {
        let found = item.parse::<usize>().ok().and_then(|number| names.get(number.checked_sub(first)?));
        found.map_or_else(|| item.to_owned(), |name| (*name).to_owned())
    }
}

/// A field's list, with ranges and steps; `say` words one value.
fn items(field: &str, say: &dyn Fn(&str) -> String) -> String {
    let one = |item: &str| {
        let (range, step) = item.split_once('/').map_or((item, None), |(range, step)| (range, Some(step)));
        let range = match range.split_once('-') {
            Some((first, last)) => format!("{} to {}", say(first), say(last)),
            None if range == "*" => "all".to_owned(),
            None => say(range),
        };
        step.map_or_else(|| range.clone(), |step| format!("{range} in steps of {step}"))
    };
    list(&field.split(',').map(one).collect::<Vec<_>>())
}

fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::time::Duration;

    use super::*;
    use crate::schedule::tests::{timing, zone};
    use crate::schedule::{Schedule, Zone};

    #[test]
    fn entries_become_sentences() {
        for (entry, words) in [
            ("06:00", "at 06:00 every day"),
            ("0 6,18 * * *", "at 06:00 and 18:00 every day"),
            ("30 0 6 * * MON-FRI", "at 06:00:30 on Monday to Friday"),
            ("@hourly", "at minute 0 every hour every day"),
            ("*/5 8-18/2 * * *", "every 5 minutes in hour 8 to 18 in steps of 2 every day"),
            ("* * * * *", "every minute every day"),
            ("0 */6 * * *", "at minute 0 every 6 hours from midnight every day"),
            ("0 6 L * *", "at 06:00 on the last day of the month"),
            ("0 6 15W,1 * *", "at 06:00 on day 15 (or the nearest from Monday to Friday) and 1 of the month"),
            ("0 6 * JAN,MAR-MAY FRI#2", "at 06:00 on the second Friday of the month in January and March to May"),
            ("0 6 * * 5L", "at 06:00 on the last Friday of the month"),
            ("30 4 1,15 * 5", "at 04:30 on day 1 and 15 of the month or on Friday"),
        ] {
            assert_eq!(describe(&timing(&[entry], Zone::UTC)), format!("{words} (UTC)"));
        }
    }

    #[test]
    fn windows_periods_and_jitter_are_told() {
        let shanghai = timing(&["07:00"], zone("Asia/Shanghai"));
        let window = Timing { window_end: Some("09:30:00".parse().unwrap()), ..shanghai.clone() };
        assert_eq!(describe(&window), "at 07:00 every day, drawn in the time until 09:30 (Asia/Shanghai)");
        let jitter = Timing { jitter: Duration::from_mins(90), ..shanghai.clone() };
        assert_eq!(describe(&jitter), "at 07:00 every day, up to 1h30m later (Asia/Shanghai)");
        let every = Timing { schedule: Schedule::every(Duration::from_hours(20)), ..shanghai };
        assert_eq!(describe(&every), "20h after the last success (Asia/Shanghai)");
    }

    #[test]
    fn both_day_fields_are_noticed() {
        assert!(restricts_both_days("30 4 1,15 * 5"));
        for entry in ["06:00", "0 6 * * MON", "0 6 1 * ?", "nonsense"] {
            assert!(!restricts_both_days(entry), "{entry}");
        }
    }
}
