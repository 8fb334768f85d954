//! The task that owns the engine of a running daemon. Whatever fails here, sign-ins go on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{error, info, warn};

use super::condition;
use super::timetable::{Due, Pace, Timetable};
use crate::backup::log::{Hold, Keep, Survey};
use crate::backup::sync::{
    Delivery, Engine, History, Inputs, Letter, Outcome, Reason, Remedy, Resolved, SyncError, Verdict, explain,
};
use crate::config::secret::Secret;
use crate::config::{Backup, Sources};
use crate::daemon::backup_setup;
use crate::kernel::status::{BackupResult, BackupRole, BackupStatus, Check, Restored};
use crate::ledger::LedgerHandle;
use crate::names::AccountName;

/// Reports that may wait.
const QUEUE: usize = 16;

/// The first drill comes that long after the start: a daemon that restarts every day would never try one otherwise.
const FIRST_DRILL: Duration = Duration::from_hours(1);

/// What the actor is told.
enum Order {
    Changed(Reason),
    Now(oneshot::Sender<Result<String, String>>),
    Resolve(Keep, oneshot::Sender<Result<String, String>>),
    Finish(oneshot::Sender<()>),
}

/// What the actor tells.
pub enum Report {
    /// How things are.
    Status(Box<BackupStatus>),
    /// Another process has taken over: disconnect, then [`BackupHandle::finish`].
    Superseded,
    /// A person has to look.
    Alarm {
        /// The word used in metrics.
        kind: &'static str,
        /// One line.
        reason: String,
    },
    /// Something came in; the answer goes back to whoever sent it.
    Delivered {
        /// What.
        content: Delivered,
        /// Applied, or refused, and a line about it.
        answer: oneshot::Sender<Result<String, String>>,
    },
}

/// What came in. It is authentic, and nothing else is known about it.
#[derive(Debug)]
pub enum Delivered {
    /// All files of a workdir.
    Workdir(BTreeMap<String, Vec<u8>>),
    /// The session of an account.
    Session {
        /// Whose.
        account: AccountName,
        /// The file.
        file: Secret<Vec<u8>>,
    },
}

/// The configuration in force, for the next commit.
#[derive(Debug, Clone, Default)]
struct InForce {
    sources: Arc<Sources>,
    /// No slot before that can be claimed any more.
    longest_window: Duration,
}

/// The way to the actor.
#[derive(Debug)]
pub struct BackupHandle {
    orders: mpsc::UnboundedSender<Order>,
    in_force: watch::Sender<InForce>,
}

impl BackupHandle {
    /// Starts the actor of a process that has become the owner. Its engine has been told its instance.
    pub fn start(
        engine: Engine,
        settings: &Backup,
        restored: Option<Restored>,
        ledger: LedgerHandle,
    ) -> (Self, mpsc::Receiver<Report>) {
        let (orders, queue) = mpsc::unbounded_channel();
        let (reports, received) = mpsc::channel(QUEUE);
        let (in_force, configuration) = watch::channel(InForce::default());
        let can_open = engine.keys().identity.is_some();
        let pace =
            Pace { interval: settings.interval, min_gap: settings.min_gap, drill: can_open.then_some(settings.drill) };
        let drill_in = first_drill(&engine, settings.drill);
        let actor = Actor {
            status: condition::first(&engine, BackupRole::Holder, restored),
            engine,
            timetable: Timetable::new(pace, Instant::now(), drill_in),
            reports,
            configuration,
            ledger,
        };
        tokio::spawn(actor.work(queue));
        (Self { orders, in_force }, received)
    }

    /// A configuration is in force.
    pub fn configured(&self, sources: Arc<Sources>, longest_window: Duration) {
        self.in_force.send_replace(InForce { sources, longest_window });
        self.changed(Reason::Configuration);
    }

    /// Something is worth saving.
    pub fn changed(&self, reason: Reason) {
        let _ = self.orders.send(Order::Changed(reason));
    }

    /// Commits at once, and answers in one line.
    pub fn now(&self) -> oneshot::Receiver<Result<String, String>> {
        let (reply, answer) = oneshot::channel();
        let _ = self.orders.send(Order::Now(reply));
        answer
    }

    /// Decides a conflict.
    pub fn resolve(&self, keep: Keep) -> oneshot::Receiver<Result<String, String>> {
        let (reply, answer) = oneshot::channel();
        let _ = self.orders.send(Order::Resolve(keep, reply));
        answer
    }

    /// Nothing uses the sessions any more: a last commit, then the release record. Ends the actor.
    pub async fn finish(self) {
        let (done, ended) = oneshot::channel();
        let _ = self.orders.send(Order::Finish(done));
        let _ = ended.await;
    }
}

fn first_drill(engine: &Engine, every: Duration) -> Duration {
    let last = engine.notebook().drilled_at.and_then(|at| (Utc::now() - at).to_std().ok());
    last.map_or(FIRST_DRILL, |ago| every.saturating_sub(ago).max(FIRST_DRILL))
}

struct Actor {
    engine: Engine,
    status: BackupStatus,
    timetable: Timetable,
    reports: mpsc::Sender<Report>,
    configuration: watch::Receiver<InForce>,
    ledger: LedgerHandle,
}

impl Actor {
    async fn work(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        self.tell().await;
        loop {
            let (at, due) = self.timetable.next();
            let order = tokio::select! {
                biased;
                order = orders.recv() => order,
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
                self.look().await;
                // What nobody announced, such as a session that Telegram moved to another data centre.
                if self.status.role == BackupRole::Holder && self.status.conflict.is_none() {
                    drop(self.commit(Reason::Interval).await);
                }
                self.read_inbox().await;
            }
            Due::Hold => {
                self.hold().await;
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
        let ended = self.engine.commit(&inputs, reason).await;
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
                self.timetable.failed(unsaved, now);
                let result = self.failed(&error).await;
                (result, Err(error))
            }
        };
        *self.status.totals.attempts.entry(result).or_default() += 1;
        if answer.is_ok() {
            condition::saved(&mut self.status, Utc::now(), !self.timetable.is_unsaved());
        }
        self.tell().await;
        answer
    }

    async fn failed(&mut self, error: &SyncError) -> BackupResult {
        if let SyncError::Refused(survey) = error {
            self.conflict(explain::survey(survey)).await;
            return BackupResult::Conflict;
        }
        let text = error.to_string();
        if self.status.error.as_ref() != Some(&text) {
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

    async fn look(&mut self) {
        let checked = self.engine.head_check().await;
        self.timetable.looked(Instant::now());
        match checked {
            Ok(check) => {
                if let Hold::Superseded(_) = check.hold {
                    return self.superseded().await;
                }
                match &check.survey {
                    Survey::Head(_) | Survey::Landed(_) => self.status.conflict = None,
                    Survey::Empty if self.engine.position().committed.is_none() => {}
                    other => self.conflict(explain::survey(other)).await,
                }
            }
            Err(error) => {
                self.failed(&error).await;
            }
        }
        self.tell().await;
    }

    async fn hold(&mut self) {
        let held = self.engine.hold().await;
        self.timetable.held(Instant::now());
        match held {
            Ok(Hold::Holder) => {}
            Ok(Hold::Superseded(_)) => self.superseded().await,
            Err(error) => {
                self.failed(&error).await;
                self.tell().await;
            }
        }
    }

    async fn superseded(&mut self) {
        warn!("another process has taken over: this one disconnects, saves what it has, and signs in no more");
        self.status.role = BackupRole::Superseded;
        self.tell().await;
        let _ = self.reports.send(Report::Superseded).await;
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
        condition::saved(&mut self.status, Utc::now(), true);
        self.tell().await;
        Ok(answer.to_owned())
    }

    async fn read_inbox(&mut self) {
        if self.engine.keys().identity.is_none() || self.status.role != BackupRole::Holder {
            return;
        }
        let letters = match self.engine.inbox_poll().await {
            Ok(letters) => letters,
            Err(error) => {
                self.failed(&error).await;
                return;
            }
        };
        for mut letter in letters {
            let verdict = self.deliver(&mut letter).await;
            match &verdict {
                Verdict::Applied(message) => info!(from = %letter.writer, "applied what was pushed: {message}"),
                Verdict::Refused(reason) => {
                    let reason = format!("what {} pushed was refused: {reason}", letter.writer);
                    let _ = self.reports.send(Report::Alarm { kind: "push_refused", reason }).await;
                }
            }
            if let Err(error) = self.engine.answer(&letter, verdict).await {
                self.failed(&error).await;
            }
        }
    }

    async fn deliver(&self, letter: &mut Letter) -> Verdict {
        let taken = std::mem::replace(&mut letter.delivery, Delivery::Unusable(String::new()));
        let content = match taken {
            Delivery::Workdir(files) => Delivered::Workdir(files),
            Delivery::Session { account, file } => Delivered::Session { account, file },
            Delivery::Unusable(why) => return Verdict::Refused(why),
        };
        let (answer, answered) = oneshot::channel();
        if self.reports.send(Report::Delivered { content, answer }).await.is_err() {
            return Verdict::Refused("the daemon is stopping; push it again".to_owned());
        }
        match answered.await {
            Ok(Ok(message)) => Verdict::Applied(message),
            Ok(Err(reason)) => Verdict::Refused(reason),
            Err(_) => Verdict::Refused("the daemon is stopping; push it again".to_owned()),
        }
    }

    async fn drill(&mut self) {
        let tried = self.engine.drill().await;
        self.timetable.drilled(Instant::now());
        let passed = match tried {
            Ok(generation) => {
                info!(
                    generation = generation.number(),
                    "the newest generation was restored into a scratch folder: it is sound"
                );
                true
            }
            // That says nothing about the backup.
            Err(error) if error.remedy() == Remedy::Wait => {
                self.failed(&error).await;
                return;
            }
            Err(error) => {
                let reason = format!("the backup could not be restored in a drill: {error}");
                let _ = self.reports.send(Report::Alarm { kind: "drill_failed", reason }).await;
                false
            }
        };
        self.status.drill = Some(Check { at: Utc::now(), passed });
        self.tell().await;
    }

    async fn finish(&mut self) {
        let reason = if self.status.role == BackupRole::Superseded { Reason::Release } else { Reason::Stop };
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
