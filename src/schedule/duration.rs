//! Durations as the configuration and the command line write them: `7d`, `12h`, `1h30m`, `500ms`.

use std::time::Duration;

/// Units from the longest to the shortest, with their length in milliseconds.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Longest duration that is accepted, in milliseconds: 100 years of 365.25 days. Instants in that reach can be represented.
const LONGEST: u64 = 3_155_760_000_000;

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// The text has no characters.
    #[error("a duration is missing; write one such as \"30s\", \"12h\" or \"1h30m\"")]
    Empty,
    /// A number without a unit.
    #[error("{0:?} has no unit; write \"{0}s\", \"{0}m\", \"{0}h\" or \"{0}d\"")]
    NoUnit(String),
    /// Something that is not a number followed by a unit.
    #[error("{0:?} is not a duration; write numbers with units (w, d, h, m, s, ms), such as \"30s\" or \"1h30m\"")]
    Malformed(String),
    /// The unit is not known.
    #[error("{0:?} is not a unit of time; there are w, d, h, m, s and ms")]
    UnknownUnit(String),
    /// A unit stands twice or after a shorter one.
    #[error("{0:?} has its units out of order; write the longest first and each once, such as \"1h30m\"")]
    OutOfOrder(String),
    /// More than 100 years.
    #[error("{0:?} is longer than 100 years")]
    TooLong(String),
}

/// Reads whole numbers with units, the longest first: `w`, `d` (24 hours), `h`, `m`, `s`, `ms`. `0s` is allowed, a bare
/// number is not.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(DurationError::Empty);
    }
    let malformed = || DurationError::Malformed(text.to_owned());
    let too_long = || DurationError::TooLong(text.to_owned());
    let mut units = UNITS.iter();
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let (digits, after) = split_while(rest, |c| c.is_ascii_digit());
        let (unit, after) = split_while(after, char::is_alphabetic);
        if digits.is_empty() {
            return Err(malformed());
        }
        if unit.is_empty() {
            return Err(if digits == text { DurationError::NoUnit(text.to_owned()) } else { malformed() });
        }
        if UNITS.iter().all(|(name, _)| *name != unit) {
            return Err(DurationError::UnknownUnit(unit.to_owned()));
        }
        let (_, milliseconds) =
            units.find(|(name, _)| *name == unit).ok_or_else(|| DurationError::OutOfOrder(text.to_owned()))?;
        total = digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*milliseconds)?.checked_add(total))
            .filter(|total| *total <= LONGEST)
            .ok_or_else(too_long)?;
        rest = after.trim_start();
    }
    Ok(Duration::from_millis(total))
}

/// The text of whole seconds, in the units that read best; [`parse`] reads it back.
pub fn words(duration: Duration) -> String {
    let mut rest = duration.as_secs();
    let mut text = String::new();
    for (unit, seconds) in [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)] {
        let number = rest / seconds;
        rest %= seconds;
        if number > 0 {
            text.push_str(&number.to_string());
            text.push(unit);
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn split_while(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_add_up() {
        for (text, seconds) in
            [("7d", 604_800), ("12h", 43_200), ("1h30m", 5_400), ("1h 30m", 5_400), (" 2w ", 1_209_600), ("0s", 0)]
        {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("1s500ms"), Ok(Duration::from_millis(1_500)));
    }

    #[test]
    fn what_is_written_is_read_back() {
        for seconds in [0, 1, 60, 86_399, 86_400, 31_536_000, 31_539_661] {
            let duration = Duration::from_secs(seconds);
            assert_eq!(parse(&words(duration)), Ok(duration));
        }
        assert_eq!(words(Duration::from_secs(86_399)), "23h59m59s");
    }

    #[test]
    fn what_is_no_duration_is_refused_with_its_reason() {
        let text = String::from;
        assert_eq!(parse("  "), Err(DurationError::Empty));
        assert_eq!(parse("30"), Err(DurationError::NoUnit(text("30"))));
        assert_eq!(parse("1h30"), Err(DurationError::Malformed(text("1h30"))));
        assert_eq!(parse("-1h"), Err(DurationError::Malformed(text("-1h"))));
        assert_eq!(parse("1.5h"), Err(DurationError::Malformed(text("1.5h"))));
        assert_eq!(parse("5min"), Err(DurationError::UnknownUnit(text("min"))));
        assert_eq!(parse("30m1h"), Err(DurationError::OutOfOrder(text("30m1h"))));
        assert_eq!(parse("1h1h"), Err(DurationError::OutOfOrder(text("1h1h"))));
        assert_eq!(parse("5201w"), Ok(Duration::from_hours(5201 * 168)));
        for long in ["5300w", "99999999999999999999s", "18446744073709551615ms"] {
            assert_eq!(parse(long), Err(DurationError::TooLong(text(long))));
        }
    }
}
