//! The thread that owns the ledger, and the handle everybody else has.
//!
//! Everything that waits when the thread turns is performed in one transaction and answered after its commit, so five hundred
//! claims at one instant cost a few syncs of the disk instead of five hundred.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot};

use super::engine::{Durability, Engine, Ledger, Tasks};
use super::error::LedgerError;
use super::record::{
    ActivePair, Claim, ClaimHistory, ClaimResult, Instance, JournalEntry, LedgerVersion, NotRun, Position, RunFilter,
    RunRecord,
};
use crate::kernel::status::LedgerSizes;
use crate::names::{RunId, RunKey};
use crate::script::JournalMark;

/// Requests that may wait before callers wait for a place.
const QUEUE: usize = 1024;

/// Requests in one transaction at most, so that the first of them does not wait for ever.
const GROUP: usize = 512;

/// Claims removed in one step of pruning, so that claims which wait meanwhile get their turn.
const PRUNE_STEP: usize = 500;

/// The ledger for asynchronous code. Clones share one thread.
///
/// Every call answers only after its transaction is durable: synced, unless the call says something else. A thread that has
/// ended is [`LedgerError::Stopped`].
#[derive(Debug, Clone)]
pub struct LedgerHandle {
    messages: mpsc::Sender<Message>,
    file: Arc<Path>,
}

enum Message {
    Request(Box<dyn Request>),
    Close(oneshot::Sender<()>),
}

impl LedgerHandle {
    /// Gives `engine` a thread of its own; `file` is what errors call it.
    pub fn start(engine: impl Engine + 'static, file: &Path) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        std::thread::Builder::new().name("ledger".to_owned()).spawn(move || serve(engine, receiver))?;
        Ok(Self { messages: sender, file: file.into() })
    }

    /// Takes a slot, unless it is taken; see [`Ledger::claim`]. It is only [`Durability::Written`]: the mark that comes before
    /// the first command syncs the claim with itself, and until then there is nothing that could happen twice.
    pub async fn claim(&self, claim: Claim) -> Result<ClaimResult, LedgerError> {
        self.ask_for(Durability::Written, move |ledger| ledger.claim(&claim)).await
    }

    /// Adds a trace to a claim; see [`Ledger::journal`]. A mark that comes after a command is only [`Durability::Written`]: at
    /// worst a loss of power leaves the mark before it, as it would a moment earlier.
    pub async fn journal(&self, run_id: RunId, entry: JournalEntry) -> Result<(), LedgerError> {
        let durability = match entry.mark {
            JournalMark::Begun { .. } => Durability::Synced,
            JournalMark::Sent { .. } | JournalMark::Clicked { .. } | JournalMark::Done { .. } => Durability::Written,
        };
        self.ask_for(durability, move |ledger| ledger.journal(&run_id, &entry)).await
    }

    /// Adds several traces to a claim, all of them or none; see [`Ledger::journal`].
    pub async fn journal_all(&self, run_id: RunId, entries: Vec<JournalEntry>) -> Result<(), LedgerError> {
        self.ask(move |ledger| entries.iter().try_for_each(|entry| ledger.journal(&run_id, entry))).await
    }

    /// Keeps how an attempt ended; see [`Ledger::finish`].
    pub async fn finish(&self, record: RunRecord) -> Result<(), LedgerError> {
        self.ask(move |ledger| ledger.finish(&record)).await
    }

    /// Takes a slot that will never be run; see [`Ledger::record_without_run`].
    pub async fn record_without_run(
        &self,
        key: RunKey,
        what: NotRun,
        reason: String,
        at: DateTime<Utc>,
    ) -> Result<ClaimResult, LedgerError> {
        self.ask(move |ledger| ledger.record_without_run(&key, what, &reason, at)).await
    }

    /// Claims that are not closed; see [`Ledger::open_claims`].
    pub async fn open_claims(&self) -> Result<Vec<ClaimHistory>, LedgerError> {
        self.ask(|ledger| ledger.open_claims()).await
    }

    /// Where every task and account stands; see [`Ledger::positions`].
    pub async fn positions(&self) -> Result<Vec<Position>, LedgerError> {
        self.ask(|ledger| ledger.positions()).await
    }

    /// Keeps that people were told of a deadline; see [`Ledger::keep_deadline_alarm`].
    pub async fn keep_deadline_alarm(&self, key: RunKey) -> Result<(), LedgerError> {
        self.ask(move |ledger| ledger.keep_deadline_alarm(&key)).await
    }

    /// Since when pairs have had their schedules; see [`Ledger::active_since`].
    pub async fn active_since(
        &self,
        of: Tasks,
        pairs: Vec<ActivePair>,
        now: DateTime<Utc>,
    ) -> Result<Vec<DateTime<Utc>>, LedgerError> {
        self.ask(move |ledger| ledger.active_since(&of, &pairs, now)).await
    }

    /// The pairs that had schedules last; see [`Ledger::active`].
    pub async fn active(&self) -> Result<Vec<(ActivePair, DateTime<Utc>)>, LedgerError> {
        self.ask(|ledger| ledger.active()).await
    }

    /// Attempts that ended; see [`Ledger::runs`].
    pub async fn runs(&self, filter: RunFilter) -> Result<Vec<RunRecord>, LedgerError> {
        self.ask(move |ledger| ledger.runs(&filter)).await
    }

    /// One claim with everything that belongs to it; see [`Ledger::run`].
    pub async fn run(&self, run_id: RunId) -> Result<Option<ClaimHistory>, LedgerError> {
        self.ask(move |ledger| ledger.run(&run_id)).await
    }

    /// Removes old claims, in small steps between other requests, and answers how many; see [`Ledger::prune`].
    pub async fn prune(&self, before: DateTime<Utc>, window_start: DateTime<Utc>) -> Result<usize, LedgerError> {
        let mut removed = 0;
        loop {
            let step = self.ask(move |ledger| ledger.prune(before, window_start, PRUNE_STEP)).await?;
            removed += step;
            if step < PRUNE_STEP {
                return Ok(removed);
            }
        }
    }

    /// What was drawn when the ledger was created.
    pub async fn instance(&self) -> Result<Instance, LedgerError> {
        self.ask(|ledger| ledger.instance()).await
    }

    /// Which state it is in; see [`Ledger::version`].
    pub async fn version(&self) -> Result<LedgerVersion, LedgerError> {
        self.ask(|ledger| ledger.version()).await
    }

    /// Whether it can be written; see [`Ledger::touch`].
    pub async fn touch(&self) -> Result<(), LedgerError> {
        self.ask(|ledger| ledger.touch()).await
    }

    /// How big it is.
    pub async fn sizes(&self) -> Result<LedgerSizes, LedgerError> {
        self.ask(|ledger| ledger.sizes()).await
    }

    /// Waits for everything asked before, closes the ledger and ends its thread. Later calls are [`LedgerError::Stopped`].
    pub async fn close(&self) -> Result<(), LedgerError> {
        let (done, closed) = oneshot::channel();
        self.messages.send(Message::Close(done)).await.map_err(|_| self.stopped())?;
        closed.await.map_err(|_| self.stopped())
    }

    /// Returns when the thread has ended: after [`LedgerHandle::close`], or because of a fault.
    pub async fn ended(&self) {
        self.messages.closed().await;
    }

    async fn ask<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut dyn Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.ask_for(Durability::Synced, call).await
    }

    async fn ask_for<T: Send + 'static>(
        &self,
        durability: Durability,
        call: impl FnOnce(&mut dyn Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (reply, answer) = oneshot::channel();
        let request = Box::new(Call { durability, perform: Some(call), result: None, reply });
        self.messages.send(Message::Request(request)).await.map_err(|_| self.stopped())?;
        answer.await.map_err(|_| self.stopped())?
    }

    fn stopped(&self) -> LedgerError {
        LedgerError::Stopped { file: PathBuf::from(&*self.file) }
    }
}

/// A request on its way: performed within a transaction, answered after the commit.
trait Request: Send {
    fn durability(&self) -> Durability;
    fn perform(&mut self, ledger: &mut dyn Ledger);
    fn answer(self: Box<Self>, commit: Result<(), LedgerError>);
}

struct Call<F, T> {
    durability: Durability,
    perform: Option<F>,
    result: Option<Result<T, LedgerError>>,
    reply: oneshot::Sender<Result<T, LedgerError>>,
}

impl<F, T> Request for Call<F, T>
where
    F: FnOnce(&mut dyn Ledger) -> Result<T, LedgerError> + Send,
    T: Send,
{
    fn durability(&self) -> Durability {
        self.durability
    }

    fn perform(&mut self, ledger: &mut dyn Ledger) {
        if let Some(perform) = self.perform.take() {
            self.result = Some(perform(ledger));
        }
    }

    fn answer(self: Box<Self>, commit: Result<(), LedgerError>) {
        // Dropping `reply` unanswered tells the caller that the ledger has stopped. A caller who has gone is no error.
        if let Some(answer) = commit.err().map(Err).or(self.result) {
            let _ = self.reply.send(answer);
        }
    }
}

fn serve(mut engine: impl Engine, mut messages: mpsc::Receiver<Message>) {
    while let Some(first) = messages.blocking_recv() {
        let mut group = Vec::new();
        let mut next = Some(first);
        let mut close = None;
        while let Some(message) = next {
            match message {
                Message::Request(request) => group.push(request),
                Message::Close(done) => close = Some(done),
            }
            next = if close.is_none() && group.len() < GROUP { messages.try_recv().ok() } else { None };
        }
        if !group.is_empty() {
            perform(&mut engine, group);
        }
        if let Some(done) = close {
            // The receiver goes first: once the caller hears that the ledger is closed, every call has to fail.
            drop(messages);
            drop(engine);
            let _ = done.send(());
            return;
        }
    }
}

fn perform(engine: &mut impl Engine, mut group: Vec<Box<dyn Request>>) {
    let durability = group.iter().map(|request| request.durability()).max().unwrap_or(Durability::Synced);
    let commit = engine.group(durability, &mut |ledger| {
        for request in &mut group {
            request.perform(ledger);
        }
    });
    for request in group {
        request.answer(commit.clone());
    }
}

#[cfg(test)]
#[path = "handle_tests.rs"]
mod tests;
