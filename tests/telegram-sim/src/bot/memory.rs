//! What a bot remembers: about each user, and which messages it sent where.

use std::collections::HashMap;

use chrono::{DateTime, FixedOffset, NaiveDate};

use super::Target;
use crate::state::Place;

/// A message of the bot, as the world finds it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) place: Place,
    /// Counted as the place counts: see [`Place`].
    pub(crate) id: i64,
}

/// Everything one bot remembers.
#[derive(Default)]
pub(crate) struct BotMemory {
    users: HashMap<i64, UserMemory>,
    last: HashMap<Place, i64>,
    named: HashMap<Place, HashMap<String, i64>>,
}

#[derive(Default)]
struct UserMemory {
    state: Option<String>,
    days: HashMap<String, NaiveDate>,
}

impl BotMemory {
    pub(crate) fn context(&mut self, user: i64, now: DateTime<FixedOffset>) -> BotContext<'_> {
        BotContext { now, memory: self.users.entry(user).or_default() }
    }

    pub(crate) fn sent(&mut self, sent: Sent, name: Option<String>) {
        self.last.insert(sent.place, sent.id);
        if let Some(name) = name {
            self.named.entry(sent.place).or_default().insert(name, sent.id);
        }
    }

    pub(crate) fn find(&self, place: Place, target: &Target, pressed: Option<i64>) -> Option<Sent> {
        let last = || self.last.get(&place).copied();
        let id = match target {
            Target::Pressed => pressed.or_else(last),
            Target::Last => last(),
            Target::Named(name) => self.named.get(&place).and_then(|names| names.get(name)).copied(),
        }?;
        Some(Sent { place, id })
    }
}

/// What a bot knows about the user of an event.
pub struct BotContext<'a> {
    now: DateTime<FixedOffset>,
    memory: &'a mut UserMemory,
}

impl BotContext<'_> {
    /// The world's time, in the bot's zone.
    #[must_use]
    pub fn now(&self) -> DateTime<FixedOffset> {
        self.now
    }

    /// The state the user is in.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.memory.state.as_deref()
    }

    /// Puts the user into a state, or out of any.
    pub fn set_state(&mut self, state: Option<&str>) {
        self.memory.state = state.map(ToOwned::to_owned);
    }

    /// Whether this is the first time under this key on the bot's calendar day, for this user. Remembers it.
    pub fn first_today(&mut self, key: &str) -> bool {
        let today = self.now.date_naive();
        self.memory.days.insert(key.to_owned(), today) != Some(today)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<FixedOffset> {
        DateTime::parse_from_rfc3339(text).unwrap()
    }

    #[test]
    fn a_day_ends_at_midnight_of_the_bots_zone() {
        let mut memory = BotMemory::default();
        assert!(memory.context(1, at("2026-01-01T23:59:59+08:00")).first_today("checkin"));
        assert!(!memory.context(1, at("2026-01-01T23:59:59+08:00")).first_today("checkin"));
        assert!(memory.context(2, at("2026-01-01T23:59:59+08:00")).first_today("checkin"));
        assert!(memory.context(1, at("2026-01-02T00:00:00+08:00")).first_today("checkin"));
    }

    #[test]
    fn messages_are_found_by_target() {
        let mut memory = BotMemory::default();
        let place = Place::Supergroup(0);
        memory.sent(Sent { place, id: 1 }, Some("menu".into()));
        memory.sent(Sent { place, id: 2 }, None);
        let find = |target, pressed| memory.find(place, &target, pressed).map(|sent| sent.id);
        assert_eq!(find(Target::Pressed, Some(7)), Some(7));
        assert_eq!(find(Target::Pressed, None), Some(2));
        assert_eq!(find(Target::Last, Some(7)), Some(2));
        assert_eq!(find(Target::Named("menu".into()), None), Some(1));
        assert_eq!(find(Target::Named("other".into()), None), None);
        assert_eq!(memory.find(Place::Supergroup(1), &Target::Last, None), None);
    }
}
