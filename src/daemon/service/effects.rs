//! What the kernel asks for.

use std::sync::Arc;

use tracing::{error, info, warn};

use super::Service;
use crate::daemon::account::{AccountHandle, Job, RunReply};
use crate::daemon::given_up::GivenUp;
use crate::daemon::insist::{Patience, insist};
use crate::daemon::reload;
use crate::kernel::record::SlotNotRun;
use crate::kernel::{Alarm, Effect, Event, RunOrder};
use crate::names::{AccountName, RunKey};
use chrono::Utc;
use tokio::sync::mpsc;

impl Service {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Run(order) => self.order(order, None),
            Effect::NotRun { key, what, reason } => {
                warn!(task = %key.task, account = %key.account, slot = %key.slot, %reason, "slot not run: {what:?}");
                if let Some(given_up) = &mut self.given_up {
                    given_up.record(SlotNotRun { key, what, reason, at: Utc::now() });
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
                let shared = Arc::clone(&self.shared);
                self.chores.spawn(async move {
                    let ask = || shared.ledger.open_claims();
                    match insist(&shared.stop, &shared.events, Patience::Endless, ask).await {
                        Ok(mut open) => {
                            open.retain(|history| history.claim.key.account == account);
                            let _ = shared.events.send(Event::Recovered { account, open });
                        }
                        Err(error) => error!(%error, %account, "what the account was doing cannot be read; the next start takes it up"),
                    }
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
        let after = self.given_up.as_ref().map(GivenUp::so_far).unwrap_or_default();
        let reason = match self.account(&key.account).map(|handle| handle.give(Job::Run { order, after, reply })) {
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
