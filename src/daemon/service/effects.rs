//! What the kernel asks for.

use std::sync::Arc;

use tracing::{error, info, warn};

use super::Service;
use crate::daemon::account::{AccountHandle, Job, RunReply, Shared};
use crate::daemon::insist::{Patience, insist};
use crate::daemon::reload;
use crate::kernel::record::NotRun;
use crate::kernel::{Alarm, Effect, Event, RunOrder};
use crate::names::{AccountName, RunKey};
use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

impl Service {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Run(order) => self.order(order, None),
            Effect::NotRun { key, what, reason } => {
                warn!(task = %key.task, account = %key.account, slot = %key.slot, %reason, "slot not run: {what:?}");
                if let Some(not_run) = &self.not_run {
                    let _ = not_run.send(SlotNotRun { key, what, reason, at: chrono::Utc::now() });
                }
            }
            Effect::Close(record) => {
                info!(run_id = %record.run_id, outcome = %record.outcome, reason = %record.reason, "run closed");
                let shared = Arc::clone(&self.shared);
                self.chores.spawn(async move {
                    let close = || shared.ledger.finish((*record).clone());
                    if let Err(error) = insist(&shared.stop, &shared.events, Patience::Endless, close).await {
                        error!(%error, "a run could not be closed; the next start takes it up");
                    }
                });
            }
            Effect::Recover { account } => {
                let (ledger, events) = (self.datadir.ledger.clone(), self.shared.events.clone());
                self.chores.spawn(async move {
                    let mut open = ledger.open_claims().await.unwrap_or_else(|error| {
                        error!(%error, "what the account was doing cannot be read");
                        Vec::new()
                    });
                    open.retain(|history| history.claim.key.account == account);
                    let _ = events.send(Event::Recovered { account, open });
                });
            }
            Effect::Delete { account, task, messages } => {
                if let Some(handle) = self.account(&account) {
                    let _ = handle.give(Job::Delete { task, messages });
                }
            }
            Effect::Alarm(alarm) => self.alarm(&alarm),
        }
    }

    /// Gives an account work.
    pub(super) fn order(&mut self, order: Box<RunOrder>, reply: Option<mpsc::Sender<RunReply>>) {
        let key = order.key.clone();
        info!(task = %key.task, account = %key.account, slot = %key.slot, attempt = order.attempt(), "run ordered");
        let reason = match self.account(&key.account).map(|handle| handle.give(Job::Run { order, reply })) {
            Some(Ok(())) => return,
            Some(Err(_)) => "the account's task has ended",
            None => "the account cannot be reached: it is not configured, or there is no api_id",
        };
        self.take_in(Event::Undeliverable { key, reason: reason.to_owned() });
    }

    /// The actor of an account, started with the first thing there is for it to do.
    pub(super) fn account(&mut self, name: &AccountName) -> Option<&AccountHandle> {
        if !self.accounts.contains_key(name) {
            let snapshot = self.kernel.snapshot()?;
            let reach = reload::reach(snapshot, snapshot.accounts.get(name)?)?;
            let shared = Arc::clone(&self.shared);
            let (handle, id) = AccountHandle::start(name.clone(), reach, shared, &mut self.actors);
            self.actor_names.insert(id, name.clone());
            self.accounts.insert(name.clone(), handle);
        }
        self.accounts.get(name)
    }

    /// Kept after people were told, so that a crash between the two tells them twice rather than never.
    fn remember_deadline_alarm(&mut self, key: RunKey) {
        let shared = Arc::clone(&self.shared);
        self.chores.spawn(async move {
            let keep = || shared.ledger.keep_deadline_alarm(key.clone());
            if let Err(error) = insist(&shared.stop, &shared.events, Patience::Endless, keep).await {
                error!(%error, "that people were told of a deadline could not be kept; the next start may tell them again");
            }
        });
    }

    fn alarm(&mut self, alarm: &Alarm) {
        *self.kernel.status().totals.alarms.entry(alarm.kind().to_owned()).or_default() += 1;
        match alarm {
            Alarm::NotDone { key, outcome, reason } => {
                error!(alarm = alarm.kind(), task = %key.task, account = %key.account, slot = %key.slot, %outcome, %reason, "not signed in");
            }
            Alarm::DeadlinePassed { key } => {
                error!(alarm = alarm.kind(), task = %key.task, account = %key.account, slot = %key.slot, "not signed in by the task's deadline");
                self.remember_deadline_alarm(key.clone());
            }
            Alarm::LoggedOut { account, reason } => {
                error!(alarm = alarm.kind(), %account, %reason, "the account cannot be used until it signs in again");
            }
        }
    }
}

/// A slot that never became a run.
pub(super) struct SlotNotRun {
    key: RunKey,
    what: NotRun,
    reason: String,
    at: DateTime<Utc>,
}

/// Records what comes, one after the other: a later slot in the ledger says that the earlier ones are handled.
pub(super) async fn record_not_run(shared: Arc<Shared>, mut queue: mpsc::UnboundedReceiver<SlotNotRun>) {
    while let Some(SlotNotRun { key, what, reason, at }) = queue.recv().await {
        let record = || shared.ledger.record_without_run(key.clone(), what, reason.clone(), at);
        if let Err(error) = insist(&shared.stop, &shared.events, Patience::Endless, record).await {
            error!(%error, "that a slot was not run could not be recorded");
        }
    }
}
