//! What must hold between the parts of a world.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::{GroupKind, World};
use crate::tl::normalised_phone;

/// A world that cannot be simulated: where and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorldError {
    /// Line and column of the TOML text, both from 1.
    pub position: Option<(usize, usize)>,
    /// The part of the world, for example `groups.club`.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for WorldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.position {
            write!(f, "line {line}, column {column}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for WorldError {}

impl WorldError {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { position: None, path: path.into(), message: message.into() }
    }
}

impl World {
    /// Whether the parts fit together. [`DataCentre::start`](crate::DataCentre::start) asks this too.
    pub fn check(&self) -> Result<(), WorldError> {
        self.check_names()?;
        self.check_accounts()?;
        self.check_groups()?;
        let speed = self.options.clock_speed;
        if !speed.is_finite() || speed < 0.0 {
            return Err(WorldError::new("options.clock_speed", "must be 0 or a positive number"));
        }
        Ok(())
    }

    /// Short names are one space, since tests and logs name chats by them; so are public names.
    fn check_names(&self) -> Result<(), WorldError> {
        let accounts = self.accounts.iter().map(|a| (format!("accounts.{}", a.name), &*a.name, a.username.as_deref()));
        let bots = self.bots.iter().map(|b| (format!("bots.{}", b.name), &*b.name, Some(b.username.as_str())));
        let groups = self.groups.iter().map(|g| (format!("groups.{}", g.name), &*g.name, g.username.as_deref()));
        let (mut names, mut usernames) = (HashMap::new(), HashMap::new());
        for (path, name, username) in accounts.chain(bots).chain(groups) {
            if name.is_empty() {
                return Err(WorldError::new(path, "a name must not be empty"));
            }
            if let Some(username) = username {
                let usable =
                    username.len() >= 4 && username.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                if !usable {
                    return Err(WorldError::new(
                        path,
                        format!("username {username:?} must be at least 4 letters, digits and _, without @"),
                    ));
                }
                if let Some(other) = usernames.insert(username.to_ascii_lowercase(), path.clone()) {
                    return Err(WorldError::new(path, format!("username {username:?} is taken by {other}")));
                }
            }
            if let Some(other) = names.insert(name, path.clone()) {
                return Err(WorldError::new(path, format!("the name {name:?} is taken by {other}")));
            }
        }
        Ok(())
    }

    fn check_accounts(&self) -> Result<(), WorldError> {
        let (mut phones, mut ids) = (HashMap::new(), HashMap::new());
        for account in &self.accounts {
            let path = format!("accounts.{}", account.name);
            let phone = normalised_phone(&account.phone);
            if phone.len() < 5 {
                return Err(WorldError::new(path, "phone must be a number such as \"+10000000001\""));
            }
            if let Some(other) = phones.insert(phone, path.clone()) {
                return Err(WorldError::new(path, format!("the phone number is that of {other}")));
            }
            check_id(&path, account.user_id, &mut ids)?;
            if account.code.is_empty() {
                return Err(WorldError::new(path, "code must not be empty"));
            }
        }
        for bot in &self.bots {
            if let Some(id) = bot.user_id {
                check_id(&format!("bots.{}", bot.name), id, &mut ids)?;
            }
        }
        Ok(())
    }

    fn check_groups(&self) -> Result<(), WorldError> {
        let accounts: HashSet<&str> = self.accounts.iter().map(|account| &*account.name).collect();
        let bots: HashSet<&str> = self.bots.iter().map(|bot| &*bot.name).collect();
        let mut ids = HashMap::new();
        for group in &self.groups {
            let path = format!("groups.{}", group.name);
            if let Some(id) = group.id {
                check_id(&path, id, &mut ids)?;
            }
            if group.kind == GroupKind::Basic && !(group.topics.is_empty() && group.username.is_none()) {
                return Err(WorldError::new(path, "only a supergroup can have topics or a username"));
            }
            if let Some(member) = group.members.iter().find(|name| !accounts.contains(name.as_str())) {
                return Err(WorldError::new(path, format!("member {member:?} is no account of this world")));
            }
            if let Some(muted) = group.muted.iter().find(|name| !group.members.contains(name)) {
                return Err(WorldError::new(path, format!("muted {muted:?} is no member of it")));
            }
            if group.broadcast && !group.topics.is_empty() {
                return Err(WorldError::new(path, "a channel has no topics"));
            }
            if let Some(bot) = group.bots.iter().find(|name| !bots.contains(name.as_str())) {
                return Err(WorldError::new(path, format!("{bot:?} is no bot of this world")));
            }
            let mut topics = HashSet::new();
            for (id, _) in &group.topics {
                if *id < 2 || !topics.insert(*id) {
                    return Err(WorldError::new(
                        path,
                        format!("topic {id}: identifiers must differ and be at least 2 (1 is the general topic)"),
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The largest identifier that clients accept for users.
const MAX_USER_ID: i64 = 0xff_ffff_ffff;

fn check_id(path: &str, id: i64, known: &mut HashMap<i64, String>) -> Result<(), WorldError> {
    if !(1..=MAX_USER_ID).contains(&id) {
        return Err(WorldError::new(path, format!("the identifier {id} is not in 1..={MAX_USER_ID}")));
    }
    match known.insert(id, path.to_owned()) {
        Some(other) => Err(WorldError::new(path, format!("the identifier {id} is that of {other}"))),
        None => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::{Account, BotProfile, Group};
    use super::*;
    use crate::bot::Script;

    fn alice() -> Account {
        Account::new("alice", "+10000000001", 1001)
    }

    #[track_caller]
    fn refused(world: &World, expected: &str) {
        let error = world.check().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_sound_world_passes() {
        let world = World::new()
            .account(alice())
            .bot(BotProfile::new("checkin", "sim_checkin_bot", Script::default()))
            .group(Group::new("club", GroupKind::Supergroup).member("alice").bot("checkin").topic(12, "签到"));
        assert_eq!(world.check(), Ok(()));
    }

    #[test]
    fn contradictions_are_named() {
        let club = || Group::new("club", GroupKind::Basic);
        refused(&World::new().account(alice()).account(alice()), "the name \"alice\" is taken by accounts.alice");
        refused(
            &World::new().account(alice()).account(Account::new("bob", "10000000001", 2)),
            "phone number is that of",
        );
        refused(&World::new().account(alice()).account(Account::new("bob", "+10000000002", 1001)), "identifier 1001");
        refused(&World::new().account(Account::new("bob", "x", 2)), "phone must be");
        refused(&World::new().group(club().member("bob")), "member \"bob\" is no account");
        refused(&World::new().group(club().bot("bob")), "\"bob\" is no bot");
        refused(&World::new().group(club().topic(2, "x")), "only a supergroup");
        refused(&World::new().group(Group::new("club", GroupKind::Supergroup).topic(1, "x")), "at least 2");
        refused(&World::new().bot(BotProfile::new("b", "@name", Script::default())), "without @");
        refused(&World::new().clock_speed(-1.0), "options.clock_speed");
    }
}
