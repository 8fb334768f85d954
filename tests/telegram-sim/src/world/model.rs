//! The world as Rust values.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, Offset, Utc};

use crate::bot::Bot;

/// The seed of pre-shared keys when a world does not choose one.
const DEFAULT_KEY_SEED: &str = "tgsignd-sim";

/// Everything that exists at the start.
#[derive(Debug, Default)]
pub struct World {
    pub(crate) accounts: Vec<Account>,
    pub(crate) bots: Vec<BotProfile>,
    pub(crate) groups: Vec<Group>,
    pub(crate) options: Options,
}

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) key_seed: String,
    pub(crate) remember_random_ids: bool,
    pub(crate) clock_start: Option<DateTime<Utc>>,
    pub(crate) clock_speed: f64,
    pub(crate) callback_timeout: Duration,
    pub(crate) compress_answers: bool,
    pub(crate) max_connections: usize,
    pub(crate) log_limit: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            key_seed: DEFAULT_KEY_SEED.to_owned(),
            remember_random_ids: true,
            clock_start: None,
            clock_speed: 1.0,
            callback_timeout: Duration::from_secs(10),
            compress_answers: false,
            max_connections: 4096,
            log_limit: 100_000,
        }
    }
}

impl World {
    /// An empty world.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an account.
    #[must_use]
    pub fn account(mut self, account: Account) -> Self {
        self.accounts.push(account);
        self
    }

    /// Adds a bot.
    #[must_use]
    pub fn bot(mut self, bot: BotProfile) -> Self {
        self.bots.push(bot);
        self
    }

    /// Adds a group.
    #[must_use]
    pub fn group(mut self, group: Group) -> Self {
        self.groups.push(group);
        self
    }

    /// The seed of [`derived_key`](crate::derived_key).
    #[must_use]
    pub fn key_seed(mut self, seed: impl Into<String>) -> Self {
        self.options.key_seed = seed.into();
        self
    }

    /// Whether a `random_id` that was used before is refused with `RANDOM_ID_DUPLICATE`, as Telegram does. On by
    /// default.
    #[must_use]
    pub fn remember_random_ids(mut self, remember: bool) -> Self {
        self.options.remember_random_ids = remember;
        self
    }

    /// What the clock shows at the start; real time by default.
    #[must_use]
    pub fn clock_start(mut self, start: DateTime<Utc>) -> Self {
        self.options.clock_start = Some(start);
        self
    }

    /// How many seconds of the world pass per real second. 0 stops the clock.
    #[must_use]
    pub fn clock_speed(mut self, speed: f64) -> Self {
        self.options.clock_speed = speed;
        self
    }

    /// How long a pressed button waits for its bot before `BOT_RESPONSE_TIMEOUT`, in real time. 10 s by default.
    #[must_use]
    pub fn callback_timeout(mut self, timeout: Duration) -> Self {
        self.options.callback_timeout = timeout;
        self
    }

    /// Sends answers of more than 512 bytes compressed, as Telegram may.
    #[must_use]
    pub fn compress_answers(mut self, compress: bool) -> Self {
        self.options.compress_answers = compress;
        self
    }

    /// How many connections may be open at once; more are closed on arrival. 4096 by default.
    #[must_use]
    pub fn max_connections(mut self, limit: usize) -> Self {
        self.options.max_connections = limit;
        self
    }

    /// How many entries the log keeps. 100 000 by default.
    #[must_use]
    pub fn log_limit(mut self, limit: usize) -> Self {
        self.options.log_limit = limit;
        self
    }
}

/// A user account.
#[derive(Clone)]
pub struct Account {
    pub(crate) name: Arc<str>,
    pub(crate) phone: String,
    pub(crate) user_id: i64,
    pub(crate) code: String,
    pub(crate) password: Option<String>,
    pub(crate) signed_in: bool,
    pub(crate) first_name: Arc<str>,
    pub(crate) username: Option<String>,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither code nor password.
        f.debug_struct("Account").field("name", &self.name).field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

impl Account {
    /// An account without password whose pre-shared key is not signed in. Its login code is `12345`.
    #[must_use]
    pub fn new(name: &str, phone: &str, user_id: i64) -> Self {
        Self {
            name: name.into(),
            phone: phone.to_owned(),
            user_id,
            code: "12345".to_owned(),
            password: None,
            signed_in: false,
            first_name: name.into(),
            username: None,
        }
    }

    /// The login code it accepts.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = code.into();
        self
    }

    /// Two-step verification with this password.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Its pre-shared key is signed in from the start.
    #[must_use]
    pub fn signed_in(mut self) -> Self {
        self.signed_in = true;
        self
    }

    /// The name that Telegram shows; the account's short name by default.
    #[must_use]
    pub fn first_name(mut self, name: &str) -> Self {
        self.first_name = name.into();
        self
    }

    /// Its public name.
    #[must_use]
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into());
        self
    }
}

/// A bot: who it is and how it behaves.
#[derive(Clone)]
pub struct BotProfile {
    pub(crate) name: Arc<str>,
    pub(crate) username: String,
    pub(crate) first_name: Arc<str>,
    pub(crate) user_id: Option<i64>,
    pub(crate) utc_offset: FixedOffset,
    pub(crate) behaviour: Arc<dyn Bot>,
}

impl fmt::Debug for BotProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BotProfile").field("name", &self.name).field("username", &self.username).finish_non_exhaustive()
    }
}

impl BotProfile {
    /// A bot with a short name in this world, a public name, and a behaviour.
    #[must_use]
    pub fn new(name: &str, username: impl Into<String>, behaviour: impl Bot) -> Self {
        Self {
            name: name.into(),
            username: username.into(),
            first_name: name.into(),
            user_id: None,
            utc_offset: Utc.fix(),
            behaviour: Arc::new(behaviour),
        }
    }

    /// The name that Telegram shows; the short name by default.
    #[must_use]
    pub fn first_name(mut self, name: &str) -> Self {
        self.first_name = name.into();
        self
    }

    /// Telegram's identifier; from 5 000 000 001 on by default.
    #[must_use]
    pub fn user_id(mut self, id: i64) -> Self {
        self.user_id = Some(id);
        self
    }

    /// The zone in which its days begin; UTC by default.
    #[must_use]
    pub fn utc_offset(mut self, offset: FixedOffset) -> Self {
        self.utc_offset = offset;
        self
    }
}

/// What kind of group it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// A basic group: every member numbers its messages alone.
    Basic,
    /// A supergroup: one numbering, own update state, may have topics and a public name.
    Supergroup,
}

/// A group of accounts and bots.
#[derive(Clone, Debug)]
pub struct Group {
    pub(crate) name: Arc<str>,
    pub(crate) kind: GroupKind,
    pub(crate) title: String,
    pub(crate) username: Option<String>,
    pub(crate) id: Option<i64>,
    pub(crate) members: Vec<String>,
    pub(crate) bots: Vec<String>,
    pub(crate) topics: Vec<(i32, String)>,
    pub(crate) broadcast: bool,
    pub(crate) muted: Vec<String>,
}

impl Group {
    /// An empty group with a short name in this world.
    #[must_use]
    pub fn new(name: &str, kind: GroupKind) -> Self {
        Self {
            name: name.into(),
            kind,
            title: name.to_owned(),
            username: None,
            id: None,
            members: Vec::new(),
            bots: Vec::new(),
            topics: Vec::new(),
            broadcast: false,
            muted: Vec::new(),
        }
    }

    /// A channel: a supergroup in which only bots post.
    #[must_use]
    pub fn channel(name: &str) -> Self {
        Self { broadcast: true, ..Self::new(name, GroupKind::Supergroup) }
    }

    /// A member who may not write, by its short name.
    #[must_use]
    pub fn muted(mut self, account: &str) -> Self {
        self.muted.push(account.to_owned());
        self
    }

    /// The title that Telegram shows; the short name by default.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// The public name of a supergroup. With one, accounts that are no members may read it.
    #[must_use]
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into());
        self
    }

    /// Telegram's identifier; from 4 000 001 (basic) or 1 500 000 001 (supergroup) on by default.
    #[must_use]
    pub fn id(mut self, id: i64) -> Self {
        self.id = Some(id);
        self
    }

    /// Adds an account, by its short name.
    #[must_use]
    pub fn member(mut self, account: &str) -> Self {
        self.members.push(account.to_owned());
        self
    }

    /// Adds a bot, by its short name. It sees every message of accounts.
    #[must_use]
    pub fn bot(mut self, bot: &str) -> Self {
        self.bots.push(bot.to_owned());
        self
    }

    /// Adds a topic, which makes the supergroup a forum. Its identifier is that of the message that created it.
    #[must_use]
    pub fn topic(mut self, id: i32, title: &str) -> Self {
        self.topics.push((id, title.to_owned()));
        self
    }
}
