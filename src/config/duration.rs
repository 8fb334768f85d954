//! Durations as people write them: `30s`, `12h`, `1h30m`.

use std::time::Duration;

/// Units from the longest to the shortest, in seconds.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Whole numbers with units, the longest first and each once; `None` for everything else.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut units = UNITS.iter();
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (digits, after) = rest.split_at(end);
        let unit = after.chars().next()?;
        let (_, seconds) = units.find(|(name, _)| *name == unit)?;
        total = digits.parse::<u64>().ok()?.checked_mul(*seconds)?.checked_add(total)?;
        rest = &after[unit.len_utf8()..];
    }
    (!text.is_empty()).then_some(Duration::from_secs(total))
}

/// As [`parse`] reads it.
pub(super) fn format(duration: Duration) -> String {
    let mut rest = duration.as_secs();
    let mut text = String::new();
    for (unit, seconds) in UNITS {
        let number = rest / seconds;
        rest %= seconds;
        if number > 0 {
            text.push_str(&number.to_string());
            text.push(unit);
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_add_up_and_come_back() {
        for (text, seconds) in [("30s", 30), ("5m", 300), ("12h", 43_200), ("7d", 604_800), ("1h30m", 5_400), ("0s", 0)]
        {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
            assert_eq!(format(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in
            ["", "5", "m", "5x", "30m1h", "1h1h", "-1s", "1.5h", "99999999999999999999s", "18446744073709551615d"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
