//! `[accounts.NAME]`.

use super::value;
use crate::config::reader::TableReader;
use crate::config::secret::Secret;
use crate::config::{Account, document::Place};
use crate::names::AccountName;

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
    let sound = table.is_sound();
    table.finish();
    sound.then_some(Account { name: name?, phone: phone.optional()?, proxy: proxy.optional()? })
}

/// E.164 allows 15 digits; spaces, hyphens and parentheses are for the eye.
fn is_phone(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('+') else { return false };
    let digits = rest.chars().filter(char::is_ascii_digit).count();
    (7..=15).contains(&digits) && rest.chars().all(|c| c.is_ascii_digit() || " -()".contains(c))
}
