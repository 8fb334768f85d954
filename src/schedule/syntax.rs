//! One schedule entry as text: checked, and rewritten into the plain six fields that croner reads.
//!
//! The check is ours so that a mistake is explained in the user's words, and so that nothing croner happens to accept
//! (a `+` before the weekday, names in any field, empty list items) becomes part of the interface.

/// What is wrong with an entry, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) message: String,
    pub(super) hint: String,
}

impl Mistake {
    pub(super) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

/// A field of a cron expression.
struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    names: &'static [&'static str],
}

const FIELDS: [Field; 6] = [
    Field { name: "second", min: 0, max: 59, names: &[] },
    Field { name: "minute", min: 0, max: 59, names: &[] },
    Field { name: "hour", min: 0, max: 23, names: &[] },
    Field { name: DAY_OF_MONTH, min: 1, max: 31, names: &[] },
    Field {
        name: "month",
        min: 1,
        max: 12,
        names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    },
    Field { name: DAY_OF_WEEK, min: 0, max: 7, names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] },
];
const DAY_OF_MONTH: &str = "day of month";
const DAY_OF_WEEK: &str = "day of week";

const ALIASES: [(&str, &str); 7] = [
    ("@hourly", "0 0 * * * *"),
    ("@daily", "0 0 0 * * *"),
    ("@midnight", "0 0 0 * * *"),
    ("@weekly", "0 0 0 * * 0"),
    ("@monthly", "0 0 0 1 * *"),
    ("@yearly", "0 0 0 1 1 *"),
    ("@annually", "0 0 0 1 1 *"),
];

/// The entry as six fields in upper case, with numbers for names. Different spellings of one schedule may stay different.
pub(super) fn normalize(entry: &str) -> Result<String, Mistake> {
    let text: String = entry.chars().map(half_width).collect();
    let text = text.trim();
    if text.is_empty() {
        return Err(Mistake::new("the entry is empty", "write a time such as \"06:00\" or a cron expression"));
    }
    if text.starts_with('@') {
        return alias(text);
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    if text.contains(':') {
        return match fields[..] {
            [time] => time_of_day(time),
            _ => Err(Mistake::new(
                format!("{text:?} mixes a time of day with something else"),
                "write one time an entry, such as [\"06:00\", \"18:30\"], or a cron expression",
            )),
        };
    }
    cron(text, &fields)
}

/// What a Chinese or Japanese input method types in its full-width mode, as ASCII.
fn half_width(c: char) -> char {
    match c {
        '\u{3000}' => ' ',
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        _ => c,
    }
}

fn alias(text: &str) -> Result<String, Mistake> {
    let lower = text.to_ascii_lowercase();
    if let Some((_, expression)) = ALIASES.iter().find(|(name, _)| *name == lower) {
        return Ok((*expression).to_owned());
    }
    Err(match lower.split_whitespace().next() {
        Some("@reboot") => Mistake::new(
            "@reboot is not a time",
            "runs are bound to planned instants; write a time, and `missed` says what happens after downtime",
        ),
        Some("@every") => Mistake::new(
            format!("{text:?} has no planned instants"),
            "write a step, such as \"*/5 * * * *\" for every five minutes",
        ),
        _ => Mistake::new(
            format!("{text:?} is unknown"),
            format!("there are {}", ALIASES.map(|(name, _)| name).join(", ")),
        ),
    })
}

/// `HH:MM` or `HH:MM:SS`.
fn time_of_day(text: &str) -> Result<String, Mistake> {
    let malformed = || {
        Mistake::new(
            format!("{text:?} is not a time of day"),
            "write hours and minutes such as \"06:00\", or with seconds \"06:00:30\"",
        )
    };
    let parts: Vec<&str> = text.split(':').collect();
    let (hour, minute, second) = match parts[..] {
        [hour, minute] => (hour, minute, "00"),
        [hour, minute, second] => (hour, minute, second),
        _ => return Err(malformed()),
    };
    let digits =
        |part: &str, lengths: &[usize]| lengths.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if !(digits(hour, &[1, 2]) && digits(minute, &[2]) && digits(second, &[2])) {
        return Err(malformed());
    }
    let number = |part: &str| part.parse::<u32>().map_err(|_| malformed());
    let (hour, minute, second) = (number(hour)?, number(minute)?, number(second)?);
    if hour > 23 || minute > 59 || second > 59 {
        return Err(Mistake::new(
            format!("{text:?} is not a time of day"),
            "hours go from 00 to 23, minutes and seconds to 59; midnight is \"00:00\"",
        ));
    }
    Ok(format!("{second} {minute} {hour} * * *"))
}

fn cron(text: &str, fields: &[&str]) -> Result<String, Mistake> {
    let fields = match fields.len() {
        5 => [&["0"], fields].concat(),
        6 => fields.to_vec(),
        7 => {
            return Err(Mistake::new(
                format!("{text:?} has 7 fields, and a year cannot be given"),
                "leave out the last field; a schedule repeats for ever",
            ));
        }
        count => {
            return Err(Mistake::new(
                format!("{text:?} has {count} {}", if count == 1 { "field" } else { "fields" }),
                "write 5 fields (minute hour day month weekday), or 6 with the second first",
            ));
        }
    };
    let written =
        FIELDS.iter().zip(&fields).map(|(field, written)| field.normalize(written)).collect::<Result<Vec<_>, _>>()?;
    check_days(&written[3], &written[5])?;
    Ok(written.join(" "))
}

/// Two restricted day fields mean "either", but crons disagree whether a step over all days restricts.
fn check_days(day_of_month: &str, day_of_week: &str) -> Result<(), Mistake> {
    let stepped = |field: &str| field.starts_with('*') && field != "*";
    if (stepped(day_of_month) && day_of_week != "*") || (stepped(day_of_week) && day_of_month != "*") {
        return Err(Mistake::new(
            "a step over all days beside the other day field means \"and\" to some crons and \"or\" to others",
            "write the days as a range, such as \"1-31/2\", for \"or\"",
        ));
    }
    Ok(())
}

impl Field {
    fn normalize(&self, written: &str) -> Result<String, Mistake> {
        let upper = written.to_ascii_uppercase();
        let items = upper.split(',').map(|item| self.item(item)).collect::<Result<Vec<_>, _>>()?;
        let holds = |item: &str| items.iter().any(|each| each == item);
        if holds("L") && holds("LW") {
            return Err(self.mistake(written, "write either \"L\" or \"LW\", not both"));
        }
        Ok(items.join(","))
    }

    fn item(&self, item: &str) -> Result<String, Mistake> {
        let Some((base, step)) = item.split_once('/') else {
            return self.base(item);
        };
        let Ok(step @ 1..=59) = step.parse::<u32>() else {
            return Err(self.mistake(item, "a step is a number from 1 to 59 after the slash, such as \"*/15\""));
        };
        if base == "*" {
            return Ok(format!("*/{step}"));
        }
        if base.contains('-') {
            return Ok(format!("{}/{step}", self.base(base)?));
        }
        Err(match self.value(base) {
            Ok(start) => {
                let hint = format!("a step needs a range: \"{start}-{}/{step}\" or \"*/{step}\"", self.max);
                self.mistake(item, &hint)
            }
            Err(mistake) => mistake,
        })
    }

    /// An item without its step.
    fn base(&self, text: &str) -> Result<String, Mistake> {
        match text {
            "" => return Err(self.mistake(text, "a list has something between its commas: \"1,2\"")),
            "*" => return Ok(text.to_owned()),
            "?" if self.is_day() => return Ok("*".to_owned()),
            _ => {}
        }
        if let Some((start, end)) = text.split_once('-') {
            return if start == "L" {
                Err(self
                    .mistake(text, "days counted from the end of the month are not supported; \"L\" is the last day"))
            } else {
                self.range(text, start, end)
            };
        }
        match self.name {
            DAY_OF_MONTH => self.day_of_month(text),
            DAY_OF_WEEK => self.day_of_week(text),
            _ if text.starts_with('H') => {
                Err(self.mistake(text, "\"H\" is not supported; write a number, and spread the runs with `jitter`"))
            }
            _ => self.value(text).map(|value| value.to_string()),
        }
    }

    fn range(&self, text: &str, start: &str, end: &str) -> Result<String, Mistake> {
        let first = self.value(start)?;
        // Sunday is the week's first day as 0, and its last at the end of a range.
        let last = match self.value(end)? {
            0 if self.name == DAY_OF_WEEK && first > 0 => 7,
            last => last,
        };
        if first <= last {
            return Ok(format!("{first}-{last}"));
        }
        let hint = format!("a range goes upwards; write it in two: \"{first}-{},{}-{last}\"", self.max, self.min);
        Err(self.mistake(text, &hint))
    }

    fn day_of_month(&self, text: &str) -> Result<String, Mistake> {
        match text.strip_suffix('W') {
            _ if text == "L" || text == "LW" => Ok(text.to_owned()),
            Some(day) => Ok(format!("{}W", self.value(day)?)),
            None => Ok(self.value(text)?.to_string()),
        }
    }

    fn day_of_week(&self, text: &str) -> Result<String, Mistake> {
        if text == "L" {
            return Err(self.mistake(text, "the last Friday of the month is \"5L\" or \"FRIL\"; Saturday is \"SAT\""));
        }
        if let Some((day, nth)) = text.split_once('#') {
            return match nth {
                "1" | "2" | "3" | "4" | "5" | "L" => Ok(format!("{}#{nth}", self.value(day)?)),
                _ => Err(self.mistake(text, "after \"#\" stands which one of the month, 1 to 5 or L for the last")),
            };
        }
        match text.strip_suffix('L') {
            Some(day) => Ok(format!("{}#L", self.value(day)?)),
            None => Ok(self.value(text)?.to_string()),
        }
    }

    fn value(&self, text: &str) -> Result<u32, Mistake> {
        if let Some(index) = self.names.iter().position(|name| *name == text) {
            return u32::try_from(index)
                .map(|index| index + u32::from(self.min == 1))
                .map_err(|_| self.range_mistake(text));
        }
        let number = if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None };
        number.filter(|number| (self.min..=self.max).contains(number)).ok_or_else(|| self.range_mistake(text))
    }

    fn is_day(&self) -> bool {
        self.name == DAY_OF_MONTH || self.name == DAY_OF_WEEK
    }

    fn range_mistake(&self, text: &str) -> Mistake {
        let names = match self.names {
            [first, .., last] => format!(" or {first} to {last}"),
            _ => String::new(),
        };
        self.mistake(text, &format!("it goes from {} to {}{names}", self.min, self.max))
    }

    fn mistake(&self, text: &str, hint: &str) -> Mistake {
        Mistake::new(format!("{text:?} does not fit the {} field", self.name), hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_become_six_plain_fields() {
        for (entry, fields) in [
            ("06:00", "0 0 6 * * *"),
            ("6:05:30", "30 5 6 * * *"),
            ("２１：３０", "0 30 21 * * *"),
            ("0 6 * * mon-fri", "0 0 6 * * 1-5"),
            ("0 6 * * FRI-SUN", "0 0 6 * * 5-7"),
            ("0 6 * * SUN-SUN", "0 0 6 * * 0-0"),
            ("0 6 ? JAN,dec SUN#2,5L", "0 0 6 * 1,12 0#2,5#L"),
            ("30 0 6 LW,15W * ?", "30 0 6 LW,15W * *"),
            ("*/5 8-18/2 * * *", "0 */5 8-18/2 * * *"),
            ("@Midnight", "0 0 0 * * *"),
        ] {
            assert_eq!(normalize(entry).as_deref(), Ok(fields));
        }
    }

    #[test]
    fn mistakes_come_with_what_to_write_instead() {
        for (entry, message, hint) in [
            ("", "empty", "06:00"),
            ("@reboot", "not a time", "`missed`"),
            ("@every 5m", "no planned instants", "*/5 * * * *"),
            ("@fortnightly", "unknown", "@weekly"),
            ("24:00", "not a time of day", "midnight is \"00:00\""),
            ("6:5", "not a time of day", "06:00"),
            ("06:00, 18:00", "mixes", "[\"06:00\", \"18:30\"]"),
            ("0 0 6 * * * 2027", "7 fields", "leave out the last"),
            ("6", "1 field", "5 fields"),
            ("H 6 * * *", "\"H\" does not fit the minute field", "jitter"),
            ("60 6 * * *", "\"60\" does not fit the minute field", "0 to 59"),
            ("0 24 * * *", "hour field", "0 to 23"),
            ("0 6 * FOO *", "month field", "1 to 12 or JAN to DEC"),
            ("MON 6 * * *", "minute field", "0 to 59"),
            ("0 6 * * MONDAY", "day of week field", "SUN to SAT"),
            ("0 22-2 * * *", "\"22-2\"", "22-23,0-2"),
            ("0 6 * * FRI-MON", "\"FRI-MON\"", "5-7,0-1"),
            ("5/10 6 * * *", "\"5/10\"", "5-59/10"),
            ("*/0 6 * * *", "\"*/0\"", "1 to 59"),
            ("1,,2 6 * * *", "minute field", "between its commas"),
            ("0 6 L-3 * *", "\"L-3\"", "last day"),
            ("0 6 L,LW * *", "\"L,LW\"", "not both"),
            ("0 6 * * L", "\"L\"", "FRIL"),
            ("0 6 * * 1#6", "\"1#6\"", "1 to 5"),
            ("0 6 * * +1", "\"+1\"", "0 to 7"),
            ("0 6 */2 * 1", "step over all days", "1-31/2"),
            ("0 6 1 * */2", "step over all days", "1-31/2"),
        ] {
            let mistake = normalize(entry).err().unwrap_or_else(|| Mistake::new("accepted", ""));
            assert!(mistake.message.contains(message), "{entry}: {}", mistake.message);
            assert!(mistake.hint.contains(hint), "{entry}: {}", mistake.hint);
        }
    }
}
