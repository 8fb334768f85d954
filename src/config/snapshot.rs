//! The valid configuration: no field that "must be set by then", no text that still has to be parsed.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::secret::{Secret, SecretRef};
use crate::config::source::hexadecimal;
pub use crate::names::ChatRef;
use crate::names::{AccountName, TaskName};
use crate::schedule::{MissedPolicy, Quiet, Timing};
use crate::script::Script;

/// One consistent, valid reading of the workdir and the environment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// SHA-256 over names and bytes of all sources, in lower-case hexadecimal: equal digests mean equal configuration.
    pub digest: String,
    /// How Telegram is reached.
    pub telegram: Telegram,
    /// The health and metrics listener.
    pub http: Http,
    /// Log output.
    pub log: Log,
    /// How long runs and transcripts are kept.
    pub history: History,
    /// Models that may be asked; `None` when there are none.
    pub ai: Option<Ai>,
    /// The copy of the state elsewhere; `None` when there is none.
    pub backup: Option<Backup>,
    /// Accounts by name.
    pub accounts: BTreeMap<AccountName, Arc<Account>>,
    /// Tasks by name, the disabled ones too.
    pub tasks: BTreeMap<TaskName, Arc<Task>>,
}

impl Snapshot {
    /// The longest window of any task: no slot before it can be claimed any more.
    pub fn longest_window(&self) -> Duration {
        let window = |task: &Arc<Task>| match task.timing.missed {
            MissedPolicy::RunOnce { within } => within,
            MissedPolicy::Skip => Duration::ZERO,
        };
        self.tasks.values().map(window).max().unwrap_or_default()
    }

    /// The quiet hours of the accounts of a task, in their order.
    pub fn quiet_hours(&self, task: &Task) -> Vec<Option<Quiet>> {
        task.accounts.iter().map(|account| self.accounts.get(account)?.quiet).collect()
    }
}

/// How Telegram is reached; `[telegram]`, `TG_API_ID`, `TG_API_HASH` and `TG_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telegram {
    /// The application identity of the user's own, from <https://my.telegram.org>; needed to connect, not to check or plan.
    pub api: Option<Api>,
    /// SOCKS5 proxy for all accounts that name none of their own.
    pub proxy: Option<ProxyUrl>,
    /// When connections are opened.
    pub connect: Connect,
    /// Simulated data centres; empty means Telegram itself. Addresses are loopback.
    pub test_data_centres: Vec<TestDataCentre>,
}

/// Application identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// `api_id`
    pub id: i32,
    /// `api_hash`
    pub hash: SecretRef,
}

/// A validated `socks5://[user:password@]host:port` address. Its `Debug` hides the credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(pub(in crate::config) Secret<String>);

impl ProxyUrl {
    /// The address with its credentials, for the connection only.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl std::fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProxyUrl(***)")
    }
}

/// When an account's connection is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Connect {
    /// Shortly before a run, closed when idle.
    #[default]
    OnDemand,
    /// At start, kept open.
    Always,
}

/// One simulated data centre.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestDataCentre {
    /// Data centre number, 1 to 5.
    pub id: i32,
    /// A loopback address.
    pub address: SocketAddr,
    /// The pre-shared keys are derived from this and the account's name. Without it there are none, and a key is agreed upon
    /// as with Telegram.
    pub key_seed: Option<Secret<String>>,
}

/// The health and metrics listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where it listens.
    pub listen: Listen,
    /// Set when the address came from `PORT`: no proxy stands in front, so metrics need this.
    pub guard: Guard,
}

/// Where the listener binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket, `unix:/path`.
    Unix(PathBuf),
}

/// Who may read `/metrics` and `/healthz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// Everybody who reaches the listener: a proxy guards it.
    Proxy,
    /// Nobody; the two paths are 404. `PORT` without credentials.
    Closed,
    /// BasicAuth, from `TG_SIGNER_WEB_BASIC_AUTH_USERNAME` and `…_PASSWORD`.
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: Secret<String>,
    },
}

/// Log output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Shape of a line.
    pub format: LogFormat,
    /// A `tracing_subscriber::EnvFilter` directive list, validated.
    pub level: String,
}

/// Shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Pretty on a terminal, without time stamps under journald, else json.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Models that may be asked, and a program; `[ai]` and the `OPENAI_…` variables. There is at least one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ai {
    /// In the order in which they are asked.
    pub endpoints: Vec<AiEndpoint>,
    /// Asked after them: the absolute path of a program, then its arguments.
    pub command: Option<Vec<String>>,
    /// For each answer.
    pub timeout: Duration,
    /// Calls a day (UTC), of all accounts together.
    pub daily_limit: u32,
}

/// A model at a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AiEndpoint {
    /// Ends before `/chat/completions`.
    pub base_url: String,
    /// Local servers may need none.
    pub key: Option<SecretRef>,
    /// The name of the model.
    pub model: String,
}

/// The encrypted copy of the state on a WebDAV server; `[backup]` and the `TG_SIGNER_BACKUP_…` variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// `https://…/`, or `http://…/` where that is allowed; without credentials, with a slash at its end.
    pub url: String,
    /// Whether `http://` was allowed although the server is not on this machine.
    pub allow_http: bool,
    /// For HTTP Basic.
    pub credentials: Option<WebdavCredentials>,
    /// Below `url`; begins with a slash, and ends with one when it is a folder.
    pub remote_path: String,
    /// PEM file of certificates that are trusted besides the usual ones.
    pub ca: Option<PathBuf>,
    /// How often the server is asked for changes.
    pub interval: Duration,
    /// Between two uploads that finished runs cause.
    pub min_gap: Duration,
    /// Who can read it.
    pub keys: BackupKeys,
    /// Public keys whose signatures count besides our own: `ed25519:` and base64.
    pub trusted: Vec<String>,
    /// Of gzip, 1 to 9.
    pub level: u32,
    /// What is kept on the server.
    pub keep: Keep,
    /// Between two restore drills.
    pub drill: Duration,
}

impl Backup {
    /// A backup on a server that asks for no password, with what applies where nothing is said.
    pub fn at(url: String, keys: BackupKeys) -> Self {
        Self {
            url,
            allow_http: false,
            credentials: None,
            remote_path: "/tgsignd/".to_owned(),
            ca: None,
            interval: Duration::from_mins(5),
            min_gap: Duration::from_mins(1),
            keys,
            trusted: Vec::new(),
            level: 6,
            keep: Keep::default(),
            drill: Duration::from_hours(7 * 24),
        }
    }
}

/// User name and password of the WebDAV server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebdavCredentials {
    /// Without a colon.
    pub username: String,
    /// The password.
    pub password: SecretRef,
}

/// The keys of the backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupKeys {
    /// age's own.
    Age {
        /// X25519 recipients, valid; there is at least one.
        recipients: Vec<String>,
        /// Of one of them.
        identity: Option<SecretRef>,
    },
    /// Everything is derived from one secret.
    Derived(SecretRef),
}

/// Generations that are kept on the server; one may count in several ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// The newest ones.
    pub last: usize,
    /// The last one of a day (UTC).
    pub daily: usize,
    /// The last one of a week (UTC, from Monday).
    pub weekly: usize,
}

impl Default for Keep {
    fn default() -> Self {
        Self { last: 14, daily: 30, weekly: 12 }
    }
}

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Rows of finished runs.
    pub runs: Duration,
    /// Transcript files.
    pub transcripts: Duration,
}

/// One Telegram user account of the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name in the workdir.
    pub name: AccountName,
    /// Only a hint for `login`.
    pub phone: Option<Secret<String>>,
    /// Overrides `[telegram] proxy`.
    pub proxy: Option<ProxyUrl>,
    /// Hours in which nothing is begun.
    pub quiet: Option<Quiet>,
    /// The most attempts in a time.
    pub at_most: Option<Budget>,
    /// Shortest time between own messages in one group, of all its tasks.
    pub post_gap: Duration,
}

/// The most attempts that an account begins in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// At least 1.
    pub runs: u32,
    /// In any time of this length.
    pub per: Duration,
}

/// One task.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its name in the workdir.
    pub name: TaskName,
    /// A disabled task has no slots; `once` still runs it.
    pub enabled: bool,
    /// Who performs it, in the order of the file; never empty. The position decides the stagger.
    /// Tasks with equal lists share one.
    pub accounts: Arc<[AccountName]>,
    /// When.
    pub timing: Timing,
    /// A slot is skipped when the task was done before on its local day.
    pub once_per_day: bool,
    /// Limit of one attempt.
    pub timeout: Duration,
    /// What happens after a failed attempt.
    pub retry: Retry,
    /// Where.
    pub chat: ChatRef,
    /// Forum topic within the chat.
    pub topic: Option<i32>,
    /// Shortest time between own messages in a group; the account's holds when it is longer.
    pub post_gap: Duration,
    /// Own messages are deleted that long after the run ended; the run does not wait for it.
    pub delete_after: Option<Duration>,
    /// What is said and expected.
    pub script: Arc<Script>,
    /// Of everything that decides the task's behaviour.
    pub fingerprint: Fingerprint,
    /// Of what decides which slots there are (schedule and zone).
    pub schedule_fingerprint: Fingerprint,
}

/// A SHA-256. Its text is lower-case hexadecimal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl From<[u8; 32]> for Fingerprint {
    fn from(hash: [u8; 32]) -> Self {
        Self(hash)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hexadecimal(&self.0))
    }
}

/// Further attempts after one that `failed`. Never after `unknown`: the sign-in may have worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// In total, at least 1.
    pub attempts: u32,
    /// Before the second attempt; doubled for each further one, at most an hour.
    pub delay: Duration,
    /// Where they begin.
    pub from: RetryFrom,
}

/// Where a further attempt begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RetryFrom {
    /// At the first step.
    #[default]
    Start,
    /// At the step that could not be done; at the first one when it is not known which that was.
    Step,
}
