//! The way to the actor, and what comes from it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::actor::Actor;
use super::ownership::{self, Ownership};
use crate::backup::log::Keep;
use crate::backup::sync::{Engine, Reason};
use crate::config::secret::Secret;
use crate::config::{Backup, Sources};
use crate::kernel::status::{BackupStatus, Restored};
use crate::ledger::LedgerHandle;
use crate::names::AccountName;

/// Reports that may wait.
const QUEUE: usize = 16;

/// What the actor is told.
pub(super) enum Order {
    Changed(Reason),
    Now(oneshot::Sender<Result<String, String>>),
    Resolve(Keep, oneshot::Sender<Result<String, String>>),
    Finish(oneshot::Sender<()>),
}

/// What the actor tells.
pub enum Report {
    /// How things are.
    Status(Box<BackupStatus>),
    /// Another process has taken over: disconnect, then [`BackupHandle::finish`].
    Superseded,
    /// A person has to look.
    Alarm {
        /// The word used in metrics.
        kind: &'static str,
        /// One line.
        reason: String,
    },
    /// Something came in; the answer goes back to whoever sent it.
    Delivered {
        /// What.
        content: Delivered,
        /// Applied, or refused, and a line about it.
        answer: oneshot::Sender<Result<String, String>>,
    },
}

/// What came in. It is authentic, and nothing else is known about it.
#[derive(Debug)]
pub enum Delivered {
    /// All files of a workdir.
    Workdir(BTreeMap<String, Vec<u8>>),
    /// The session of an account.
    Session {
        /// Whose.
        account: AccountName,
        /// The file.
        file: Secret<Vec<u8>>,
    },
}

/// The configuration in force, for the next commit.
#[derive(Debug, Clone, Default)]
pub(super) struct InForce {
    pub(super) sources: Arc<Sources>,
    /// No slot before that can be claimed any more.
    pub(super) longest_window: Duration,
}

/// The way to the actor.
#[derive(Debug)]
pub struct BackupHandle {
    orders: mpsc::UnboundedSender<Order>,
    in_force: watch::Sender<InForce>,
    ownership: Ownership,
}

impl BackupHandle {
    /// Starts the actor of a process that has become the owner. Its engine has been told its instance.
    pub fn start(
        engine: Engine,
        settings: &Backup,
        restored: Option<Restored>,
        ledger: LedgerHandle,
    ) -> (Self, mpsc::Receiver<Report>) {
        let (orders, queue) = mpsc::unbounded_channel();
        let (reports, received) = mpsc::channel(QUEUE);
        let (in_force, configuration) = watch::channel(InForce::default());
        let ownership = ownership::watch(engine.lookout(), settings.interval, reports.clone());
        let actor = Actor::new(engine, settings, restored, ledger, reports, configuration, ownership.clone());
        tokio::spawn(actor.work(queue));
        (Self { orders, in_force, ownership }, received)
    }

    /// The right to sign in, to be asked before every run.
    pub fn ownership(&self) -> Ownership {
        self.ownership.clone()
    }

    /// A configuration is in force.
    pub fn configured(&self, sources: Arc<Sources>, longest_window: Duration) {
        self.in_force.send_replace(InForce { sources, longest_window });
        self.changed(Reason::Configuration);
    }

    /// Something is worth saving.
    pub fn changed(&self, reason: Reason) {
        let _ = self.orders.send(Order::Changed(reason));
    }

    /// Commits at once, and answers in one line.
    pub fn now(&self) -> oneshot::Receiver<Result<String, String>> {
        let (reply, answer) = oneshot::channel();
        let _ = self.orders.send(Order::Now(reply));
        answer
    }

    /// Decides a conflict.
    pub fn resolve(&self, keep: Keep) -> oneshot::Receiver<Result<String, String>> {
        let (reply, answer) = oneshot::channel();
        let _ = self.orders.send(Order::Resolve(keep, reply));
        answer
    }

    /// Nothing uses the sessions any more: a last commit, then the release record. Ends the actor.
    pub async fn finish(self) {
        let (done, ended) = oneshot::channel();
        let _ = self.orders.send(Order::Finish(done));
        let _ = ended.await;
    }
}
