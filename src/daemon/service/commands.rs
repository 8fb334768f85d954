//! What comes over the control socket.

use std::sync::Arc;

use chrono::Utc;
use tokio::sync::{mpsc, oneshot};
use tracing::info;

use super::Service;
use crate::backup::log::Keep;
use crate::daemon::account::{Job, RunReply};
use crate::daemon::backup::BackupHandle;
use crate::daemon::control::{Call, KeepSide, RefusalKind, Reply, Request};
use crate::kernel::record::RunFilter;
use crate::names::{AccountName, TaskName};

impl Service {
    pub(super) fn answer(&mut self, call: Call) {
        match call.request {
            Request::Status => {
                self.publish();
                let status = Box::new(self.status.borrow().as_ref().clone());
                let _ = call.replies.try_send(Reply::Status(status));
            }
            Request::Once { task, account, dry_run: true } => self.rehearse(&task, account.as_ref(), &call.replies),
            Request::Once { task, account, dry_run: false } => self.once(&task, account.as_ref(), &call.replies),
            Request::Runs { task, limit } => {
                let ledger = self.datadir.ledger.clone();
                self.chores.spawn(async move {
                    let filter = RunFilter { task, account: None, since: None, limit };
                    let reply = match ledger.runs(filter).await {
                        Ok(runs) => Reply::Runs { runs },
                        Err(error) => Reply::Refused { kind: RefusalKind::Failure, message: error.to_string() },
                    };
                    let _ = call.replies.send(reply).await;
                });
            }
            Request::BackupNow => self.ask_backup(call.replies, BackupHandle::now),
            Request::BackupResolve { keep: KeepSide::Local, .. } => {
                self.ask_backup(call.replies, |backup| backup.resolve(Keep::Local));
            }
            Request::BackupResolve { keep: KeepSide::Remote, .. } => {
                let message =
                    "the state cannot be replaced under a running daemon: stop it, then run this again".to_owned();
                let _ = call.replies.try_send(Reply::Refused { kind: RefusalKind::TryAgain, message });
            }
            Request::Reconnect { account } => {
                info!(%account, "the session was renewed");
                self.session_renewed(&account);
                let _ = call.replies.try_send(Reply::Done);
            }
        }
    }

    fn rehearse(&mut self, task: &TaskName, account: Option<&AccountName>, replies: &mpsc::Sender<Reply>) {
        let (task, accounts) = match self.kernel.find(task, account) {
            Ok(found) => found,
            Err(error) => {
                let refused = Reply::Refused { kind: RefusalKind::from(&error), message: error.to_string() };
                let _ = replies.try_send(refused);
                return;
            }
        };
        for account in accounts {
            let (sender, mut answers) = mpsc::channel(1);
            // Whoever cannot take it drops the sender, and that is the answer.
            if let Some(handle) = self.account(&account) {
                let _ = handle.give(Job::Rehearse { task: Arc::clone(&task), reply: sender });
            }
            let replies = replies.clone();
            self.chores.spawn(async move {
                let reply = match answers.recv().await {
                    Some(Ok(rehearsal)) => Reply::Rehearsed(Box::new(rehearsal)),
                    Some(Err(reason)) => {
                        Reply::Refused { kind: RefusalKind::Failure, message: format!("{account}: {reason}") }
                    }
                    None => Reply::Refused {
                        kind: RefusalKind::TryAgain,
                        message: format!("{account}: the account cannot be reached"),
                    },
                };
                let _ = replies.send(reply).await;
            });
        }
    }

    /// Lets the backup's actor answer, whenever it is done.
    fn ask_backup(
        &mut self,
        replies: mpsc::Sender<Reply>,
        ask: impl FnOnce(&BackupHandle) -> oneshot::Receiver<Result<String, String>>,
    ) {
        let Some(link) = &self.backup else {
            let message = "the running daemon has no [backup]; restart it after adding one".to_owned();
            let _ = replies.try_send(Reply::Refused { kind: RefusalKind::Failure, message });
            return;
        };
        let answer = ask(&link.handle);
        self.chores.spawn(async move {
            let reply = match answer.await {
                Ok(Ok(message)) => Reply::Told { message },
                Ok(Err(message)) => Reply::Refused { kind: RefusalKind::Failure, message },
                Err(_) => Reply::Refused { kind: RefusalKind::TryAgain, message: "the daemon is stopping".to_owned() },
            };
            let _ = replies.send(reply).await;
        });
    }

    fn once(&mut self, task: &TaskName, account: Option<&AccountName>, replies: &mpsc::Sender<Reply>) {
        let orders = match self.kernel.once(Utc::now(), task, account) {
            Ok(orders) => orders,
            Err(error) => {
                let refused = Reply::Refused { kind: RefusalKind::from(&error), message: error.to_string() };
                let _ = replies.try_send(refused);
                return;
            }
        };
        for order in orders {
            let (sender, mut answers) = mpsc::channel(1);
            let replies = replies.clone();
            let account = order.key.account.clone();
            self.chores.spawn(async move {
                let reply = match answers.recv().await {
                    Some(RunReply::Ended(ended)) => Reply::Run(ended),
                    Some(RunReply::Refused(reason)) => {
                        Reply::Refused { kind: RefusalKind::Failure, message: format!("{account}: {reason}") }
                    }
                    None => Reply::Refused {
                        kind: RefusalKind::TryAgain,
                        message: format!("{account}: the account's task has ended"),
                    },
                };
                let _ = replies.send(reply).await;
            });
            self.order(Box::new(order), Some(sender));
        }
        self.dirty = true;
    }
}
