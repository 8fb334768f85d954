//! What an engine behind the ledger has to do.

use chrono::{DateTime, Utc};

use super::LedgerError;
use super::record::{
    ActivePair, Claim, ClaimHistory, ClaimResult, Instance, JournalEntry, LedgerVersion, NotRun, Position, RunFilter,
    RunRecord,
};
use crate::kernel::status::LedgerSizes;
use crate::names::{RunId, RunKey, TaskName};

/// Storage for a [`Ledger`].
pub trait Engine: Send {
    /// Performs everything `work` does in one transaction. A call that fails inside undoes only itself; when `group` itself
    /// fails, nothing that `work` did has happened.
    fn group(&mut self, durability: Durability, work: &mut dyn FnMut(&mut dyn Ledger)) -> Result<(), LedgerError>;
}

/// What a transaction outlives once it is answered. One that is synced takes everything before it along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// The end of this process, however sudden.
    Written,
    /// The end of the machine's power as well.
    Synced,
}

/// The tasks that a call is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tasks {
    /// All that there are.
    All,
    /// These.
    Named(Vec<TaskName>),
}

/// Claims, runs and evidence.
///
/// Each call is atomic. Outside [`Engine::group`] it is synced when it returns; inside, as durable as the group. Instants are
/// kept to the microsecond.
pub trait Ledger: Send {
    /// Takes a slot, unless it is taken.
    fn claim(&mut self, claim: &Claim) -> Result<ClaimResult, LedgerError>;

    /// Adds a trace to a claim.
    fn journal(&mut self, run_id: &RunId, entry: &JournalEntry) -> Result<(), LedgerError>;

    /// Keeps how an attempt ended. The same attempt again replaces what was kept: a later reading of the chat's history may
    /// know more. The claim is closed unless the record says when it is taken up again; a closed one stays closed.
    fn finish(&mut self, record: &RunRecord) -> Result<(), LedgerError>;

    /// Takes a slot that will never be run, unless it is taken.
    fn record_without_run(
        &mut self,
        key: &RunKey,
        what: NotRun,
        reason: &str,
        at: DateTime<Utc>,
    ) -> Result<ClaimResult, LedgerError>;

    /// Claims that are not closed, oldest first.
    fn open_claims(&mut self) -> Result<Vec<ClaimHistory>, LedgerError>;

    /// Where every task and account stands that the ledger has ever seen and not pruned.
    fn positions(&mut self) -> Result<Vec<Position>, LedgerError>;

    /// Keeps that people were told of a slot whose deadline passed. Of each task and account the latest slot is kept.
    fn keep_deadline_alarm(&mut self, key: &RunKey) -> Result<(), LedgerError>;

    /// Since when each of `pairs` has had its schedule, in their order: `now` for those that are new or have another schedule.
    /// Slots before that are not missed. Pairs of `of` that are not listed are forgotten, so this is called with all of them.
    fn active_since(
        &mut self,
        of: &Tasks,
        pairs: &[ActivePair],
        now: DateTime<Utc>,
    ) -> Result<Vec<DateTime<Utc>>, LedgerError>;

    /// The pairs that were listed last, and since when each has had its schedule.
    fn active(&mut self) -> Result<Vec<(ActivePair, DateTime<Utc>)>, LedgerError>;

    /// Attempts that ended and slots that were not run, the newest first.
    fn runs(&mut self, filter: &RunFilter) -> Result<Vec<RunRecord>, LedgerError>;

    /// One claim with everything that belongs to it.
    fn run(&mut self, run_id: &RunId) -> Result<Option<ClaimHistory>, LedgerError>;

    /// Removes at most `limit` closed claims that ended before `before` and answers how many it removed.
    ///
    /// Stays in any case: slots at or after `window_start` (the longest window of any task, before which nothing can be claimed
    /// any more), and of every task and account the newest run, the newest one that was done and the newest slot.
    fn prune(&mut self, before: DateTime<Utc>, window_start: DateTime<Utc>, limit: usize)
    -> Result<usize, LedgerError>;

    /// What was drawn when the ledger was created.
    fn instance(&mut self) -> Result<Instance, LedgerError>;

    /// Which state it is in, without reading it. What is copied after this was asked has at least this version.
    fn version(&mut self) -> Result<LedgerVersion, LedgerError>;

    /// Writes what is there once more, to see whether that is possible.
    fn touch(&mut self) -> Result<(), LedgerError>;

    /// How big it is.
    fn sizes(&mut self) -> Result<LedgerSizes, LedgerError>;
}
