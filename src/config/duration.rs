//! Durations as [`crate::schedule::duration`] reads them.

use std::time::Duration;

/// The text of a bound: whole seconds, in the units that read best.
pub(super) fn format(duration: Duration) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::duration::parse;

    #[test]
    fn what_is_written_is_read_back() {
        for seconds in [0, 1, 60, 86_399, 86_400, 31_536_000, 31_539_661] {
            let duration = Duration::from_secs(seconds);
            assert_eq!(parse(&format(duration)), Ok(duration));
        }
        assert_eq!(format(Duration::from_secs(86_399)), "23h59m59s");
    }
}
