//! How an attempt ended, and how that is kept.

use chrono::{DateTime, Utc};
use tracing::{error, info};

use super::{Attempt, retry_end};
use crate::daemon::account::{Account, ConnectError, Ended};
use crate::daemon::insist::Patience;
use crate::kernel::Event;
use crate::kernel::record::{Claim, ClaimHistory, RunRecord, Trigger};
use crate::kernel::resume::resume_at;
use crate::script::{Outcome, Verdict};
use crate::telegram::run::{Performed, RunError};

/// How an attempt ended.
pub(super) struct End {
    pub(super) verdict: Verdict,
    pub(super) messages: Vec<i32>,
    pub(super) acted: bool,
    /// Only a person can help, so that another attempt would be pointless.
    pub(super) is_final: bool,
    /// There was no connection and nothing was done.
    pub(super) unreachable: bool,
}

/// What a conversation means. `resumed` is one that an earlier process had begun.
pub(super) fn judge(account: &mut Account, resumed: bool, result: Result<Performed, RunError>) -> End {
    match result {
        Ok(Performed { verdict, messages, acted }) => {
            End { verdict, messages, acted, is_final: false, unreachable: false }
        }
        Err(error) => {
            if let Some(call) = error.call() {
                account.learn(call);
            }
            match &error {
                RunError::Ledger(_) => {
                    let verdict = verdict(Outcome::Interrupted, &error.to_string());
                    End { verdict, messages: Vec::new(), acted: true, is_final: true, unreachable: false }
                }
                // What the earlier process did may have worked; only the chat's history knows.
                RunError::Call(_) | RunError::Chat(_) if resumed => {
                    let verdict = verdict(Outcome::Unknown, &error.to_string());
                    End { verdict, messages: Vec::new(), acted: true, is_final: false, unreachable: false }
                }
                RunError::Call(_) | RunError::Chat(_) => End::failed(&error.to_string(), false),
            }
        }
    }
}

/// Keeps how the attempt ended, and whether it is taken up again.
pub(super) async fn record(
    account: &Account,
    attempt: Attempt,
    started_at: Option<DateTime<Utc>>,
    end: End,
) -> Result<RunRecord, String> {
    let End { verdict, messages, acted, is_final, .. } = end;
    let ended_at = Utc::now();
    let retry_end = retry_end(&attempt.order);
    let mut record = RunRecord {
        run_id: attempt.run_id,
        key: attempt.order.key,
        trigger: attempt.order.trigger,
        fire_at: attempt.order.fire_at,
        claimed_at: attempt.claimed_at,
        started_at,
        ended_at,
        attempt: attempt.number,
        outcome: verdict.outcome,
        reason: verdict.reason,
        evidence: serde_json::to_value(&verdict.evidence).unwrap_or_default(),
        failed_step: verdict.failed_step,
        resume_at: None,
    };
    // A person who asked for the run decides himself whether to ask again.
    if !is_final && (record.trigger != Trigger::Manual || record.outcome == Outcome::Unknown) {
        let again = resume_at(&record, attempt.order.task.retry, retry_end, acted, ended_at);
        // Before that Telegram would refuse again.
        record.resume_at = again.map(|at| account.status.flood_wait_until.map_or(at, |until| at.max(until)));
    }
    info!(outcome = %record.outcome, reason = %record.reason, attempt = record.attempt, again_at = record.resume_at.map(tracing::field::display), "run ended");
    keep(account, record, messages).await
}

/// Keeps a record for good and tells the kernel.
pub(super) async fn keep(account: &Account, record: RunRecord, messages: Vec<i32>) -> Result<RunRecord, String> {
    account.insist(Patience::Endless, || account.shared.ledger.finish(record.clone())).await?;
    let _ = account.shared.events.send(Event::Ended { record: Box::new(record.clone()), messages });
    Ok(record)
}

/// A claim with which nobody can go on, because what was kept for that cannot be read, ends as what is known of it.
pub(super) async fn give_up(
    account: &Account,
    history: &ClaimHistory,
    reason: String,
) -> Result<Option<Ended>, String> {
    error!(%reason, "nobody can go on with this run");
    let record = if let Some((last, _)) = history.waiting() {
        RunRecord { resume_at: None, ..last.clone() }
    } else {
        let Claim { run_id, key, trigger, fire_at, claimed_at, .. } = history.claim.clone();
        RunRecord {
            run_id,
            key,
            trigger,
            fire_at,
            claimed_at,
            started_at: None,
            ended_at: Utc::now(),
            attempt: history.attempts.last().map_or(1, |last| last.attempt + 1),
            outcome: Outcome::Interrupted,
            reason,
            evidence: serde_json::Value::Null,
            failed_step: None,
            resume_at: None,
        }
    };
    let record = keep(account, record, Vec::new()).await?;
    Ok(Some(Ended { record, unreachable: false }))
}

pub(super) fn no_connection(error: &ConnectError, acted: bool) -> End {
    let mut end = End::failed(&error.to_string(), error.is_final());
    end.unreachable = !acted && !error.is_final();
    if acted {
        end.verdict.outcome = Outcome::Interrupted;
        end.is_final = true;
    }
    end
}

impl End {
    pub(super) fn failed(reason: &str, is_final: bool) -> Self {
        Self {
            verdict: verdict(Outcome::Failed, reason),
            messages: Vec::new(),
            acted: false,
            is_final,
            unreachable: false,
        }
    }
}

pub(super) fn verdict(outcome: Outcome, reason: &str) -> Verdict {
    Verdict { outcome, reason: reason.to_owned(), evidence: Vec::new(), failed_step: None }
}
