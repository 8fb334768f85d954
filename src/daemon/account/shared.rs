//! What all actors share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::ai::Budget;
use crate::daemon::backup::Ownership;
use crate::kernel::Event;
use crate::kernel::record::Instance;
use crate::ledger::LedgerHandle;
use crate::telegram::network::Network;

/// What all actors share.
#[derive(Debug)]
pub struct Shared {
    /// The data directory.
    pub datadir: PathBuf,
    /// Claims and runs.
    pub ledger: LedgerHandle,
    /// Secrets of the instance.
    pub instance: Instance,
    /// To the daemon's loop, or to whoever stands in its place.
    pub events: mpsc::UnboundedSender<Event>,
    /// Turns true when runs have to end.
    pub stop: watch::Receiver<bool>,
    /// The state came from a backup: of slots up to then nobody here knows whether they were done after it was made.
    pub uncertain_until: Option<DateTime<Utc>>,
    /// The right to sign in, where there is a backup.
    pub ownership: Option<Ownership>,
    /// How often models were asked.
    pub model_calls: Arc<Budget>,
    /// Where connections are opened.
    pub network: Network,
    /// How often a connection that is always open is tried; see [`LOOK_EVERY`].
    pub look_every: Duration,
    /// One for each connection that may be open on demand.
    pub places: Arc<Semaphore>,
}

/// Accounts that are connected on demand at one time. Each costs a tenth of a megabyte, and Telegram sees all of them come from
/// one address; the next one's turn comes as soon as one is done.
pub const PLACES: usize = 200;

/// Five minutes: a session that was ended is told long before its next run, for a few bytes an hour.
pub const LOOK_EVERY: Duration = Duration::from_mins(5);

impl Shared {
    /// Where the session files are.
    pub fn sessions(&self) -> PathBuf {
        self.datadir.join("sessions")
    }

    /// Where the transcripts are.
    pub fn transcripts(&self) -> PathBuf {
        self.datadir.join("logs").join("runs")
    }
}
