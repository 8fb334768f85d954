//! `[accounts.NAME]`.

use std::time::Duration;

use super::value;
use crate::config::document::Place;
use crate::config::reader::{TableReader, Value};
use crate::config::secret::Secret;
use crate::config::snapshot::{Account, Budget};
use crate::names::AccountName;
use crate::schedule::Quiet;

/// Groups are places of people: nobody writes there twice in a breath.
const DEFAULT_POST_GAP: Duration = Duration::from_secs(3);

/// Reads one account.
pub(in crate::config) fn account(name: &str, place: Place<'_>, mut table: TableReader<'_>) -> Option<Account> {
    let name = name.parse::<AccountName>().map_err(|error| place.error(format!("account name: {error}"))).ok();
    let phone = table.take("phone").and_then(|value| {
        let text = value.text()?;
        if is_phone(text) {
            Some(Secret::new(text.to_owned()))
        } else {
            value.refuse("`phone` must be + and the number with its country code, such as \"+8613800000000\"")
        }
    });
    let proxy = table.take("proxy").and_then(|value| value::proxy(value.place(), value.text()?));
    let quiet = table.take("quiet").and_then(|value| {
        let (from, until) = value::clock_pair(value)?;
        Some(Quiet { from, until, zone: None })
    });
    let zone = table.take("timezone").and_then(value::timezone);
    let at_most = table.take("at_most").and_then(budget);
    let post_gap = table.take("post_gap").and_then(Value::duration);
    let sound = table.is_sound();
    table.finish();
    let zone = zone.optional()?;
    let quiet = quiet.optional()?.map(|quiet| Quiet { zone, ..quiet });
    let account = Account {
        name: name?,
        phone: phone.optional()?,
        proxy: proxy.optional()?,
        quiet,
        at_most: at_most.optional()?,
        post_gap: post_gap.or_default(DEFAULT_POST_GAP)?,
    };
    sound.then_some(account)
}

fn budget(value: Value<'_>) -> Option<Budget> {
    let mut table = value.table()?;
    let runs = table.take("runs").and_then(Value::integer).and_then(|runs| u32::try_from(runs).ok());
    let per = table.take("per").and_then(Value::duration);
    let sound = table.is_sound();
    table.finish();
    let budget = Budget { runs: runs.optional()??, per: per.optional()?? };
    sound.then_some(budget)
}

/// E.164 allows 15 digits; spaces, hyphens and parentheses are for the eye.
fn is_phone(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('+') else { return false };
    let digits = rest.chars().filter(char::is_ascii_digit).count();
    (7..=15).contains(&digits) && rest.chars().all(|c| c.is_ascii_digit() || " -()".contains(c))
}
