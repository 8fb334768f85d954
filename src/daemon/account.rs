//! One actor for each account: its queue, its one connection, its runs, one after the other.

mod job;
mod shared;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;
use tracing::{Instrument, debug, info, info_span, warn};

pub(super) use self::job::ConnectError;
pub use self::job::{Ended, Job, RunReply};
pub use self::shared::{LOOK_EVERY, PLACES, Shared};
use super::attempt;
use super::insist::{Patience, insist};
use super::rehearsal::rehearse;
use crate::config::{Ai, Connect, Task};
use crate::kernel::Event;
use crate::kernel::status::AccountStatus;
use crate::ledger::{DirectoryLock, LedgerError};
use crate::names::AccountName;
use crate::telegram::chats;
use crate::telegram::connection::{Connection, Settings};
use crate::telegram::data_centre::DataCentres;
use crate::telegram::error::CallError;
use crate::telegram::history;
use crate::telegram::run::{Posts, stopped};
use crate::telegram::session::SessionFile;

/// How long an idle connection of `connect = "on-demand"` stays open: long enough for the next task in the queue, short
/// enough that hundreds of accounts do not add up.
const LINGER: Duration = Duration::from_secs(5);

/// Why a call was not waited for.
const STOPPING: &str = "the daemon is stopping";

/// Pauses between attempts to connect: doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How the account is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// For new connections.
    pub settings: Settings,
    /// Where they go.
    pub data_centres: DataCentres,
    /// When they are opened.
    pub connect: Connect,
    /// Models that its conversations may ask.
    pub ai: Option<Ai>,
    /// Shortest time between own messages in a group.
    pub post_gap: Duration,
}

/// The way to an actor; the actor ends when it is dropped.
#[derive(Debug)]
pub struct AccountHandle {
    jobs: mpsc::UnboundedSender<Job>,
    /// Not a job: it has to be heard while the actor waits for a connection.
    reach: watch::Sender<Reach>,
}

impl AccountHandle {
    /// Starts the actor of an account. `tasks` tells when it ends.
    pub fn start(name: AccountName, reach: Reach, shared: Arc<Shared>, tasks: &mut JoinSet<()>) -> (Self, Id) {
        let (jobs, queue) = mpsc::unbounded_channel();
        let (reach, reached) = watch::channel(reach);
        let span = info_span!("account", account = %name);
        let task = tasks.spawn(Account::new(name, reached, shared).work(queue).instrument(span));
        (Self { jobs, reach }, task.id())
    }

    /// Changes how the account is reached. An open connection is closed when it was made differently.
    pub fn reach(&self, reach: Reach) {
        self.reach.send_if_modified(|known| {
            let changed = *known != reach;
            *known = reach;
            changed
        });
    }

    /// Closes the connection, also when nothing else changed: the session file is a new one.
    pub fn reconnect(&self) {
        self.reach.send_modify(|_| {});
    }

    /// Gives the actor something to do; it comes back when the actor has died.
    pub fn give(&self, job: Job) -> Result<(), Job> {
        self.jobs.send(job).map_err(|mpsc::error::SendError(job)| job)
    }
}

/// The state of an actor.
pub(super) struct Account {
    pub(super) name: AccountName,
    pub(super) reach: watch::Receiver<Reach>,
    pub(super) shared: Arc<Shared>,
    pub(super) connection: Option<Connection>,
    /// Held while connected: a session that two processes use is ended by Telegram.
    lock: Option<DirectoryLock>,
    /// Held while connected on demand.
    place: Option<OwnedSemaphorePermit>,
    pub(super) status: AccountStatus,
    /// When it wrote in its groups last.
    pub(super) posts: Arc<Posts>,
}

impl Account {
    /// An account without a connection.
    fn new(name: AccountName, reach: watch::Receiver<Reach>, shared: Arc<Shared>) -> Self {
        Self {
            name,
            reach,
            shared,
            connection: None,
            lock: None,
            place: None,
            status: AccountStatus::default(),
            posts: Arc::default(),
        }
    }

    async fn work(mut self, mut queue: mpsc::UnboundedReceiver<Job>) {
        let mut stop = self.shared.stop.clone();
        let mut idle_since = Instant::now();
        // Of an account that is always connected.
        let (mut retry_at, mut pause) = (Instant::now(), FIRST_PAUSE);
        let mut look_at = Instant::now() + self.shared.look_every;
        loop {
            let always = self.is_always_connected();
            tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                job = queue.recv() => {
                    let Some(job) = job else { break };
                    self.queued(queue.len());
                    // Boxed, so that an account without work is small: hundreds of them wait most of the day.
                    Box::pin(self.perform(job)).await;
                    self.queued(queue.len());
                    idle_since = Instant::now();
                    let others_wait = self.shared.places.available_permits() == 0;
                    if others_wait && queue.is_empty() && !self.is_always_connected() {
                        self.close();
                    }
                }
                Ok(()) = self.reach.changed() => {
                    self.close();
                    // Whoever signed in again sees at once that it works.
                    if self.status.authorized.take() == Some(false) {
                        self.try_connect(FIRST_PAUSE).await;
                    }
                    (retry_at, pause) = (Instant::now(), FIRST_PAUSE);
                }
                () = broken(self.connection.as_mut()), if self.connection.is_some() => self.close(),
                () = tokio::time::sleep_until(idle_since + LINGER), if self.connection.is_some() && !always => self.close(),
                () = tokio::time::sleep_until(retry_at), if self.connection.is_none() && always => {
                    pause = self.try_connect(pause).await;
                    retry_at = Instant::now() + pause;
                    look_at = Instant::now() + self.shared.look_every;
                }
                () = tokio::time::sleep_until(look_at), if self.connection.is_some() && always => {
                    self.look().await;
                    look_at = Instant::now() + self.shared.look_every;
                }
            }
        }
        self.close();
    }

    fn queued(&mut self, jobs: usize) {
        if self.status.queue_length != jobs {
            self.status.queue_length = jobs;
            self.tell();
        }
    }

    fn is_always_connected(&self) -> bool {
        self.reach.borrow().connect == Connect::Always
    }

    async fn perform(&mut self, job: Job) {
        match job {
            Job::Run { order, after, reply } => {
                after.recorded().await;
                let span =
                    info_span!("run", run_id = tracing::field::Empty, task = %order.key.task, slot = %order.key.slot);
                attempt::carry_out(self, *order, reply).instrument(span).await;
            }
            Job::Rehearse { task, reply } => {
                let _ = reply.send(rehearse(self, &task).await).await;
            }
            Job::Delete { task, messages } => {
                if let Err(error) = self.delete(&task, messages).await {
                    warn!(%error, task = %task.name, "own messages could not be deleted");
                }
            }
        }
    }

    async fn delete(
        &mut self,
        task: &Task,
        messages: Vec<i32>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.connect().await?;
        let connection = self.connection.as_ref().ok_or("no connection")?;
        let peer = chats::find(connection, &task.chat).await?;
        history::delete(connection, peer, messages).await?;
        Ok(())
    }

    /// Connects, and says how long to wait before that is tried again, if it has to be.
    async fn try_connect(&mut self, pause: Duration) -> Duration {
        let Err(error) = self.connect().await else { return FIRST_PAUSE };
        warn!(%error, "cannot connect");
        if error.is_final() { LONGEST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) }
    }

    /// Asks over an idle connection whether it still leads somewhere: a peer that went away says nothing, and neither does
    /// Telegram when it ends a session.
    async fn look(&mut self) {
        let mut stop = self.shared.stop.clone();
        let Some(connection) = &mut self.connection else { return };
        let looked = tokio::select! {
            () = stopped(&mut stop) => return,
            looked = connection.check_authorised() => looked,
        };
        let Err(error) = looked else { return };
        warn!(%error, "an idle connection was of no use any more");
        self.learn(&error);
        if error.is_uncertain() {
            self.close();
        }
    }

    /// Opens the connection unless it is open. Telegram is asked whether the session is still valid.
    pub(super) async fn connect(&mut self) -> Result<(), ConnectError> {
        if let Some(ownership) = &self.shared.ownership {
            ownership.confirm().await?;
        }
        let reach_changed = self.reach.has_changed().unwrap_or(false);
        if reach_changed || self.connection.as_ref().is_some_and(Connection::is_broken) {
            self.close();
        }
        if self.connection.is_some() {
            return Ok(());
        }
        self.take_place().await?;
        let opened = Box::pin(self.open()).await;
        match &opened {
            Ok(connection) => {
                debug!("connected");
                self.status.authorized = Some(true);
                self.status.connected = true;
                self.status.flood_wait_until.take_if(|until| *until <= chrono::Utc::now());
                self.status.error = None;
                debug_assert!(!connection.is_broken());
            }
            Err(error) => {
                (self.lock, self.place) = (None, None);
                self.status.connected = false;
                self.status.error = Some(error.to_string());
                if error.is_final() {
                    self.status.authorized = Some(false);
                }
            }
        }
        self.tell();
        self.connection = Some(opened?);
        Ok(())
    }

    /// Waits for its turn to be connected.
    async fn take_place(&mut self) -> Result<(), ConnectError> {
        if self.place.is_none() && !self.is_always_connected() {
            let mut stop = self.shared.stop.clone();
            self.place = tokio::select! {
                () = stopped(&mut stop) => Err(CallError::Network(STOPPING.to_owned()))?,
                place = Arc::clone(&self.shared.places).acquire_owned() => place.ok(),
            };
        }
        Ok(())
    }

    async fn open(&mut self) -> Result<Connection, ConnectError> {
        let Reach { settings, data_centres, .. } = self.reach.borrow_and_update().clone();
        let (folder, name) = (self.shared.sessions(), self.name.clone());
        if self.lock.is_none() {
            self.lock = Some(DirectoryLock::acquire(&folder.join(format!("{name}.lock")))?);
        }
        let session = tokio::task::spawn_blocking(move || SessionFile::open(&folder, name.as_str(), &data_centres))
            .await
            .map_err(|error| CallError::Session(error.to_string()))??;
        let mut connection = Connection::new(session, settings, &self.shared.network).await?;
        let mut stop = self.shared.stop.clone();
        tokio::select! {
            // A data centre that never answers must not put the end of the daemon off.
            () = stopped(&mut stop) => Err(CallError::Network(STOPPING.to_owned()))?,
            checked = connection.check_authorised() => checked?,
        }
        Ok(connection)
    }

    /// Closes the connection.
    pub(super) fn close(&mut self) {
        (self.lock, self.place) = (None, None);
        if self.connection.take().is_some() {
            debug!("disconnected");
            self.status.connected = false;
            self.tell();
        }
    }

    /// Reports what a call said about the account.
    pub(super) fn learn(&mut self, error: &CallError) {
        self.status.error = Some(error.to_string());
        match error {
            CallError::Unauthorised(_) => {
                self.status.authorized = Some(false);
                self.close();
            }
            CallError::FloodWait(wait) => self.status.flood_wait_until = Some(chrono::Utc::now() + *wait),
            _ => {}
        }
        self.tell();
    }

    /// Repeats a call to the ledger for as long as `patience` lasts.
    pub(super) async fn insist<T, F>(&self, patience: Patience, call: impl Fn() -> F) -> Result<T, String>
    where
        F: Future<Output = Result<T, LedgerError>>,
    {
        let kept = insist(&self.shared.stop, &self.shared.events, patience, call).await;
        kept.map_err(|error| error.to_string())
    }

    /// Publishes the status.
    pub(super) fn tell(&self) {
        let _ = self.shared.events.send(Event::Account { account: self.name.clone(), status: self.status.clone() });
    }

    /// Connects, trying again with growing pauses until `give_up` or until the daemon stops.
    pub(super) async fn connect_until(&mut self, give_up: Instant) -> Result<(), ConnectError> {
        let mut pause = FIRST_PAUSE;
        let mut stop = self.shared.stop.clone();
        loop {
            let error = match self.connect().await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if error.is_final() || Instant::now() + pause >= give_up {
                return Err(error);
            }
            info!(%error, pause_seconds = pause.as_secs(), "cannot connect, trying again");
            tokio::select! {
                () = stopped(&mut stop) => return Err(error),
                // Somebody mended the proxy, or signed in again.
                Ok(()) = self.reach.changed() => self.close(),
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Drops what comes over an idle connection, until that breaks.
async fn broken(connection: Option<&mut Connection>) {
    match connection {
        Some(connection) => connection.drain().await,
        None => std::future::pending().await,
    }
}
