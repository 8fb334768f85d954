//! One order carried out: claim, connect, converse, record.

mod end;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{Instrument, Span, error, info, warn};

use self::end::{End, judge, keep, no_connection, record, verdict};
use super::account::{Account, Ended, RunReply};
use super::advice::Advice;
use super::recorder::RunRecorder;
use crate::config::ChatRef;
use crate::kernel::random_id::random_id;
use crate::kernel::record::{Claim, ClaimHistory, ClaimResult, Trigger};
use crate::kernel::resume::resume_at;
use crate::kernel::{Event, RunOrder, Work};
use crate::ledger::LedgerError;
use crate::names::{RunId, Slot};
use crate::schedule::MissedPolicy;
use crate::script::{JournalMark, Outcome, Script, Verdict};
use crate::telegram::run::{self, Plan, RunError, stopped};

/// How long a person who asked for a run waits for a connection.
const MANUAL_PATIENCE: Duration = Duration::from_secs(30);

/// Pauses between attempts to reach the ledger, doubled up to the last.
const LEDGER_PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// What is kept with a claim, so that a crash or a reload does not change a run under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    chat: ChatRef,
    topic: Option<i32>,
    script: Arc<Script>,
}

/// An attempt of a claimed slot.
struct Attempt {
    order: RunOrder,
    run_id: RunId,
    number: u32,
    claimed_at: DateTime<Utc>,
    kept: Kept,
    /// What an interrupted attempt had done.
    journal: Vec<JournalMark>,
    since: DateTime<Utc>,
    /// An earlier process claimed the slot.
    taken_up: bool,
    /// Another process may have done more than the ledger knows.
    uncertain: bool,
}

/// Carries an order out and tells the kernel, whatever happens.
pub(super) async fn carry_out(account: &mut Account, order: RunOrder, reply: Option<mpsc::Sender<RunReply>>) {
    let key = order.key.clone();
    let answer = match execute(account, order).await {
        Ok(Some(ended)) => RunReply::Ended(Box::new(ended)),
        // The claim stays open: the next start takes it up.
        Ok(None) => {
            let _ = account.shared.events.send(Event::Dropped { key });
            RunReply::Refused("the daemon is stopping; the run will be taken up at its next start".to_owned())
        }
        Err(reason) => {
            let _ = account.shared.events.send(Event::Dropped { key });
            RunReply::Refused(reason)
        }
    };
    if let Some(reply) = reply {
        let _ = reply.send(answer).await;
    }
}

async fn execute(account: &mut Account, order: RunOrder) -> Result<Option<Ended>, String> {
    let attempt = match &order.work {
        Work::First => claim(account, order).await?,
        Work::Again { run_id, attempt, .. } => {
            let (run_id, number) = (run_id.clone(), *attempt);
            let history = recall(account, &run_id).await?;
            again(order, run_id, number, &history)?
        }
        Work::Review { run_id, left_behind: None, .. } => {
            let run_id = run_id.clone();
            let history = recall(account, &run_id).await?;
            Span::current().record("run_id", run_id.as_str());
            return review(account, order, history).await;
        }
        Work::Review { left_behind: Some(history), .. } => {
            let history = (**history).clone();
            take_up(order, &history)?
        }
    };
    Span::current().record("run_id", attempt.run_id.as_str());
    perform(account, in_doubt(attempt, account.shared.uncertain_until)).await
}

/// After a restore, what came before it is looked for in the chat, from the planned instant on.
fn in_doubt(attempt: Attempt, until: Option<DateTime<Utc>>) -> Attempt {
    let slot = attempt.order.key.slot.instant();
    if until.is_none_or(|until| slot > until) {
        return attempt;
    }
    info!("the state came from a backup: looking in the chat for what was done since it was made");
    Attempt { uncertain: true, since: attempt.since.min(slot), ..attempt }
}

/// Takes the slot, durably, before the first byte is sent. While the ledger refuses, the slot waits.
async fn claim(account: &Account, mut order: RunOrder) -> Result<Attempt, String> {
    let claimed_at = Utc::now();
    let kept = Kept { chat: order.task.chat.clone(), topic: order.task.topic, script: Arc::clone(&order.task.script) };
    let script = serde_json::to_value(&kept).map_err(|error| error.to_string())?;
    let manual = order.trigger == Trigger::Manual;
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
        match insist(account, !manual, || account.shared.ledger.claim(claim.clone())).await? {
            ClaimResult::New => {
                return Ok(Attempt {
                    order,
                    run_id,
                    number: 1,
                    claimed_at,
                    kept,
                    journal: Vec::new(),
                    since: claimed_at,
                    taken_up: false,
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

/// Repeats a call to the ledger until it works or the daemon stops: a full disk must not cost a sign-in.
async fn insist<T, F>(account: &Account, patient: bool, call: impl Fn() -> F) -> Result<T, String>
where
    F: Future<Output = Result<T, LedgerError>>,
{
    let mut stop = account.shared.stop.clone();
    let mut pause = LEDGER_PAUSES.0;
    loop {
        let error = match call().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        error!(%error, "the ledger refused");
        if !patient || matches!(error, LedgerError::Stopped { .. } | LedgerError::UnknownRun(_)) {
            return Err(error.to_string());
        }
        tokio::select! {
            () = stopped(&mut stop) => return Err(error.to_string()),
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LEDGER_PAUSES.1),
        }
    }
}

async fn recall(account: &Account, run_id: &RunId) -> Result<ClaimHistory, String> {
    let found = insist(account, true, || account.shared.ledger.run(run_id.clone())).await?;
    found.ok_or_else(|| format!("run {run_id} is no longer in the ledger"))
}

fn kept(history: &ClaimHistory) -> Result<Kept, String> {
    serde_json::from_value(history.claim.script.clone())
        .map_err(|error| format!("the script of run {} cannot be read: {error}", history.claim.run_id))
}

fn again(order: RunOrder, run_id: RunId, number: u32, history: &ClaimHistory) -> Result<Attempt, String> {
    let (kept, claimed_at) = (kept(history)?, history.claim.claimed_at);
    Ok(Attempt {
        order,
        run_id,
        number,
        claimed_at,
        kept,
        journal: Vec::new(),
        since: Utc::now(),
        taken_up: false,
        uncertain: false,
    })
}

/// What a crash left behind goes on where its journal ends.
fn take_up(order: RunOrder, history: &ClaimHistory) -> Result<Attempt, String> {
    let number = history.attempts.last().map_or(1, |last| last.attempt + 1);
    let entries: Vec<_> = history.journal.iter().filter(|entry| entry.attempt == number).collect();
    let since = entries.first().map_or_else(Utc::now, |entry| entry.at);
    let journal = entries.iter().map(|entry| entry.mark.clone()).collect();
    let (kept, claimed_at, run_id) = (kept(history)?, history.claim.claimed_at, history.claim.run_id.clone());
    warn!(run_id = %run_id, "taking up a run that was cut off");
    Ok(Attempt { order, run_id, number, claimed_at, kept, journal, since, taken_up: true, uncertain: false })
}

async fn perform(account: &mut Account, attempt: Attempt) -> Result<Option<Ended>, String> {
    let folder = account.shared.transcripts();
    let mut recorder = RunRecorder::new(
        account.shared.ledger.clone(),
        &folder,
        attempt.run_id.clone(),
        attempt.number,
        &attempt.kept.script,
    );
    let stale = attempt.taken_up && Utc::now() > window_end(&attempt.order);
    let connected = account.connect_until(patience(&attempt.order)).await;
    if *account.shared.stop.borrow() {
        return Ok(None);
    }
    let started_at = Utc::now();
    let end = match connected {
        Err(error) => {
            recorder.remark(error.to_string());
            no_connection(&error, !attempt.journal.is_empty())
        }
        Ok(()) if stale && attempt.journal.is_empty() => {
            let reason = "the daemon was stopped before anything was sent, and the task's window has passed";
            End { verdict: verdict(Outcome::Interrupted, reason), ..End::failed("", true) }
        }
        Ok(()) if stale => look_only(account, &attempt).await,
        Ok(()) => {
            let _ = account.shared.events.send(Event::Began {
                key: attempt.order.key.clone(),
                run_id: attempt.run_id.clone(),
                attempt: attempt.number,
            });
            let (end, back) = converse(account, &attempt, recorder).await;
            recorder = match back {
                Some(recorder) => recorder,
                None => RunRecorder::new(
                    account.shared.ledger.clone(),
                    &folder,
                    attempt.run_id.clone(),
                    attempt.number,
                    &attempt.kept.script,
                ),
            };
            end
        }
    };
    if *account.shared.stop.borrow() && !end.verdict.outcome.is_done() {
        // Cut off by the end of the grace time: what was done is in the journal, the rest comes at the next start.
        return Ok(None);
    }
    recorder.outcome(&end.verdict);
    let codes = std::mem::take(&mut recorder.error_codes);
    if !codes.is_empty() {
        let _ = account.shared.events.send(Event::RpcErrors { codes });
    }
    if let Some(trouble) = recorder.account_trouble.take().filter(|_| !end.verdict.outcome.is_done()) {
        account.learn(&trouble);
    }
    let unreachable = end.unreachable;
    let record = record(account, attempt, Some(started_at), end).await?;
    Ok(Some(Ended { record, unreachable }))
}

/// Talks to the bot in a task of its own, so that a panic costs this attempt and nothing else.
async fn converse(account: &mut Account, attempt: &Attempt, mut recorder: RunRecorder) -> (End, Option<RunRecorder>) {
    let Some(mut connection) = account.connection.take() else {
        return (End::failed("there is no connection", false), Some(recorder));
    };
    let secret = *account.shared.instance.random_id_secret.expose();
    let mut stop = account.shared.stop.clone();
    let (key, number, kept) = (attempt.order.key.clone(), attempt.number, attempt.kept.clone());
    let (timeout, journal) = (attempt.order.task.timeout, attempt.journal.clone());
    let (since, uncertain) = (attempt.since, attempt.uncertain);
    let advice = Advice::new(account.reach.borrow().ai.clone(), Arc::clone(&account.shared.model_calls));
    let conversation = async move {
        let plan = Plan {
            chat: &kept.chat,
            topic: kept.topic,
            script: kept.script,
            timeout,
            random_id: &|step| random_id(&secret, &key, number, step),
            seed: random_id(&secret, &key, number, usize::MAX).cast_unsigned(),
            advisor: &advice,
            journal,
            since,
            uncertain,
        };
        let result = run::perform(&mut connection, plan, &mut recorder, &mut stop).await;
        (connection, recorder, result)
    };
    match tokio::spawn(conversation.instrument(Span::current())).await {
        Ok((connection, recorder, result)) => {
            account.connection = Some(connection);
            (judge(account, !attempt.journal.is_empty() || attempt.uncertain, result), Some(recorder))
        }
        Err(panic) => {
            error!(%panic, "a conversation ended in a panic; please report it");
            account.close();
            let verdict = verdict(Outcome::Interrupted, "an internal error ended the conversation; the log has more");
            (End { verdict, messages: Vec::new(), acted: true, is_final: true, unreachable: false }, None)
        }
    }
}

/// A run that was cut off too long ago to go on: the chat's history alone decides.
async fn look_only(account: &mut Account, attempt: &Attempt) -> End {
    let (found, trouble) = match history_says(account, &attempt.kept, &attempt.journal, attempt.since).await {
        Ok(found) => (found, String::new()),
        Err(error) => (None, format!("; {error}")),
    };
    let verdict = found.unwrap_or_else(|| {
        let reason = format!("the daemon was stopped in the middle, and the chat does not tell how it ended{trouble}");
        verdict(Outcome::Interrupted, &reason)
    });
    End { verdict, messages: Vec::new(), acted: true, is_final: true, unreachable: false }
}

async fn history_says(
    account: &mut Account,
    kept: &Kept,
    journal: &[JournalMark],
    since: DateTime<Utc>,
) -> Result<Option<Verdict>, RunError> {
    let Some(connection) = account.connection.as_mut() else { return Ok(None) };
    let plan = Plan {
        chat: &kept.chat,
        topic: kept.topic,
        script: Arc::clone(&kept.script),
        timeout: Duration::ZERO,
        random_id: &|_| 0,
        seed: 0,
        advisor: &Advice::new(None, Arc::clone(&account.shared.model_calls)),
        journal: journal.to_vec(),
        since,
        uncertain: false,
    };
    run::review(connection, &plan).await
}

/// Reads the history of a run that ended `unknown`.
async fn review(account: &mut Account, order: RunOrder, history: ClaimHistory) -> Result<Option<Ended>, String> {
    let mut record = history.attempts.last().cloned().ok_or("nothing to read again")?;
    let kept = kept(&history)?;
    let journal: Vec<_> = history
        .journal
        .iter()
        .filter(|entry| entry.attempt == record.attempt)
        .map(|entry| entry.mark.clone())
        .collect();
    let found = match account.connect_until(patience(&order)).await {
        Ok(()) => history_says(account, &kept, &journal, record.started_at.unwrap_or(record.claimed_at)).await,
        Err(error) => {
            warn!(%error, "the history cannot be read");
            Ok(None)
        }
    };
    if *account.shared.stop.borrow() {
        return Ok(None);
    }
    record.resume_at = match found {
        Ok(Some(verdict)) => {
            info!(outcome = %verdict.outcome, reason = %verdict.reason, "the chat's history tells how the run ended");
            record.outcome = verdict.outcome;
            record.reason = verdict.reason;
            record.evidence = serde_json::to_value(&verdict.evidence).unwrap_or_default();
            record.failed_step = verdict.failed_step;
            record.ended_at = Utc::now();
            None
        }
        Ok(None) => resume_at(&record, order.task.retry, true, Utc::now()),
        Err(error) => {
            warn!(%error, "the history cannot be read");
            resume_at(&record, order.task.retry, true, Utc::now())
        }
    };
    let record = keep(account, record, Vec::new()).await?;
    Ok(Some(Ended { record, unreachable: false }))
}

/// Until when the slot may still be performed.
fn window_end(order: &RunOrder) -> DateTime<Utc> {
    match order.task.timing.missed {
        MissedPolicy::RunOnce { within } if order.trigger != Trigger::Manual => order.key.slot.instant() + within,
        _ => order.fire_at + order.task.timeout,
    }
}

fn patience(order: &RunOrder) -> Instant {
    let now = Instant::now();
    if order.trigger == Trigger::Manual {
        return now + MANUAL_PATIENCE;
    }
    let window = (window_end(order) - Utc::now()).to_std().unwrap_or_default();
    now + window.max(order.task.timeout)
}
