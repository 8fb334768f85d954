//! One account's connection: grammers with our own time limits and without its replays.
//!
//! grammers repeats a call whose connection broke, a button press too; has no time limit on anything; and ends its runner
//! task when a connection panics. So: no retries, a limit on every call, and a runner that is aborted and replaced.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use grammers_client::Client;
use grammers_client::sender::SenderPool;
use grammers_mtsender::{ConnectionParams, NoRetries};
use grammers_session::updates::UpdatesLike;
use grammers_tl_types as tl;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::error::CallError;
use super::network::Network;
use super::session::SessionFile;

/// How long a call may take, connecting included. Telegram answers within a second or two; the rest is for slow proxies.
pub const CALL_LIMIT: Duration = Duration::from_secs(30);

/// Updates kept while a run looks elsewhere. More are dropped, and the run then reads the chat's history.
const UPDATES_KEPT: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not zero");

/// What a connection is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The user's own `api_id`.
    pub api_id: i32,
    /// `socks5://…`
    pub proxy: Option<crate::config::ProxyUrl>,
    /// Only simulated data centres ask for it.
    pub use_ipv6: bool,
}

/// A connection that opens with the first call and closes when dropped.
pub struct Connection {
    client: Client,
    /// Seconds by which Telegram's clock is ahead of ours.
    clock_offset: i64,
    settings: Settings,
    session: Arc<SessionFile>,
    /// What Telegram tells without being asked.
    pub updates: mpsc::Receiver<UpdatesLike>,
    runner: JoinHandle<()>,
    /// Where the runner is.
    runtime: Handle,
    /// A call was not answered in time: the other side may be gone without a word, and nothing else would notice.
    silent: AtomicBool,
}

impl Connection {
    /// Prepares the connection; nothing is sent yet.
    pub async fn new(session: Arc<SessionFile>, settings: Settings, network: &Network) -> Result<Self, CallError> {
        Self::on(network.runtime(), session, settings).await
    }

    async fn on(runtime: &Handle, session: Arc<SessionFile>, settings: Settings) -> Result<Self, CallError> {
        // Every field is named: `ConnectionParams::default()` starts child processes to describe the host and takes 10 ms.
        let parameters = ConnectionParams {
            device_model: "tgsignd".into(),
            system_version: std::env::consts::OS.into(),
            app_version: env!("CARGO_PKG_VERSION").into(),
            system_lang_code: "en".into(),
            lang_code: "en".into(),
            proxy_url: settings.proxy.as_ref().map(|url| url.expose().to_owned()),
            use_ipv6: settings.use_ipv6,
            retry_policy: Box::new(NoRetries),
            updates_channel_capacity: UPDATES_KEPT,
            __non_exhaustive: (),
        };
        let (of_pool, api_id) = (Arc::clone(&session), settings.api_id);
        // What the pool reserves from the start belongs to that thread's memory too.
        let made = runtime.spawn(async move {
            let SenderPool { runner, handle, updates } = SenderPool::with_configuration(of_pool, api_id, parameters);
            (handle, updates, tokio::spawn(runner.run()))
        });
        let (handle, updates, runner) =
            made.await.map_err(|_| CallError::Network("the connections' thread has ended".to_owned()))?;
        Ok(Self {
            client: Client::new(handle),
            clock_offset: 0,
            settings,
            session,
            updates,
            runner,
            runtime: runtime.clone(),
            silent: AtomicBool::new(false),
        })
    }

    /// The session of the connection.
    pub fn session(&self) -> &Arc<SessionFile> {
        &self.session
    }

    /// grammers' client, for what it does better than a raw call.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Starts a broken connection anew; nothing is sent yet. Where that fails, it stays broken.
    pub async fn renew_if_broken(&mut self) {
        if !self.is_broken() {
            return;
        }
        let clock_offset = self.clock_offset;
        let renewed = Self::on(&self.runtime, Arc::clone(&self.session), self.settings.clone()).await;
        if let Ok(renewed) = renewed {
            *self = renewed;
            self.clock_offset = clock_offset;
        }
    }

    /// Drops updates until the connection breaks, so that messages of other chats do not pile up.
    ///
    /// grammers opens a broken connection with the next call only, and keeps the most memory that updates ever took.
    pub async fn drain(&mut self) {
        while let Some(updates) = self.updates.recv().await {
            if matches!(updates, UpdatesLike::ConnectionClosed) {
                return;
            }
        }
    }

    /// Whether the connection cannot be used again.
    pub fn is_broken(&self) -> bool {
        self.silent.load(Ordering::Relaxed) || self.runner.is_finished()
    }

    /// Calls a method, at most for [`CALL_LIMIT`].
    pub async fn call<R: tl::RemoteCall>(&self, request: &R) -> Result<R::Return, CallError> {
        self.call_within(CALL_LIMIT, request).await
    }

    /// Calls a method with a limit of its own.
    pub async fn call_within<R: tl::RemoteCall>(&self, limit: Duration, request: &R) -> Result<R::Return, CallError> {
        self.limited(limit, self.client.invoke(request)).await?.map_err(CallError::from)
    }

    /// Waits for what the client does with this connection; when it takes longer, the connection is given up.
    pub async fn limited<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Result<T, CallError> {
        if let Ok(done) = tokio::time::timeout(limit, work).await {
            return Ok(done);
        }
        self.silent.store(true, Ordering::Relaxed);
        self.runner.abort();
        Err(CallError::TimedOut(limit))
    }

    /// Connects, and asks whether the session is still valid. Telegram sends updates from then on.
    pub async fn check_authorised(&mut self) -> Result<(), CallError> {
        let tl::enums::updates::State::State(state) = self.call(&tl::functions::updates::GetState {}).await?;
        self.clock_offset = i64::from(state.date) - chrono::Utc::now().timestamp();
        Ok(())
    }

    /// An instant of our clock as Telegram's clock shows it, in Unix seconds. Messages carry Telegram's time, and the clock of
    /// a small machine may be minutes off.
    pub fn telegram_time(&self, instant: chrono::DateTime<chrono::Utc>) -> i64 {
        instant.timestamp() + self.clock_offset
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // `Client::disconnect` does not free a runner that hangs in a connection attempt; aborting does.
        self.runner.abort();
    }
}
