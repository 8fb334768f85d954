//! A changed workdir.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::Service;
use crate::config::{Changes, Connect, Diff, Snapshot, Task};
use crate::daemon::reload::{self, Accepted, Rejected};
use crate::daemon::systemd;
use crate::daemon::workdir::Reread;
use crate::kernel::record::ActivePair;
use crate::kernel::{Event, PairKey};
use crate::ledger::{LedgerError, Tasks};
use crate::names::AccountName;

/// What disappeared has to be gone for that long: an editor, or a copy over the network, may be half-way.
const REMOVAL_PAUSE: Duration = Duration::from_secs(2);

impl Service {
    /// What came due while no process ran belongs to the schedules that were in force then, although the workdir has
    /// others by now: it is recorded as after a reload.
    pub(super) async fn make_up_for(&mut self, before: Option<Snapshot>) -> Result<(), LedgerError> {
        let Some(mut before) = before else { return Ok(()) };
        let active = self.datadir.ledger.active().await?.into_iter();
        let active: BTreeMap<PairKey, _> =
            active.map(|(pair, since)| ((pair.task, pair.account), (pair.schedule, since))).collect();
        // A crash may have come before the newest configuration was kept.
        before.tasks.retain(|name, task| {
            let known = |account: &AccountName| active.get(&(name.clone(), account.clone()));
            let accounts = &task.accounts;
            accounts
                .iter()
                .all(|account| known(account).is_some_and(|(of, _)| *of == task.schedule_fingerprint.to_string()))
        });
        let active_since = active.into_iter().map(|(pair, (_, since))| (pair, since)).collect();
        self.take_in(Event::Loaded { snapshot: Arc::new(before), active_since });
        Ok(())
    }

    /// Puts the first configuration in force.
    pub(super) async fn begin(&mut self, accepted: Accepted, refused: Option<Rejected>) -> Result<(), LedgerError> {
        // A restore may have brought another workdir.
        self.watcher.watch(self.reader.folders());
        let from_last_good = refused.is_some();
        self.put_in_force(accepted, !from_last_good).await?;
        self.kernel.status().config.from_last_good = from_last_good;
        if let Some(refused) = refused {
            self.refuse(refused);
        }
        self.kernel.status().ledger.ready = true;
        self.publish();
        Ok(())
    }

    /// Reads the workdir and puts it in force as a whole, or changes nothing.
    pub(super) async fn reload(&mut self, reread: Reread) {
        debug!(?reread, "reading the workdir");
        self.watcher.is_read(&reread);
        let (workdir, environment) = (self.workdir.clone(), self.environment.clone());
        // After a panic the next reading begins with nothing.
        let mut reader = std::mem::take(&mut self.reader);
        let read = tokio::task::spawn_blocking(move || {
            let read = reader.read(&workdir, environment, &reread);
            (reader, read)
        });
        match read.await {
            Ok((reader, read)) => {
                self.reader = reader;
                self.watcher.watch(self.reader.folders());
                match read {
                    Ok(accepted) => self.consider(accepted).await,
                    Err(refused) => self.refuse(refused),
                }
            }
            Err(panic) => error!(%panic, "reading the workdir ended in a panic; please report it"),
        }
        self.tell_systemd();
    }

    async fn consider(&mut self, accepted: Accepted) {
        let digest = accepted.snapshot.digest.clone();
        self.kernel.status().config.last_reload_at = Some(Utc::now());
        let Some(current) = self.kernel.snapshot().cloned() else { return };
        if current.digest == digest {
            self.removal = None;
            let config = &mut self.kernel.status().config;
            config.last_reload_accepted = Some(true);
            config.from_last_good = false;
            config.errors.clear();
            self.dirty = true;
            return;
        }
        let diff = Diff::between(&current, &accepted.snapshot);
        let removes = !diff.tasks.removed.is_empty() || !diff.accounts.removed.is_empty();
        if removes && let Some(pause) = self.doubt(digest) {
            self.watcher.read_again_in(pause);
            return;
        }
        let changes: Vec<String> = diff.to_string().lines().map(str::to_owned).collect();
        for line in &changes {
            info!("configuration: {line}");
        }
        let first = self.started_with.as_deref().unwrap_or(&current);
        let restart_needed = Diff::restart_needed(first, &accepted.snapshot);
        let restart_needed = restart_needed.into_iter().map(str::to_owned).collect();
        if let Err(error) = self.put_in_force(accepted, true).await {
            error!(%error, "the new configuration waits: the ledger refused");
            self.kernel.status().ledger.error = Some(error.to_string());
            return;
        }
        let status = self.kernel.status();
        status.config.from_last_good = false;
        status.config.restart_needed = restart_needed;
        status.config.changes = changes;
        status.totals.reloads_accepted += 1;
        let digest = status.config.digest.as_deref();
        info!(tasks = status.tasks.len(), accounts = status.accounts.len(), digest, "the configuration is in force");
    }

    /// How much longer a workdir that lacks something has to stay as it is.
    fn doubt(&mut self, digest: String) -> Option<Duration> {
        let now = Instant::now();
        match &self.removal {
            Some((doubted, since)) if *doubted == digest => {
                REMOVAL_PAUSE.checked_sub(now - *since).filter(|rest| !rest.is_zero())
            }
            _ => {
                info!("tasks or accounts have disappeared; the workdir is read again before they are taken away");
                self.removal = Some((digest, now));
                Some(REMOVAL_PAUSE)
            }
        }
    }

    /// Renews the line of `systemctl status`.
    pub(super) fn tell_systemd(&mut self) {
        if systemd::is_here() {
            systemd::status(&self.summary());
        }
    }

    /// How things are, in one line.
    pub(super) fn summary(&mut self) -> String {
        let status = self.kernel.status();
        let pairs = status.tasks.values().flat_map(|task| task.accounts.values());
        let next = pairs.filter_map(|pair| pair.next).map(|next| next.fire_at).min();
        let next = next.map_or("no run planned".to_owned(), |next| format!("next run at {}", next.format("%F %TZ")));
        let refused = match status.config.errors.len() {
            0 => String::new(),
            errors => format!("; the workdir has {errors} errors, the last good configuration is in force"),
        };
        format!("{} tasks, {} accounts; {next}{refused}", status.tasks.len(), status.accounts.len())
    }

    async fn put_in_force(&mut self, accepted: Accepted, keep: bool) -> Result<(), LedgerError> {
        let Accepted { snapshot, sources, warnings } = accepted;
        for warning in warnings {
            warn!("{}", warning.replace("\n  ", "; "));
        }
        let snapshot = Arc::new(snapshot);
        let active_since = self.active_since(&snapshot).await?;
        self.removal = None;
        self.started_with.get_or_insert_with(|| Arc::clone(&snapshot));
        if let Some(keeper) = self.keep.as_ref().filter(|_| keep) {
            keeper.send_replace(Some(Arc::clone(&sources)));
        }
        let config = &mut self.kernel.status().config;
        config.digest = Some(snapshot.digest.clone());
        config.accepted_at = Some(Utc::now());
        config.last_reload_at = Some(Utc::now());
        config.last_reload_accepted = Some(true);
        config.errors.clear();
        if let Some(log) = &self.log
            && let Err(error) = log.set_level(&snapshot.log.level)
        {
            warn!(%error, "the level of the log stays");
        }
        self.take_in(Event::Loaded { snapshot: Arc::clone(&snapshot), active_since });
        self.reach_accounts(&snapshot);
        if let Some(link) = &self.backup {
            link.handle.configured(sources, self.kernel.longest_window());
        }
        Ok(())
    }

    /// Of the pairs of tasks that are new or changed.
    async fn active_since(&self, snapshot: &Snapshot) -> Result<BTreeMap<PairKey, chrono::DateTime<Utc>>, LedgerError> {
        // What the last process put in force is not all that the ledger knows.
        let current = self.started_with.is_some().then(|| self.kernel.snapshot()).flatten();
        let of = current.map_or(Tasks::All, |current| {
            let Changes { added, removed, changed } = Changes::of_tasks(&current.tasks, &snapshot.tasks);
            Tasks::Named([added, removed, changed].concat())
        });
        let tasks: Vec<&Arc<Task>> = match &of {
            Tasks::All => snapshot.tasks.values().collect(),
            Tasks::Named(names) => names.iter().filter_map(|name| snapshot.tasks.get(name)).collect(),
        };
        let pairs: Vec<ActivePair> = tasks
            .into_iter()
            .filter(|task| task.enabled)
            .flat_map(|task| {
                task.accounts.iter().map(|account| ActivePair {
                    task: task.name.clone(),
                    account: account.clone(),
                    schedule: task.schedule_fingerprint.to_string(),
                })
            })
            .collect();
        let since = self.datadir.ledger.active_since(of, pairs.clone(), Utc::now()).await?;
        Ok(pairs.into_iter().zip(since).map(|(pair, since)| ((pair.task, pair.account), since)).collect())
    }

    /// Tells running accounts how they are reached now, ends those that are gone, and starts those that are always connected.
    fn reach_accounts(&mut self, snapshot: &Snapshot) {
        self.shared.model_calls.set_limit(snapshot.ai.as_ref().map_or(0, |ai| ai.daily_limit));
        self.accounts.retain(|name, _| snapshot.accounts.contains_key(name));
        for (name, account) in &snapshot.accounts {
            let Some(reach) = reload::reach(snapshot, account) else { continue };
            if let Some(handle) = self.accounts.get(name) {
                handle.reach(reach);
            } else if reach.connect == Connect::Always {
                self.account(name);
            }
        }
    }

    fn refuse(&mut self, refused: Rejected) {
        let known: BTreeSet<&String> = self.kernel.status().config.errors.iter().collect();
        let news = refused.0.iter().any(|line| !known.contains(line));
        if news {
            error!("the workdir has errors; the configuration in force stays");
            for line in &refused.0 {
                // One line each: the hint stands on a line of its own where people read.
                error!("{}", line.replace("\n  ", "; "));
            }
            self.kernel.status().totals.reloads_rejected += 1;
        }
        let config = &mut self.kernel.status().config;
        config.last_reload_at = Some(Utc::now());
        config.last_reload_accepted = Some(false);
        config.errors = refused.0;
        self.removal = None;
        self.dirty = true;
    }
}
