//! Notices that the workdir may have changed, and where.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::warn;

use super::workdir::Reread;
use crate::kernel::status::{WatcherBackend, WatcherStatus};

/// Quiet time after the last event before the workdir is read: an editor is done with its renames by then.
pub const QUIET: Duration = Duration::from_millis(250);

/// Events without a pause do not put the reading off for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The workdir is read that often in any case, for file systems that tell nothing.
const RESCAN: Duration = Duration::from_mins(1);

/// And that often when nobody tells anything.
const POLL: Duration = Duration::from_secs(2);

/// More paths than that are not told apart.
const MOST_PATHS: usize = 1_000;

/// Where something happened since the workdir was last read.
#[derive(Debug, Clone, Default)]
struct Places(Arc<Mutex<Happened>>);

#[derive(Debug, Default)]
struct Happened {
    paths: BTreeSet<PathBuf>,
    /// Something happened that has no path, or there are too many.
    elsewhere: bool,
}

impl Places {
    fn add(&self, event: notify::Result<notify::Event>) {
        let mut happened = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Ok(event) if !event.need_rescan() && !event.paths.is_empty() && happened.paths.len() < MOST_PATHS => {
                happened.paths.extend(event.paths);
            }
            _ => happened.elsewhere = true,
        }
    }

    fn take(&self) -> Reread {
        let happened = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if happened.elsewhere { Reread::Changed } else { Reread::Named(happened.paths) }
    }
}

/// Tells when the workdir has to be read.
#[derive(Debug)]
pub struct Watcher {
    inotify: Option<RecommendedWatcher>,
    /// Why the operating system tells nothing.
    trouble: Option<notify::Error>,
    dirty: mpsc::Receiver<()>,
    places: Places,
    /// Since when there is something to read, and when the last event came.
    since: Option<(Instant, Instant)>,
    next_rescan: Instant,
}

impl Watcher {
    /// Watches `workdir`; where the operating system refuses, the folder is polled.
    pub fn start(workdir: &Path) -> Self {
        let (sender, dirty) = mpsc::channel(1);
        let places = Places::default();
        let happened = places.clone();
        let told = move |event: notify::Result<notify::Event>| {
            // Reading the workdir is an event too, and must not cause the next reading.
            if event.as_ref().is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                return;
            }
            happened.add(event);
            // A full channel means that the loop knows already.
            let _ = sender.try_send(());
        };
        let watching = notify::recommended_watcher(told)
            .and_then(|mut watcher| watcher.watch(workdir, RecursiveMode::Recursive).map(|()| watcher));
        let (inotify, trouble) = match watching {
            Ok(watcher) => (Some(watcher), None),
            Err(error) => (None, Some(error)),
        };
        let mut watcher = Self { inotify, trouble, dirty, places, since: None, next_rescan: Instant::now() };
        watcher.was_read();
        watcher
    }

    /// Logs why the folder is polled, if it is; for after the log was set up.
    pub fn tell_trouble(&self) {
        if let Some(error) = &self.trouble {
            warn!(%error, "the workdir cannot be watched; it is read every {}s", POLL.as_secs());
        }
    }

    /// The mechanism, for the status.
    pub fn status(&self) -> WatcherStatus {
        let backend = if self.inotify.is_some() { WatcherBackend::Inotify } else { WatcherBackend::Poll };
        WatcherStatus { backend, overflows: 0 }
    }

    /// The workdir was read just now.
    pub fn was_read(&mut self) {
        self.since = None;
        self.next_rescan = Instant::now() + if self.inotify.is_some() { RESCAN } else { POLL };
    }

    /// Asks for another reading after `delay`.
    pub fn read_again_in(&mut self, delay: Duration) {
        self.next_rescan = self.next_rescan.min(Instant::now() + delay);
    }

    /// Returns when the workdir has to be read: where something happened after an event, everything now and then in any case.
    /// Can be cancelled and called again.
    pub async fn changed(&mut self) -> Reread {
        loop {
            let due = self.since.map(|(first, last)| (last + QUIET).min(first + LONGEST_WAIT));
            let wake = due.map_or(self.next_rescan, |due| due.min(self.next_rescan));
            tokio::select! {
                told = self.dirty.recv(), if self.inotify.is_some() => {
                    if told.is_some() {
                        let now = Instant::now();
                        self.since = Some((self.since.map_or(now, |(first, _)| first), now));
                    } else {
                        warn!("the watcher ended; the workdir is polled from now on");
                        self.inotify = None;
                    }
                }
                () = tokio::time::sleep_until(wake) => {
                    let everything = wake == self.next_rescan;
                    return if everything { Reread::Everything } else { self.places.take() };
                }
            }
        }
    }
}
