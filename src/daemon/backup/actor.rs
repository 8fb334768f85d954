//! The task that owns the engine of a running daemon. Whatever fails here, sign-ins go on.

use std::time::Duration;

use chrono::Utc;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{error, info, warn};

use super::condition;
use super::handle::{InForce, Order, Report};
use super::ownership::Ownership;
use super::timetable::{Due, Failure, Pace, Timetable};
use crate::backup::log::{Hold, Keep};
use crate::backup::sync::{Engine, History, Inputs, Kind, Outcome, Reason, Remedy, Resolved, SyncError, explain};
use crate::config::Backup;
use crate::daemon::backup_setup;
use crate::kernel::status::{BackupResult, BackupRole, BackupStatus, Restored};
use crate::ledger::LedgerHandle;

/// The first drill comes that long after the start: a daemon that restarts every day would never try one otherwise.
const FIRST_DRILL: Duration = Duration::from_hours(1);

fn first_drill(engine: &Engine, every: Duration) -> Duration {
    let passed = engine.notebook().last_drill().filter(|(_, passed)| *passed);
    let ago = passed.and_then(|(at, _)| (Utc::now() - at).to_std().ok());
    ago.map_or(FIRST_DRILL, |ago| every.saturating_sub(ago).max(FIRST_DRILL))
}

/// What a look at the server brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// What was left there.
    Ours,
    /// Nothing: it could not be asked.
    Nothing,
    /// What needs a person, or a later process.
    Others,
}

/// The task.
pub(super) struct Actor {
    pub(super) engine: Engine,
    pub(super) status: BackupStatus,
    timetable: Timetable,
    /// The trouble that was told last, until something works again.
    told: Option<Kind>,
    pub(super) reports: mpsc::Sender<Report>,
    configuration: watch::Receiver<InForce>,
    ledger: LedgerHandle,
    ownership: Ownership,
}

impl Actor {
    pub(super) fn new(
        engine: Engine,
        settings: &Backup,
        restored: Option<Restored>,
        ledger: LedgerHandle,
        reports: mpsc::Sender<Report>,
        configuration: watch::Receiver<InForce>,
        ownership: Ownership,
    ) -> Self {
        let can_open = engine.keys().identity.is_some();
        let pace =
            Pace { interval: settings.interval, min_gap: settings.min_gap, drill: can_open.then_some(settings.drill) };
        let timetable = Timetable::new(pace, Instant::now(), first_drill(&engine, settings.drill));
        let status = condition::first(&engine, BackupRole::Holder, restored);
        Self { engine, status, timetable, told: None, reports, configuration, ledger, ownership }
    }

    pub(super) async fn work(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        self.tell().await;
        loop {
            let (at, due) = self.timetable.next();
            let order = tokio::select! {
                biased;
                order = orders.recv() => order,
                () = self.ownership.lost(), if self.status.role == BackupRole::Holder => {
                    self.superseded().await;
                    continue;
                }
                () = sleep_until(at), if self.status.role == BackupRole::Holder => {
                    self.perform(due).await;
                    continue;
                }
            };
            match order {
                Some(Order::Changed(reason)) => self.changed(reason),
                Some(Order::Now(reply)) => {
                    let answer = self.commit(Reason::Command).await;
                    let _ = reply.send(answer.map_err(|error| error.to_string()));
                }
                Some(Order::Resolve(keep, reply)) => {
                    let _ = reply.send(self.resolve(&keep).await.map_err(|error| error.to_string()));
                }
                Some(Order::Finish(done)) => {
                    self.finish().await;
                    let _ = done.send(());
                    return;
                }
                None => return,
            }
        }
    }

    fn changed(&mut self, reason: Reason) {
        self.timetable.changed(reason, Instant::now());
        self.status.unsaved_since.get_or_insert_with(Utc::now);
    }

    async fn perform(&mut self, due: Due) {
        match due {
            Due::Commit(reason) => drop(self.commit(reason).await),
            Due::Look => {
                // What nobody announced, such as a session that Telegram moved to another data centre.
                if self.look().await == Seen::Ours && self.timetable.may_commit(Instant::now()) {
                    drop(self.commit(Reason::Interval).await);
                }
                self.read_inbox().await;
            }
            Due::Inbox => {
                self.timetable.read_inbox(Instant::now());
                self.read_inbox().await;
            }
            Due::Drill => self.drill().await,
        }
    }

    async fn inputs(&self, history: History) -> Inputs {
        // A ledger that is closed already has no version, and contents are compared instead.
        let ledger = self.ledger.version().await.ok();
        let in_force = self.configuration.borrow();
        let inputs = backup_setup::inputs(&in_force.sources, in_force.longest_window, history, Utc::now());
        Inputs { ledger, ..inputs }
    }

    async fn commit(&mut self, reason: Reason) -> Result<String, SyncError> {
        let unsaved = self.timetable.begins();
        // The whole history takes longer than the grace time may last.
        let history = if reason == Reason::Stop { History::Leave } else { History::WhenDue };
        let inputs = self.inputs(history).await;
        let ended = match reason {
            Reason::Command => self.engine.commit_seen(&inputs, reason).await,
            _ => self.engine.commit(&inputs, reason).await,
        };
        let now = Instant::now();
        let (result, answer) = match ended {
            Ok(Outcome::Committed(committed)) => {
                let generation = committed.generation.manifest.generation.number();
                info!(generation, bytes = committed.bytes, %reason, "backed up");
                for left_out in &committed.left_out {
                    warn!(file = %left_out.file.display(), "not part of the backup: {}", left_out.why);
                }
                if let Some(trouble) = &committed.tidying {
                    warn!("old generations stay for now: {trouble}");
                }
                self.timetable.succeeded(true, now);
                (BackupResult::Committed, Ok(format!("generation {generation}, {} bytes", committed.bytes)))
            }
            Ok(Outcome::Unchanged) => {
                self.timetable.succeeded(false, now);
                (BackupResult::Unchanged, Ok("nothing has changed since the newest generation".to_owned()))
            }
            Err(error) => {
                let failure = match error.remedy() {
                    Remedy::Configure | Remedy::Repair => Failure::Lasting,
                    Remedy::Wait | Remedy::Decide | Remedy::NothingThere => Failure::Passing,
                };
                self.timetable.failed(failure, unsaved, now);
                let result = self.failed(&error).await;
                (result, Err(error))
            }
        };
        *self.status.totals.attempts.entry(result).or_default() += 1;
        match result {
            BackupResult::Committed => self.works(),
            // Only the server can say whether what was left there is there still.
            BackupResult::Unchanged if matches!(reason, Reason::Interval | Reason::Command) => self.works(),
            BackupResult::Unchanged if !self.timetable.is_unsaved() => self.status.unsaved_since = None,
            _ => {}
        }
        self.tell().await;
        answer
    }

    /// The server has what is here.
    fn works(&mut self) {
        if self.told.take().is_some() {
            info!("the backup works again");
        }
        condition::saved(&mut self.status, Utc::now(), !self.timetable.is_unsaved());
    }

    pub(super) async fn failed(&mut self, error: &SyncError) -> BackupResult {
        if let SyncError::Refused(survey) = error {
            self.conflict(explain::survey(survey)).await;
            return BackupResult::Conflict;
        }
        let text = error.to_string();
        if self.told.replace(error.kind()) != Some(error.kind()) {
            error!(error = %text, "the backup failed; it is tried again, and sign-ins go on");
        }
        self.status.error = Some(text);
        BackupResult::Failed
    }

    /// Alarms once for each kind of disagreement.
    async fn conflict(&mut self, what: String) {
        let advice = format!("{what}. Nothing is written until you decide: tgsignd backup resolve");
        if self.status.conflict.as_ref() != Some(&advice) {
            let _ = self.reports.send(Report::Alarm { kind: "backup_conflict", reason: advice.clone() }).await;
        }
        self.status.conflict = Some(advice);
    }

    /// Asks for the head.
    async fn look(&mut self) -> Seen {
        let checked = self.engine.head_check().await;
        self.timetable.looked(Instant::now());
        let seen = match checked {
            Ok(check) => {
                if let Hold::Superseded(_) = check.hold {
                    self.ownership.look();
                    return Seen::Others;
                }
                if check.survey.is_in_order(self.engine.position()) {
                    self.status.conflict = None;
                    Seen::Ours
                } else {
                    self.conflict(explain::survey(&check.survey)).await;
                    Seen::Others
                }
            }
            Err(error) => {
                self.failed(&error).await;
                Seen::Nothing
            }
        };
        self.tell().await;
        seen
    }

    async fn superseded(&mut self) {
        self.status.role = BackupRole::Superseded;
        self.tell().await;
    }

    async fn resolve(&mut self, keep: &Keep) -> Result<String, SyncError> {
        if matches!(keep, Keep::Remote(_)) {
            let advice = "the state cannot be replaced under a running daemon: stop it, then run this again";
            return Err(SyncError::Push(advice.to_owned()));
        }
        let inputs = self.inputs(History::WhenDue).await;
        let answer = match self.engine.resolve(keep, &inputs).await? {
            Resolved::Nothing => "both sides agree",
            Resolved::Committed(_) | Resolved::Restored { .. } => "what is here is the newest generation now",
        };
        self.works();
        self.tell().await;
        Ok(answer.to_owned())
    }

    async fn drill(&mut self) {
        let tried = self.engine.drill().await;
        self.timetable.drilled(Instant::now());
        match tried {
            Ok(generation) => info!(
                generation = generation.number(),
                "the newest generation was restored into a scratch folder: it is sound"
            ),
            // That says nothing about the backup.
            Err(error) if error.remedy() == Remedy::Wait => {
                self.timetable.drill_in(FIRST_DRILL, Instant::now());
                self.failed(&error).await;
            }
            Err(error) => {
                let reason = format!("the backup could not be restored in a drill: {error}");
                let _ = self.reports.send(Report::Alarm { kind: "drill_failed", reason }).await;
            }
        }
        self.tell().await;
    }

    async fn finish(&mut self) {
        let reason = if self.ownership.is_lost() { Reason::Release } else { Reason::Stop };
        if let Err(error) = self.commit(reason).await {
            error!(%error, "what was done since the last generation is not in the backup");
        }
        // Whoever comes next need not wait for this process.
        if let Err(error) = self.engine.release().await {
            warn!(%error, "the next start waits longer: the release could not be written");
        }
    }

    async fn tell(&mut self) {
        condition::refresh(&mut self.status, &self.engine);
        let _ = self.reports.send(Report::Status(Box::new(self.status.clone()))).await;
    }
}
