//! One order carried out: claim, connect, converse, record.

mod begin;
mod end;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{Instrument, Span, error, info, warn};

use self::begin::{again, claim, kept, recall, sent_before, take_up};
use self::end::{End, give_up, judge, keep, no_connection, record, verdict};
use super::account::{Account, Ended, RunReply};
use super::advice::Advice;
use super::recorder::RunRecorder;
use crate::config::ChatRef;
use crate::kernel::random_id::random_id;
use crate::kernel::record::{ClaimHistory, JournalEntry, Trigger};
use crate::kernel::resume::resume_at;
use crate::kernel::{Event, RunOrder, Work};
use crate::names::RunId;
use crate::schedule::MissedPolicy;
use crate::script::{JournalMark, Outcome, Script, Verdict};
use crate::telegram::pages::Reach;
use crate::telegram::run::{self, Plan, RunError};

/// How long a person who asked for a run waits for a connection.
const MANUAL_PATIENCE: Duration = Duration::from_secs(30);

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
    /// Own messages of the attempts before it that are not in the journal.
    earlier: Vec<i32>,
    since: DateTime<Utc>,
    /// An earlier process claimed the slot.
    taken_up: bool,
    /// Of the journal, what is the attempt's before it: this one goes on where that one could not.
    inherited: Vec<JournalEntry>,
    /// Another process may have done more than the ledger knows.
    uncertain: bool,
}

impl Attempt {
    fn recorder(&self, account: &Account) -> RunRecorder {
        RunRecorder::new(Arc::clone(&account.shared), self.run_id.clone(), self.number, &self.kept.script)
    }
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
            warn!(%reason, "nothing came of the order");
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
            match kept(&history) {
                Ok(kept) => again(order, number, kept, &history),
                Err(reason) => return give_up(account, &history, reason).await,
            }
        }
        Work::Review { run_id, left_behind: None, .. } => {
            let run_id = run_id.clone();
            let history = recall(account, &run_id).await?;
            Span::current().record("run_id", run_id.as_str());
            return match kept(&history) {
                Ok(kept) => review(account, order, kept, history).await,
                Err(reason) => give_up(account, &history, reason).await,
            };
        }
        Work::Review { left_behind: Some(history), .. } => {
            let history = (**history).clone();
            match kept(&history) {
                Ok(kept) => take_up(order, kept, &history),
                Err(reason) => return give_up(account, &history, reason).await,
            }
        }
    };
    Span::current().record("run_id", attempt.run_id.as_str());
    perform(account, in_doubt(attempt, account.shared.uncertain_until)).await
}

/// What the ledger may not know, after a restore or because it lost its end, is looked for in the chat: from the planned instant on,
/// or from the end of the last attempt that is known.
fn in_doubt(attempt: Attempt, until: Option<DateTime<Utc>>) -> Attempt {
    let slot = attempt.order.key.slot.instant();
    // What a person asks for now is nothing that may have been done before.
    if attempt.order.trigger == Trigger::Manual || until.is_none_or(|until| slot > until) {
        return attempt;
    }
    info!("the ledger may not know all that was done for this slot: looking in the chat");
    let known = match &attempt.order.work {
        Work::Again { last, .. } => last.ended_at,
        Work::First | Work::Review { .. } => slot,
    };
    Attempt { uncertain: true, since: attempt.since.min(known), ..attempt }
}

async fn perform(account: &mut Account, attempt: Attempt) -> Result<Option<Ended>, String> {
    let mut recorder = attempt.recorder(account);
    if !attempt.inherited.is_empty() {
        recorder.inherit(&attempt.inherited).await?;
    }
    let stale = attempt.taken_up && Utc::now() > window_end(&attempt.order);
    let connected = account.connect_until(patience(&attempt.order)).await;
    if *account.shared.stop.borrow() {
        return Ok(None);
    }
    let started_at = Utc::now();
    let end = match connected {
        Err(error) => {
            recorder.remark(error.to_string());
            no_connection(&error, attempt.taken_up && !attempt.journal.is_empty())
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
            recorder = back.unwrap_or_else(|| attempt.recorder(account));
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
    let (timeout, journal, earlier) = (attempt.order.task.timeout, attempt.journal.clone(), attempt.earlier.clone());
    let (since, uncertain) = (attempt.since, attempt.uncertain);
    let advice = Advice::new(account.reach.borrow().ai.clone(), Arc::clone(&account.shared.model_calls));
    let (post_gap, reach) = {
        let how = account.reach.borrow();
        let reach = if how.data_centres.is_simulated() { Reach::Anywhere } else { Reach::Public };
        (how.post_gap.max(attempt.order.task.post_gap), reach)
    };
    let posts = Arc::clone(&account.posts);
    let conversation = async move {
        let plan = Plan {
            chat: &kept.chat,
            topic: kept.topic,
            script: kept.script,
            timeout,
            random_id: &|step| random_id(&secret, &key, number, step),
            seed: random_id(&secret, &key, number, usize::MAX).cast_unsigned(),
            advisor: &advice,
            posts: &posts,
            post_gap,
            reach,
            journal,
            earlier,
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
    let Attempt { kept, journal, earlier, since, .. } = attempt;
    let (found, trouble) = match history_says(account, kept, journal, earlier, *since).await {
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
    earlier: &[i32],
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
        posts: &account.posts,
        post_gap: Duration::ZERO,
        reach: Reach::Public,
        journal: journal.to_vec(),
        earlier: earlier.to_vec(),
        since,
        uncertain: false,
    };
    run::review(connection, &plan).await
}

/// Reads the history of a run that ended `unknown`.
async fn review(
    account: &mut Account,
    order: RunOrder,
    kept: Kept,
    history: ClaimHistory,
) -> Result<Option<Ended>, String> {
    let mut record = history.attempts.last().cloned().ok_or("nothing to read again")?;
    let journal: Vec<_> = history
        .journal
        .iter()
        .filter(|entry| entry.attempt == record.attempt)
        .map(|entry| entry.mark.clone())
        .collect();
    let earlier = sent_before(&history, record.attempt, &journal);
    let found = match account.connect_until(patience(&order)).await {
        Ok(()) => {
            history_says(account, &kept, &journal, &earlier, record.started_at.unwrap_or(record.claimed_at)).await
        }
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
        Ok(None) => resume_at(&record, order.task.retry, retry_end(&order), true, Utc::now()),
        Err(error) => {
            warn!(%error, "the history cannot be read");
            resume_at(&record, order.task.retry, retry_end(&order), true, Utc::now())
        }
    };
    let record = keep(account, record, Vec::new()).await?;
    Ok(Some(Ended { record, unreachable: false }))
}

/// Until when a failed attempt may be followed by another one.
fn retry_end(order: &RunOrder) -> Option<DateTime<Utc>> {
    match order.task.timing.missed {
        MissedPolicy::RunOnce { within } => Some(order.key.slot.instant() + within),
        MissedPolicy::Skip => None,
    }
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
