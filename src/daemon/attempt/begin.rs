//! How an attempt begins: with a new claim, again, or where a crash left it.

use std::sync::Arc;

use chrono::Utc;
use tracing::warn;

use super::{Attempt, Kept};
use crate::config::RetryFrom;
use crate::daemon::account::Account;
use crate::daemon::insist::Patience;
use crate::kernel::RunOrder;
use crate::kernel::record::{Claim, ClaimHistory, ClaimResult, JournalEntry, Trigger};
use crate::kernel::resume::inherited;
use crate::names::{RunId, Slot};
use crate::script::JournalMark;

/// Takes the slot before anything else is done. While the ledger refuses, the slot waits.
pub(super) async fn claim(account: &Account, mut order: RunOrder) -> Result<Attempt, String> {
    let claimed_at = Utc::now();
    let kept = Kept { chat: order.task.chat.clone(), topic: order.task.topic, script: Arc::clone(&order.task.script) };
    let script = serde_json::to_value(&kept).map_err(|error| error.to_string())?;
    let manual = order.trigger == Trigger::Manual;
    let patience = if manual { Patience::None } else { Patience::Endless };
    loop {
        let claim = Claim {
            run_id: RunId::new(&order.key, claimed_at),
            key: order.key.clone(),
            trigger: order.trigger,
            fire_at: order.fire_at,
            claimed_at,
            script: script.clone(),
        };
        let run_id = claim.run_id.clone();
        match account.insist(patience, || account.shared.ledger.claim(claim.clone())).await? {
            ClaimResult::New => {
                return Ok(Attempt {
                    order,
                    run_id,
                    number: 1,
                    claimed_at,
                    kept,
                    journal: Vec::new(),
                    earlier: Vec::new(),
                    since: claimed_at,
                    taken_up: false,
                    inherited: Vec::new(),
                    uncertain: false,
                });
            }
            // Who asks twice within a second wants two runs.
            ClaimResult::Taken { .. } if manual => {
                order.key.slot = Slot::at(order.key.slot.instant() + chrono::TimeDelta::seconds(1));
            }
            ClaimResult::Taken { run_id, outcome } => {
                let outcome = outcome.map_or("it has not ended".to_owned(), |outcome| outcome.to_string());
                return Err(format!("this slot was taken before, by run {run_id}: {outcome}"));
            }
        }
    }
}

pub(super) async fn recall(account: &Account, run_id: &RunId) -> Result<ClaimHistory, String> {
    let found = account.insist(Patience::Endless, || account.shared.ledger.run(run_id.clone())).await?;
    found.ok_or_else(|| format!("run {run_id} is no longer in the ledger"))
}

pub(super) fn kept(history: &ClaimHistory) -> Result<Kept, String> {
    serde_json::from_value(history.claim.script.clone())
        .map_err(|error| format!("the script of run {} cannot be read: {error}", history.claim.run_id))
}

pub(super) fn again(order: RunOrder, number: u32, kept: Kept, history: &ClaimHistory) -> Attempt {
    let inherited = match order.task.retry.from {
        RetryFrom::Start => Vec::new(),
        RetryFrom::Step => inherited(history),
    };
    Attempt { inherited: inherited.clone(), ..of_claim(order, number, kept, history, &inherited) }
}

/// What a crash left behind goes on where its journal ends.
pub(super) fn take_up(order: RunOrder, kept: Kept, history: &ClaimHistory) -> Attempt {
    let number = history.attempts.last().map_or(1, |last| last.attempt + 1);
    // What it went on with was written down again when it began, with the old times.
    let entries: Vec<_> = history.journal.iter().filter(|entry| entry.attempt == number).cloned().collect();
    warn!(run_id = %history.claim.run_id, "taking up a run that was cut off");
    Attempt { taken_up: true, ..of_claim(order, number, kept, history, &entries) }
}

/// An attempt of a slot that is claimed. `done` is what it goes on from.
fn of_claim(order: RunOrder, number: u32, kept: Kept, history: &ClaimHistory, done: &[JournalEntry]) -> Attempt {
    let journal: Vec<_> = done.iter().map(|entry| entry.mark.clone()).collect();
    Attempt {
        order,
        run_id: history.claim.run_id.clone(),
        number,
        claimed_at: history.claim.claimed_at,
        kept,
        earlier: sent_before(history, number, &journal),
        journal,
        since: done.first().map_or_else(Utc::now, |first| first.at),
        taken_up: false,
        inherited: Vec::new(),
        uncertain: false,
    }
}

/// The messages of the attempts before this one, but for those that it goes on from.
pub(super) fn sent_before(history: &ClaimHistory, number: u32, journal: &[JournalMark]) -> Vec<i32> {
    let own: Vec<i32> = journal.iter().filter_map(JournalMark::sent_id).collect();
    let before = history.journal.iter().filter(|entry| entry.attempt < number);
    before.filter_map(|entry| entry.mark.sent_id()).filter(|id| !own.contains(id)).collect()
}
