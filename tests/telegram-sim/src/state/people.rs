//! Who exists, and how they are found.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::FixedOffset;

use super::account::AccountState;
use super::keys::{AuthKey, Login, random_salt};
use super::message_box::{Body, ChatKey, MessageBox, Stored};
use super::posting::Place;
use crate::content::{Document, Photo};
use crate::crypto::derived_key;
use crate::fault::FaultPlan;
use crate::tl::normalised_phone;
use crate::world::{GroupKind, World};

const FIRST_BOT_ID: i64 = 5_000_000_001;
const FIRST_STRANGER_ID: i64 = 6_000_000_001;
const FIRST_BASIC_GROUP_ID: i64 = 4_000_001;
const FIRST_SUPERGROUP_ID: i64 = 1_500_000_001;

/// Everything that changes while the simulation runs.
pub(crate) struct State {
    pub(crate) accounts: Vec<AccountState>,
    pub(crate) bots: Vec<BotState>,
    pub(crate) groups: Vec<GroupState>,
    pub(crate) strangers: Vec<Stranger>,
    users: HashMap<i64, UserRef>,
    names: HashMap<Arc<str>, Named>,
    usernames: HashMap<String, Named>,
    phones: HashMap<String, usize>,
    group_ids: HashMap<(GroupKindKey, i64), usize>,
    keys: HashMap<[u8; 8], Arc<AuthKey>>,
    pub(crate) photos: HashMap<i64, Arc<Photo>>,
    pub(crate) documents: HashMap<i64, Arc<Document>>,
    /// Where the copies of a message are that lies in several boxes, by its common number.
    pub(crate) copies: HashMap<i64, Vec<(usize, i32)>>,
    pub(crate) last_origin: i64,
    pub(crate) faults: FaultPlan,
    pub(crate) remember_random_ids: bool,
}

/// Basic groups and supergroups have separate identifiers.
type GroupKindKey = bool;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UserRef {
    Account(usize),
    Bot(usize),
    Stranger(usize),
}

/// What a short name or a public name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    User(UserRef),
    Group(usize),
}

pub(crate) struct BotState {
    pub(crate) name: Arc<str>,
    pub(crate) user_id: i64,
    pub(crate) username: String,
    pub(crate) first_name: Arc<str>,
    pub(crate) utc_offset: FixedOffset,
}

pub(crate) struct Stranger {
    pub(crate) user_id: i64,
    pub(crate) name: Arc<str>,
}

pub(crate) struct GroupState {
    pub(crate) name: Arc<str>,
    pub(crate) kind: GroupKind,
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) username: Option<String>,
    pub(crate) members: HashSet<usize>,
    /// Only bots post.
    pub(crate) broadcast: bool,
    /// Members who may not write.
    pub(crate) muted: HashSet<usize>,
    pub(crate) bots: Vec<usize>,
    /// Not empty in forums.
    pub(crate) topics: Vec<i32>,
    /// Used by supergroups.
    pub(crate) messages: MessageBox,
    pub(crate) read_until: HashMap<usize, i32>,
}

impl GroupState {
    pub(crate) fn is_forum(&self) -> bool {
        !self.topics.is_empty()
    }
}

impl State {
    /// The start of a checked world.
    pub(crate) fn new(world: &World, date: i32) -> Self {
        let mut state = Self {
            accounts: Vec::new(),
            bots: Vec::new(),
            groups: Vec::new(),
            strangers: Vec::new(),
            users: HashMap::new(),
            names: HashMap::new(),
            usernames: HashMap::new(),
            phones: HashMap::new(),
            group_ids: HashMap::new(),
            keys: HashMap::new(),
            photos: HashMap::new(),
            documents: HashMap::new(),
            copies: HashMap::new(),
            last_origin: 0,
            faults: FaultPlan::default(),
            remember_random_ids: world.options.remember_random_ids,
        };
        state.add_accounts(world);
        state.add_bots(world);
        state.add_groups(world, date);
        state
    }

    fn add_accounts(&mut self, world: &World) {
        for (index, account) in world.accounts.iter().enumerate() {
            let user = UserRef::Account(index);
            self.users.insert(account.user_id, user);
            self.phones.insert(normalised_phone(&account.phone), index);
            self.add_names(&account.name, account.username.as_deref(), Named::User(user));
            self.accounts.push(AccountState::new(account));
            let login = if account.signed_in { Login::SignedIn(index) } else { Login::SignedOut };
            let key = derived_key(&world.options.key_seed, &account.name);
            self.add_key(AuthKey::new(key, random_salt(), login));
        }
    }

    fn add_bots(&mut self, world: &World) {
        let mut next_id = FIRST_BOT_ID;
        for (index, bot) in world.bots.iter().enumerate() {
            let user_id = bot.user_id.unwrap_or_else(|| {
                let taken = |id| self.users.contains_key(&id) || world.bots.iter().any(|bot| bot.user_id == Some(id));
                while taken(next_id) {
                    next_id += 1;
                }
                next_id
            });
            let user = UserRef::Bot(index);
            self.users.insert(user_id, user);
            self.add_names(&bot.name, Some(&bot.username), Named::User(user));
            self.bots.push(BotState {
                name: bot.name.clone(),
                user_id,
                username: bot.username.clone(),
                first_name: bot.first_name.clone(),
                utc_offset: bot.utc_offset,
            });
        }
    }

    fn add_groups(&mut self, world: &World, date: i32) {
        for (index, group) in world.groups.iter().enumerate() {
            let is_supergroup = group.kind == GroupKind::Supergroup;
            let mut id = group.id.unwrap_or(if is_supergroup { FIRST_SUPERGROUP_ID } else { FIRST_BASIC_GROUP_ID });
            while self.group_ids.contains_key(&(is_supergroup, id)) {
                id += 1;
            }
            self.group_ids.insert((is_supergroup, id), index);
            self.add_names(&group.name, group.username.as_deref(), Named::Group(index));
            let account = |name: &String| match self.names.get(name.as_str()) {
                Some(Named::User(UserRef::Account(account))) => Some(*account),
                _ => None,
            };
            let members: HashSet<usize> = group.members.iter().filter_map(account).collect();
            let muted: HashSet<usize> = group.muted.iter().filter_map(account).collect();
            for &member in &members {
                self.accounts[member].groups.push(index);
            }
            let bot = |name: &String| match self.names.get(name.as_str()) {
                Some(Named::User(UserRef::Bot(bot))) => Some(*bot),
                _ => None,
            };
            let mut topics: Vec<(i32, String)> = group.topics.clone();
            topics.sort();
            let mut messages = MessageBox::default();
            for (id, title) in &topics {
                messages.add(Stored {
                    id: *id,
                    chat: ChatKey::Supergroup(index),
                    from: id_of_creator(),
                    date,
                    edit_date: None,
                    reply_to: None,
                    topic: None,
                    body: Body::TopicCreated { title: title.clone() },
                    origin: None,
                });
            }
            self.groups.push(GroupState {
                name: group.name.clone(),
                kind: group.kind,
                id,
                title: group.title.clone(),
                username: group.username.clone(),
                members,
                broadcast: group.broadcast,
                muted,
                bots: group.bots.iter().filter_map(bot).collect(),
                topics: topics.into_iter().map(|(id, _)| id).collect(),
                messages,
                read_until: HashMap::new(),
            });
        }
    }

    fn add_names(&mut self, name: &Arc<str>, username: Option<&str>, named: Named) {
        self.names.insert(name.clone(), named);
        if let Some(username) = username {
            self.usernames.insert(username.to_ascii_lowercase(), named);
        }
    }

    pub(crate) fn add_key(&mut self, key: AuthKey) {
        self.keys.insert(key.id, Arc::new(key));
    }

    pub(crate) fn key(&self, id: [u8; 8]) -> Option<&Arc<AuthKey>> {
        self.keys.get(&id)
    }

    /// The keys that are signed in to an account.
    pub(crate) fn keys_of(&self, account: usize) -> impl Iterator<Item = &Arc<AuthKey>> {
        self.keys.values().filter(move |key| key.account() == Some(account))
    }

    /// Forgets a key: the next packet under it gets the transport error -404.
    pub(crate) fn forget_key(&mut self, id: [u8; 8]) {
        if let Some(key) = self.keys.remove(&id) {
            key.forget();
        }
    }

    pub(crate) fn named(&self, name: &str) -> Option<Named> {
        self.names.get(name).copied()
    }

    pub(crate) fn username(&self, username: &str) -> Option<Named> {
        self.usernames.get(&username.to_ascii_lowercase()).copied()
    }

    pub(crate) fn phone(&self, phone: &str) -> Option<usize> {
        self.phones.get(&normalised_phone(phone)).copied()
    }

    pub(crate) fn user(&self, id: i64) -> Option<UserRef> {
        self.users.get(&id).copied()
    }

    pub(crate) fn group_by_id(&self, kind: GroupKind, id: i64) -> Option<usize> {
        self.group_ids.get(&(kind == GroupKind::Supergroup, id)).copied()
    }

    pub(crate) fn account_named(&self, name: &str) -> Option<usize> {
        match self.named(name)? {
            Named::User(UserRef::Account(account)) => Some(account),
            _ => None,
        }
    }

    /// Somebody who is no account of this world, found or made by name.
    pub(crate) fn stranger(&mut self, name: &str) -> i64 {
        if let Some(stranger) = self.strangers.iter().find(|stranger| &*stranger.name == name) {
            return stranger.user_id;
        }
        let mut user_id = FIRST_STRANGER_ID;
        while self.users.contains_key(&user_id) {
            user_id += 1;
        }
        self.users.insert(user_id, UserRef::Stranger(self.strangers.len()));
        self.strangers.push(Stranger { user_id, name: name.into() });
        user_id
    }

    /// Name of a chat as logs show it.
    pub(crate) fn place_name(&self, place: Place) -> Arc<str> {
        match place {
            Place::Private { with, .. } => match self.user(with) {
                Some(UserRef::Account(index)) => self.accounts[index].name.clone(),
                Some(UserRef::Bot(index)) => self.bots[index].name.clone(),
                Some(UserRef::Stranger(index)) => self.strangers[index].name.clone(),
                None => "?".into(),
            },
            Place::Group(index) | Place::Supergroup(index) => self.groups[index].name.clone(),
        }
    }
}

/// Topics are made by nobody in particular: the anonymous administrator that Telegram uses for this.
const fn id_of_creator() -> i64 {
    1_087_968_824
}
