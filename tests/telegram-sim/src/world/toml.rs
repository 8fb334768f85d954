//! The world as TOML. The README of this crate documents the format.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, Utc};
use serde::Deserialize;
use toml::Spanned;

use super::rules::{RawRule, Reader};
use super::{Account, BotProfile, Group, GroupKind, World, WorldError};
use crate::bot::Script;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWorld {
    #[serde(default)]
    options: RawOptions,
    #[serde(default)]
    accounts: BTreeMap<String, Spanned<RawAccount>>,
    #[serde(default)]
    bots: BTreeMap<String, Spanned<RawBot>>,
    #[serde(default)]
    groups: BTreeMap<String, Spanned<RawGroup>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOptions {
    key_seed: Option<String>,
    remember_random_ids: Option<bool>,
    clock_start: Option<Spanned<String>>,
    clock_speed: Option<f64>,
    callback_timeout: Option<Spanned<String>>,
    compress_answers: Option<bool>,
    max_connections: Option<usize>,
    log_limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccount {
    phone: String,
    user_id: i64,
    code: Option<String>,
    password: Option<String>,
    #[serde(default)]
    signed_in: bool,
    first_name: Option<String>,
    username: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBot {
    username: String,
    name: Option<String>,
    user_id: Option<i64>,
    utc_offset: Option<Spanned<String>>,
    #[serde(default)]
    on: Vec<Spanned<RawRule>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    kind: RawGroupKind,
    title: Option<String>,
    username: Option<String>,
    id: Option<i64>,
    #[serde(default)]
    members: Vec<String>,
    #[serde(default)]
    bots: Vec<String>,
    #[serde(default)]
    topics: Vec<RawTopic>,
    #[serde(default)]
    muted: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawGroupKind {
    Group,
    Supergroup,
    Channel,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTopic {
    id: i32,
    title: String,
}

impl World {
    /// Reads a world from TOML. Picture files are looked for in the current directory.
    pub fn from_toml(text: &str) -> Result<Self, WorldError> {
        Self::from_toml_in(text, Path::new("."), None)
    }

    /// Reads a world whose TOML leaves an account out, unless it does define one of that name after all. Picture files are
    /// looked for in `directory`.
    pub fn from_toml_with(text: &str, directory: &Path, account: Account) -> Result<Self, WorldError> {
        Self::from_toml_in(text, directory, Some(account))
    }

    /// Reads a world from a file. Picture files are looked for beside it.
    pub fn from_file(path: &Path) -> Result<Self, WorldError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| WorldError::new("", format!("cannot be read: {error}")))?;
        Self::from_toml_in(&text, path.parent().unwrap_or(Path::new(".")), None)
    }

    fn from_toml_in(text: &str, directory: &Path, extra: Option<Account>) -> Result<Self, WorldError> {
        let raw: RawWorld = toml::from_str(text).map_err(|error| WorldError {
            position: error.span().map(|span| position(text, span.start)),
            path: String::new(),
            message: error.message().to_owned(),
        })?;
        let mut places = HashMap::new();
        let locate = |mut error: WorldError, span: Range<usize>| {
            error.position = Some(position(text, span.start));
            error
        };
        let mut world = raw.options.apply(World::new()).map_err(|(error, span)| locate(error, span))?;
        for (name, raw) in raw.accounts {
            places.insert(format!("accounts.{name}"), raw.span());
            world = world.account(raw.into_inner().account(&name));
        }
        if let Some(extra) = extra.filter(|extra| world.accounts.iter().all(|account| account.name != extra.name)) {
            world = world.account(extra);
        }
        let reader = Reader::new(directory);
        for (name, raw) in raw.bots {
            places.insert(format!("bots.{name}"), raw.span());
            let bot = raw.into_inner().bot(&name, &reader).map_err(|(error, span)| locate(error, span))?;
            world = world.bot(bot);
        }
        for (name, raw) in raw.groups {
            places.insert(format!("groups.{name}"), raw.span());
            world = world.group(raw.into_inner().group(&name));
        }
        match world.check() {
            Ok(()) => Ok(world),
            Err(error) => Err(match places.remove(&error.path) {
                Some(span) => locate(error, span),
                None => error,
            }),
        }
    }
}

/// Line and column of a byte, both from 1.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
    (line, column)
}

/// A mistake and where it stands.
pub(super) type Located = (WorldError, Range<usize>);

/// Reads a value written as text.
pub(super) fn parsed<T, E: std::fmt::Display>(
    raw: &Spanned<String>,
    path: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, Located> {
    parse(raw.get_ref()).map_err(|error| (WorldError::new(path, format!("{:?}: {error}", raw.get_ref())), raw.span()))
}

impl RawOptions {
    fn apply(self, mut world: World) -> Result<World, Located> {
        if let Some(start) = &self.clock_start {
            let start = parsed(start, "options.clock_start", DateTime::parse_from_rfc3339)?;
            world = world.clock_start(start.with_timezone(&Utc));
        }
        if let Some(timeout) = &self.callback_timeout {
            world = world.callback_timeout(parsed(timeout, "options.callback_timeout", duration)?);
        }
        let options = &mut world.options;
        options.key_seed = self.key_seed.unwrap_or_else(|| options.key_seed.clone());
        options.remember_random_ids = self.remember_random_ids.unwrap_or(options.remember_random_ids);
        options.clock_speed = self.clock_speed.unwrap_or(options.clock_speed);
        options.compress_answers = self.compress_answers.unwrap_or(options.compress_answers);
        options.max_connections = self.max_connections.unwrap_or(options.max_connections);
        options.log_limit = self.log_limit.unwrap_or(options.log_limit);
        Ok(world)
    }
}

impl RawAccount {
    fn account(self, name: &str) -> Account {
        let mut account = Account::new(name, &self.phone, self.user_id);
        account.signed_in = self.signed_in;
        account.password = self.password;
        account.username = self.username;
        account.code = self.code.unwrap_or(account.code);
        account.first_name = self.first_name.map_or(account.first_name, Arc::from);
        account
    }
}

impl RawBot {
    fn bot(self, name: &str, reader: &Reader<'_>) -> Result<BotProfile, Located> {
        let path = format!("bots.{name}");
        let rules = self.on.into_iter().map(|rule| reader.rule(rule, &path)).collect::<Result<_, _>>()?;
        let mut bot = BotProfile::new(name, self.username, Script::new(rules));
        bot.first_name = self.name.map_or(bot.first_name, Arc::from);
        bot.user_id = self.user_id;
        if let Some(offset) = &self.utc_offset {
            let read = |text: &str| text.parse::<FixedOffset>().map_err(|_| "not an offset such as \"+08:00\"");
            bot.utc_offset = parsed(offset, &path, read)?;
        }
        Ok(bot)
    }
}

impl RawGroup {
    fn group(self, name: &str) -> Group {
        let broadcast = matches!(self.kind, RawGroupKind::Channel);
        let kind = match self.kind {
            RawGroupKind::Group => GroupKind::Basic,
            RawGroupKind::Supergroup | RawGroupKind::Channel => GroupKind::Supergroup,
        };
        let mut group = Group::new(name, kind);
        group.title = self.title.unwrap_or(group.title);
        group.username = self.username;
        group.id = self.id;
        group.broadcast = broadcast;
        group.muted = self.muted;
        group.members = self.members;
        group.bots = self.bots;
        group.topics = self.topics.into_iter().map(|topic| (topic.id, topic.title)).collect();
        group
    }
}

/// A whole number with a unit: `50ms`, `2s`, `3m`, `4h`, `1d`.
pub(super) fn duration(text: &str) -> Result<Duration, &'static str> {
    const EXPECTED: &str = "not a duration such as \"50ms\", \"2s\", \"3m\", \"4h\" or \"1d\"";
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or(EXPECTED)?;
    let (number, unit) = text.split_at(digits);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        "d" => 24 * 60 * 60 * 1000,
        _ => return Err(EXPECTED),
    };
    let number: u64 = number.parse().map_err(|_| EXPECTED)?;
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or(EXPECTED)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        assert_eq!(World::from_toml(text).unwrap_err().to_string(), expected);
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("50ms"), Ok(Duration::from_millis(50)));
        assert_eq!(duration("2h"), Ok(Duration::from_hours(2)));
        for text in ["", "50", "ms", "5 s", "-1s", "1.5s", "99999999999999999999s", "18446744073709551615d"] {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn mistakes_are_shown_where_they_stand() {
        let alice = "[accounts.alice]\nphone = \"+10000000001\"\nuser_id = 1001\n";
        assert_eq!(World::from_toml(alice).unwrap().accounts.len(), 1);
        let misspelt = World::from_toml(&format!("{alice}sign_in = true\n")).unwrap_err();
        assert_eq!(misspelt.position, Some((4, 1)));
        assert!(misspelt.message.contains("unknown field `sign_in`"), "{misspelt}");
        refused(
            "[options]\ncallback_timeout = \"10\"",
            "line 2, column 20: options.callback_timeout: \"10\": not a duration such as \"50ms\", \"2s\", \"3m\", \"4h\" or \"1d\"",
        );
        refused(
            &format!("{alice}[groups.club]\nkind = \"group\"\nmembers = [\"bob\"]\n"),
            "line 4, column 1: groups.club: member \"bob\" is no account of this world",
        );
        refused(
            "[bots.b]\nusername = \"some_bot\"\nutc_offset = \"8\"",
            "line 3, column 14: bots.b: \"8\": not an offset such as \"+08:00\"",
        );
    }

    #[test]
    fn rules_are_checked() {
        let rule = |lines: &str| format!("[bots.b]\nusername = \"some_bot\"\n[[bots.b.on]]\n{lines}");
        let message = |lines: &str| World::from_toml(&rule(lines)).unwrap_err().to_string();
        assert!(World::from_toml(&rule("text = \"/x/i\"\nsend = { text = \"y\" }")).is_ok());
        assert!(message("send = { text = \"y\" }").contains("exactly one of text, button"));
        assert!(message("text = \"a\"\nstart = \"b\"\nsend = { text = \"y\" }").contains("exactly one of"));
        assert!(message("text = \"a\"").contains("does nothing"));
        assert!(message("text = \"/(/\"\nsend = { text = \"y\" }").starts_with("line 4, column 8: bots.b: \"/(/\""));
        assert!(message("text = \"a\"\npopup = \"x\"").contains("only a pressed button"));
        assert!(message("text = \"a\"\nsend = { text = \"\" }").contains("empty"));
        assert!(
            message("text = \"a\"\nsend = { text = \"x\", buttons = [[{ text = \"b\" }]] }").contains("data or url")
        );
        assert!(
            message("text = \"a\"\nsend = { text = \"x\", photo = { file = \"no/such.png\" } }")
                .contains("no/such.png")
        );
        assert!(message("text = \"a\"\nonce_per = \"week\"\nsend = { text = \"y\" }").contains("unknown variant"));
    }
}
