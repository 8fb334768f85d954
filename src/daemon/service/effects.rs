//! What the kernel asks for.

use tracing::{error, info, warn};

use super::Service;
use crate::daemon::account::{AccountHandle, Job, RunReply};
use crate::daemon::reload;
use crate::kernel::{Alarm, Effect, Event, RunOrder};
use crate::names::AccountName;
use tokio::sync::mpsc;

impl Service {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Run(order) => self.order(order, None),
            Effect::NotRun { key, what, reason } => {
                warn!(task = %key.task, account = %key.account, slot = %key.slot, %reason, "slot not run: {what:?}");
                let ledger = self.datadir.ledger.clone();
                self.chores.spawn(async move {
                    let now = chrono::Utc::now();
                    if let Err(error) = ledger.record_without_run(key, what, reason, now).await {
                        error!(%error, "that a slot was not run could not be recorded");
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
        let given = self.account(&key.account).map(|handle| handle.give(Job::Run { order, reply }));
        if !matches!(given, Some(Ok(()))) {
            self.take_in(Event::Dropped { key });
        }
    }

    /// The actor of an account, started with the first thing there is for it to do.
    pub(super) fn account(&mut self, name: &AccountName) -> Option<&AccountHandle> {
        if !self.accounts.contains_key(name) {
            let snapshot = self.kernel.snapshot()?;
            let reach = reload::reach(snapshot, snapshot.accounts.get(name)?)?;
            let shared = std::sync::Arc::clone(&self.shared);
            let (handle, id) = AccountHandle::start(name.clone(), reach, shared, &mut self.actors);
            self.actor_names.insert(id, name.clone());
            self.accounts.insert(name.clone(), handle);
        }
        self.accounts.get(name)
    }

    fn alarm(&mut self, alarm: &Alarm) {
        *self.kernel.status().totals.alarms.entry(alarm.kind().to_owned()).or_default() += 1;
        match alarm {
            Alarm::NotDone { key, outcome, reason } => {
                error!(alarm = alarm.kind(), task = %key.task, account = %key.account, slot = %key.slot, %outcome, %reason, "not signed in");
            }
            Alarm::DeadlinePassed { key } => {
                error!(alarm = alarm.kind(), task = %key.task, account = %key.account, slot = %key.slot, "not signed in by the task's deadline");
            }
            Alarm::LoggedOut { account, reason } => {
                error!(alarm = alarm.kind(), %account, %reason, "the account cannot be used until it signs in again");
            }
        }
    }
}
