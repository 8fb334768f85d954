//! The numbers a bot names.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::text::{nfkc, without_emoji};

/// How many are kept of one text.
const MAX_AMOUNTS: usize = 20;

/// A number with what it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// As written, without thousands separators: `5`, `+5`, `0.25`.
    pub value: String,
    /// What is counted, as written: `积分`, `GB`, `days`; empty when the bot names nothing.
    pub unit: String,
}

/// The numbers in `text` that are signed, counted in something (`10 金币`, `7 days`), or stand behind a word and a colon
/// (`积分: 300`), in order, at most twenty. Dates and times of day are left out.
pub fn amounts(text: &str) -> Vec<Amount> {
    #[expect(clippy::expect_used, reason = "constant expressions, compiled by every test run")]
    static AMOUNT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?x) (?P<moment> \d{1,4}[-/.]\d{1,2}[-/.]\d{1,4} | \d{1,2}:\d{2}(?::\d{2})? | \d{1,2}月\d{1,2}日 )
            | (?: (?P<label>\p{L}+) \s* (?P<colon>:)? \s* )? (?P<value>[+-]?\d[\d,]*(?:\.\d+)?)
              (?: \x20? (?P<unit>\p{L}+) )? ",
        )
        .expect("a valid expression")
    });
    let text = nfkc(text);
    let lines = text.lines().map(without_emoji);
    let found = lines.flat_map(|line| {
        let captures = AMOUNT.captures_iter(&line).filter(|found| found.name("moment").is_none());
        captures.filter_map(|found| amount(&found)).collect::<Vec<_>>()
    });
    found.take(MAX_AMOUNTS).collect()
}

fn amount(found: &regex::Captures<'_>) -> Option<Amount> {
    let value = found.name("value")?.as_str().replace(',', "");
    let unit = found.name("unit").map(|unit| unit.as_str());
    let label = found.name("label").map(|label| label.as_str());
    let signed = value.starts_with(['+', '-']);
    let counted = label.filter(|_| signed || found.name("colon").is_some());
    let unit = unit.or(counted).map(ToOwned::to_owned);
    if unit.is_none() && !signed {
        return None;
    }
    Some(Amount { value, unit: unit.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_with_their_units() {
        for (text, expected) in [
            ("签到成功 +5 积分", &[("+5", "积分")] as &[_]),
            ("获得 10 金币，连续签到 12 天", &[("10", "金币"), ("12", "天")]),
            ("Streak 7 days! +0.25 USDT", &[("7", "days"), ("+0.25", "USDT")]),
            ("积分：1,280\n经验+15", &[("1280", "积分"), ("+15", "经验")]),
            ("💰 ＋８ 🎁", &[("+8", "")]),
            ("серия: 5 дней, баланс: 100", &[("5", "дней"), ("100", "баланс")]),
            ("流量 500MB", &[("500", "MB")]),
            ("2024-01-02 06:00:12 签到成功", &[]),
            ("3 + 4 = ?", &[]),
            ("你好", &[]),
        ] {
            let found: Vec<_> = amounts(text).into_iter().map(|amount| (amount.value, amount.unit)).collect();
            let expected: Vec<_> = expected.iter().map(|(v, u)| ((*v).to_owned(), (*u).to_owned())).collect();
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(amounts(&"+1 ".repeat(1000)).len(), MAX_AMOUNTS);
    }
}
