//! The loop, and its end.

use std::time::{Duration, SystemTime};

use chrono::Utc;
use tokio::signal::unix::Signal;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::Service;
use super::backup::{Heeded, next_report};
use crate::backup::log::TAKEOVER_WAIT;
use crate::daemon::backup::NOTICED_WITHIN;
use crate::daemon::systemd;
use crate::daemon::ticker::Wake;
use crate::daemon::workdir::Reread;
use crate::kernel::Event;
use crate::ledger::transcript;

/// The status is published at most that often; a thousand tasks make it large.
const PUBLISH_PAUSE: Duration = Duration::from_millis(200);

/// The loop turns at least that often, as a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Old runs and transcripts are looked for that often.
const HOUSEKEEPING: Duration = Duration::from_hours(6);

/// How long runs may go on after SIGTERM: containers are killed after 10 s, systemd units (`TimeoutStopSec=45s`) later.
const GRACE: Duration = Duration::from_secs(8);
const GRACE_UNDER_SYSTEMD: Duration = Duration::from_secs(40);

/// How long cut-off runs may take to close their connections.
const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// Who is overtaken has left before the one that takes over connects.
const _: () = assert!(NOTICED_WITHIN.as_secs() + GRACE.as_secs() + LAST_PATIENCE.as_secs() < TAKEOVER_WAIT.as_secs());

/// Why the loop ended.
pub(super) enum Stopped {
    Signal,
    /// Another process has taken over.
    Superseded,
    /// The ledger's thread has ended: no slot can be taken any more. Whoever started the process starts it again.
    LedgerLost,
}

impl Service {
    pub(super) async fn turn_until_stopped(
        &mut self,
        terminate: &mut Signal,
        interrupt: &mut Signal,
        hangup: &mut Signal,
    ) -> Stopped {
        let mut heartbeat = tokio::time::interval(systemd::pulse(HEARTBEAT));
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        let ledger = self.datadir.ledger.clone();
        loop {
            // What is due already is done without being told.
            let is_behind = self.is_behind();
            if !is_behind {
                self.ticker.arm(self.kernel.deadline());
            }
            let publish_at = self.published + PUBLISH_PAUSE;
            tokio::select! {
                _ = terminate.recv() => {
                    info!("SIGTERM: no new runs; those in progress may end");
                    return Stopped::Signal;
                }
                _ = interrupt.recv() => {
                    info!("SIGINT: no new runs; those in progress may end");
                    return Stopped::Signal;
                }
                _ = hangup.recv() => {
                    info!("SIGHUP: reading the workdir");
                    systemd::reloading();
                    self.reload(Reread::Everything).await;
                    systemd::ready();
                }
                () = ledger.ended() => {
                    error!("the ledger's thread has ended, and this process ends with it; please report it");
                    return Stopped::LedgerLost;
                }
                Some(event) = self.events.recv() => self.take_in(event),
                Some(wake) = self.wakes.recv() => self.woken(wake),
                // One tick does a part of what is due.
                () = std::future::ready(()), if is_behind => self.take_in(Event::Tick),
                Some(call) = self.calls.recv() => self.answer(call),
                Some(report) = next_report(&mut self.backup) => {
                    if let Heeded::Superseded = self.heed(report).await {
                        return Stopped::Superseded;
                    }
                }
                reread = self.watcher.changed() => self.reload(reread).await,
                Some(ended) = self.actors.join_next_with_id(), if !self.actors.is_empty() => self.actor_ended(ended),
                Some(_) = self.chores.join_next(), if !self.chores.is_empty() => {}
                _ = heartbeat.tick() => {
                    self.dirty = true;
                    self.measure();
                    systemd::watchdog();
                    self.tell_systemd();
                }
                _ = housekeeping.tick() => self.tidy(),
                () = tokio::time::sleep_until(publish_at), if self.dirty => self.publish(),
            }
        }
    }

    /// No new runs; those in progress end, or are cut off when the time is up or a second signal comes. Says whether the process was
    /// told to end.
    pub(super) async fn drain(&mut self, why: &Stopped, terminate: &mut Signal, interrupt: &mut Signal) -> bool {
        let now = Utc::now();
        self.kernel.handle(now, Event::Stop);
        self.publish();
        let grace = match why {
            Stopped::Signal if systemd::is_here() => GRACE_UNDER_SYSTEMD,
            Stopped::Signal | Stopped::Superseded | Stopped::LedgerLost => GRACE,
        };
        let end = Instant::now() + grace;
        let mut told = !matches!(why, Stopped::Superseded);
        let cut_off = loop {
            if self.kernel.is_idle() {
                break None;
            }
            let signal = async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            };
            tokio::select! {
                () = signal => {
                    if told {
                        break Some("second signal");
                    }
                    told = true;
                }
                Some(event) = self.events.recv() => self.take_in(event),
                Some(call) = self.calls.recv() => self.answer(call),
                () = tokio::time::sleep_until(end) => break Some("the grace time is over"),
            }
        };
        if let Some(why) = cut_off {
            warn!("{why}: runs are cut off");
        }
        self.stop.send_replace(true);
        self.accounts.clear();
        (self.given_up, self.keep) = (None, None);
        let ended = async {
            while self.actors.join_next().await.is_some() {}
            while self.chores.join_next().await.is_some() {}
        };
        if tokio::time::timeout(LAST_PATIENCE, ended).await.is_err() {
            warn!("some connections did not close in time");
            self.actors.abort_all();
        }
        self.finish_backup(end.max(Instant::now() + LAST_PATIENCE)).await;
        self.publish();
        told
    }

    fn woken(&mut self, wake: Wake) {
        if let Wake::ClockStepped { delta } = wake {
            warn!(seconds = delta.num_seconds(), "the clock was set, or the machine slept");
            self.kernel.status().totals.clock_steps += 1;
            if let Some(ownership) = &self.shared.ownership {
                // Another process may have taken over while the machine slept.
                ownership.look();
            }
        }
        self.take_in(Event::Tick);
    }

    fn is_behind(&self) -> bool {
        self.kernel.deadline().is_some_and(|deadline| deadline <= Utc::now())
    }

    /// One event through the kernel.
    pub(super) fn take_in(&mut self, event: Event) {
        self.worth_saving(&event);
        let effects = self.kernel.handle(Utc::now(), event);
        self.dirty = true;
        for effect in effects {
            self.carry_out(effect);
        }
    }

    pub(super) fn publish(&mut self) {
        let heartbeat = self.ticker.heartbeat();
        let watcher = self.watcher.status();
        let status = self.kernel.status();
        status.heartbeat = Utc::now();
        status.totals.ticks = heartbeat.ticks;
        status.watcher = Some(watcher);
        self.status.send_replace(std::sync::Arc::new(status.clone()));
        self.published = Instant::now();
        self.dirty = false;
    }

    fn actor_ended(&mut self, ended: Result<(tokio::task::Id, ()), tokio::task::JoinError>) {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        let Some(account) = self.actor_names.remove(&id) else { return };
        if let Err(error) = ended {
            error!(%account, %error, "the account's task ended in a panic and is started again; please report it");
            self.accounts.remove(&account);
            self.take_in(Event::ActorLost { account });
        }
    }

    /// How big the ledger is; the answer comes when it comes.
    fn measure(&mut self) {
        let (ledger, events) = (self.datadir.ledger.clone(), self.shared.events.clone());
        // A full disk can be read: that it has space again only a write shows.
        let refused = self.kernel.status().ledger.error.is_some();
        self.chores.spawn(async move {
            let works = if refused { ledger.touch().await } else { Ok(()) };
            let measured = match works {
                Ok(()) => ledger.sizes().await,
                Err(error) => Err(error),
            };
            let _ = events.send(Event::Measured(measured.map_err(|error| error.to_string())));
        });
    }

    /// Removes what `[history]` no longer wants.
    fn tidy(&mut self) {
        let Some(history) = self.kernel.snapshot().map(|snapshot| snapshot.history) else { return };
        let window = self.kernel.longest_window();
        let (ledger, folder, now) = (self.datadir.ledger.clone(), self.shared.transcripts(), Utc::now());
        self.chores.spawn(async move {
            match ledger.prune(now - history.runs, now - window).await {
                Ok(0) => {}
                Ok(runs) => info!(runs, "removed old runs"),
                Err(error) => warn!(%error, "old runs could not be removed"),
            }
            let removed =
                tokio::task::spawn_blocking(move || transcript::prune(&folder, history.transcripts, SystemTime::now()));
            match removed.await {
                Ok(Err(error)) => warn!(%error, "old transcripts could not be removed"),
                Ok(Ok(transcripts @ 1..)) => info!(transcripts, "removed old transcripts"),
                _ => {}
            }
        });
    }
}
