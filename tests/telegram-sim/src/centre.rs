//! The data centre: a listener, the world behind it, and what tests can see and do.

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::Utc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::bot::BotRuntime;
use crate::clock::Clock;
use crate::connection::{Connection, Ending};
use crate::crypto::key_id;
use crate::derived_key;
use crate::fault::{Fault, Mode};
use crate::log::{Entry, Event, Log};
use crate::state::{AuthKey, Login, State};
use crate::tl::DC_ID;
use crate::witness::{Moment, WitnessBox};
use crate::world::{Options, World};

/// A wait that lasts longer than this in a test will never end.
const WAIT_LIMIT: Duration = Duration::from_mins(1);

/// A running data centre. Clones are handles to the same one; it ends with the last of them.
#[derive(Clone)]
pub struct DataCentre {
    pub(crate) inner: Arc<Inner>,
    guard: Arc<StopGuard>,
}

/// What connections share.
pub(crate) struct Inner {
    pub(crate) clock: Clock,
    pub(crate) log: Log,
    pub(crate) bots: Vec<BotRuntime>,
    pub(crate) options: Options,
    pub(crate) witness: WitnessBox,
    address: SocketAddr,
    state: Mutex<State>,
    mode: Mutex<Mode>,
    open_connections: AtomicUsize,
    connections: AtomicU64,
    last_message_id: AtomicI64,
}

/// Which connections must end: all with a number up to this one.
type KilledUpTo = watch::Sender<u64>;

struct StopGuard(KilledUpTo);

impl Drop for StopGuard {
    fn drop(&mut self) {
        self.0.send_replace(u64::MAX);
    }
}

impl DataCentre {
    /// Starts on a free port of 127.0.0.1.
    pub async fn start(world: World) -> io::Result<Self> {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), world).await
    }

    /// Starts on a given address, which must be a loopback one: keys and codes of the simulation are no secrets.
    pub async fn start_on(address: SocketAddr, world: World) -> io::Result<Self> {
        let refuse = |message: String| Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        if !address.ip().is_loopback() {
            return refuse(format!("{address} is not a loopback address; the simulation listens on no other"));
        }
        if let Err(error) = world.check() {
            return refuse(error.to_string());
        }
        let listener = TcpListener::bind(address).await?;
        let clock = Clock::new(world.options.clock_start.unwrap_or_else(Utc::now), world.options.clock_speed);
        let state = State::new(&world, clock.unix());
        let bots = world.bots.iter().map(|bot| BotRuntime::new(bot.behaviour.clone())).collect();
        let inner = Arc::new(Inner {
            log: Log::new(world.options.log_limit),
            clock,
            bots,
            witness: WitnessBox::default(),
            address: listener.local_addr()?,
            state: Mutex::new(state),
            mode: Mutex::default(),
            open_connections: AtomicUsize::new(0),
            connections: AtomicU64::new(0),
            last_message_id: AtomicI64::new(0),
            options: world.options,
        });
        let (killed, watcher) = watch::channel(0);
        tokio::spawn(accept(listener, inner.clone(), watcher));
        Ok(Self { inner, guard: Arc::new(StopGuard(killed)) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.inner.address
    }

    /// The seed of [`derived_key`].
    #[must_use]
    pub fn key_seed(&self) -> &str {
        &self.inner.options.key_seed
    }

    /// The pre-shared authorisation key of an account, by its short name.
    #[must_use]
    pub fn key_of(&self, account: &str) -> [u8; crate::AUTH_KEY_LENGTH] {
        derived_key(self.key_seed(), account)
    }

    /// The lines that a user of `tgsignd` puts below `[telegram]`.
    #[must_use]
    pub fn daemon_config(&self) -> String {
        let seed = toml::Value::from(self.key_seed());
        format!("test_data_centres = [{{ id = {DC_ID}, address = \"{}\", key_seed = {seed} }}]\n", self.address())
    }

    /// The world's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Everything received so far.
    #[must_use]
    pub fn log(&self) -> Vec<Entry> {
        self.inner.log.entries()
    }

    /// Everything received after the entry with this sequence number.
    #[must_use]
    pub fn log_since(&self, sequence: u64) -> Vec<Entry> {
        self.inner.log.since(sequence)
    }

    /// A receiver that changes with every entry of the log.
    #[must_use]
    pub fn log_changes(&self) -> watch::Receiver<u64> {
        self.inner.log.changes()
    }

    /// Waits until the log fulfils a condition.
    ///
    /// # Panics
    /// After 60 seconds, with the log as message.
    pub async fn wait_for(&self, condition: impl Fn(&[Entry]) -> bool) {
        self.wait_until(|| self.inner.log.read(&condition).then_some(())).await;
    }

    /// Waits for the first entry that fulfils a condition.
    ///
    /// # Panics
    /// After 60 seconds, with the log as message.
    pub async fn wait_for_entry(&self, condition: impl Fn(&Entry) -> bool) -> Entry {
        self.wait_until(|| self.inner.log.read(|entries| entries.iter().find(|entry| condition(entry)).cloned())).await
    }

    async fn wait_until<T>(&self, found: impl Fn() -> Option<T>) -> T {
        let mut changes = self.inner.log.changes();
        let wait = async {
            loop {
                changes.borrow_and_update();
                if let Some(found) = found() {
                    return found;
                }
                // The sender lives as long as `self`.
                let _ = changes.changed().await;
            }
        };
        if let Ok(found) = tokio::time::timeout(WAIT_LIMIT, wait).await {
            return found;
        }
        let lines: Vec<String> = self.log().iter().map(ToString::to_string).collect();
        panic!("what was waited for did not happen within {WAIT_LIMIT:?}; the log:\n{}", lines.join("\n"));
    }

    /// How many connections are open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.inner.open_connections.load(Ordering::Relaxed)
    }

    /// How many connections were accepted since the start.
    #[must_use]
    pub fn accepted_connections(&self) -> u64 {
        self.inner.connections.load(Ordering::Relaxed)
    }

    /// Closes every open connection.
    pub fn kill_connections(&self) {
        self.guard.0.send_replace(self.accepted_connections());
    }

    /// Ends the data centre: closes the listener and every connection.
    pub fn stop(&self) {
        self.guard.0.send_replace(u64::MAX);
    }

    /// What happens to connections from now on. Open ones stay.
    pub fn set_mode(&self, mode: Mode) {
        *self.inner.mode.lock().unwrap_or_else(PoisonError::into_inner) = mode;
    }

    /// Tells `witness` of every moment of every call from now on, in place of the one before. The call waits for it; when it
    /// breaks, the connection is closed and the call goes no further.
    pub fn set_witness(&self, witness: impl Fn(&Moment) -> ControlFlow<()> + Send + Sync + 'static) {
        self.inner.witness.set(Some(Arc::new(witness)));
    }

    /// Puts a fault before the next call of a method, named as in TL, for example `messages.sendMessage`.
    pub fn inject(&self, method: &str, fault: Fault) {
        self.inner.state().faults.add(method, None, fault);
    }

    /// The same for the next call of one account.
    pub fn inject_for(&self, account: &str, method: &str, fault: Fault) {
        self.inner.state().faults.add(method, Some(account.into()), fault);
    }

    /// Terminates every session of an account: its calls get 401 `AUTH_KEY_UNREGISTERED` until it signs in again.
    pub fn revoke(&self, account: &str) {
        self.end_sessions(account, "AUTH_KEY_UNREGISTERED");
    }

    /// The same with 401 `SESSION_REVOKED`.
    pub fn revoke_session(&self, account: &str) {
        self.end_sessions(account, "SESSION_REVOKED");
    }

    /// Bans an account: 401 `USER_DEACTIVATED_BAN`.
    pub fn ban(&self, account: &str) {
        self.end_sessions(account, "USER_DEACTIVATED_BAN");
    }

    fn end_sessions(&self, account: &str, error: &'static str) {
        let mut state = self.inner.state();
        let index = existing(state.account_named(account), account);
        for key in state.keys_of(index) {
            key.set_login(Login::Revoked(error));
        }
        state.accounts[index].subscribers.clear();
    }

    /// Forgets every key of an account: the next packet gets the transport error -404.
    pub fn forget_key(&self, account: &str) {
        let mut state = self.inner.state();
        let index = existing(state.account_named(account), account);
        let mut ids: Vec<[u8; 8]> = state.keys_of(index).map(|key| key.id).collect();
        ids.push(key_id(&self.key_of(account)));
        for id in ids {
            state.forget_key(id);
        }
        state.accounts[index].subscribers.clear();
    }

    /// Makes a key known, signed in to an account or to none.
    pub fn add_key(&self, key: [u8; crate::AUTH_KEY_LENGTH], account: Option<&str>) {
        let mut state = self.inner.state();
        let login = account.map_or(Login::SignedOut, |name| Login::SignedIn(existing(state.account_named(name), name)));
        let key = AuthKey::new(key, 0, login);
        key.renew_salt();
        state.add_key(key);
    }
}

/// The tests' own mistakes end the test.
///
/// # Panics
/// When `found` is `None`.
#[track_caller]
pub(crate) fn existing<T>(found: Option<T>, name: &str) -> T {
    match found {
        Some(found) => found,
        None => panic!("nothing called {name:?} exists in this world"),
    }
}

impl Inner {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message identifier as servers make them: real time, unique, odd (1 for answers, 3 for everything else).
    pub(crate) fn next_message_id(&self, is_answer: bool) -> i64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(0);
        let now = (seconds << 32) | (i64::from(since_epoch.subsec_nanos()) << 2);
        let previous = self.last_message_id.fetch_max(now, Ordering::Relaxed);
        let id = if previous >= now { self.last_message_id.fetch_add(4, Ordering::Relaxed) + 4 } else { now };
        id | if is_answer { 1 } else { 3 }
    }

    fn mode(&self) -> Mode {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, centre: Arc<Inner>, mut killed: watch::Receiver<u64>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = killed.wait_for(|up_to| *up_to == u64::MAX) => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let number = centre.connections.fetch_add(1, Ordering::Relaxed) + 1;
                let open = centre.open_connections.fetch_add(1, Ordering::Relaxed) + 1;
                let is_welcome = open <= centre.options.max_connections;
                tokio::spawn(attend(stream, number, is_welcome, centre.clone(), killed.clone()));
            }
            // Out of descriptors, or the peer has gone again: neither is a reason to stop listening.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

async fn attend(
    stream: TcpStream,
    number: u64,
    is_welcome: bool,
    centre: Arc<Inner>,
    mut killed: watch::Receiver<u64>,
) {
    let now = || centre.clock.now();
    centre.log.add(now(), Some(number), None, Event::Connected);
    let mut connection = None;
    let serve = async {
        if !is_welcome {
            return Ending("too many connections".into());
        }
        match centre.mode() {
            Mode::Normal => connection.insert(Connection::new(centre.clone(), stream, number)).run().await,
            Mode::CloseOnAccept => Ending("closed on accept".into()),
            Mode::SilentOnAccept => std::future::pending().await,
        }
    };
    let Ending(reason) = tokio::select! {
        ending = serve => ending,
        _ = killed.wait_for(|up_to| *up_to >= number) => Ending("closed by the data centre".into()),
    };
    let account = connection.as_ref().and_then(Connection::account_name);
    drop(connection);
    centre.open_connections.fetch_sub(1, Ordering::Relaxed);
    centre.log.add(now(), Some(number), account, Event::Disconnected { reason });
}
