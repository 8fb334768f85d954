//! Notices that the workdir may have changed, and where. What is named is only a hint where to look: whenever that cannot be
//! all, everything is looked at.
//!
//! The folders that count are watched one by one, not recursively: they may lie elsewhere, behind links. Whenever another
//! set of them counts, or one was moved away and another put in its place, all of it is watched anew.

mod places;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use self::places::Places;
use self::told::Told;
use super::workdir::Reread;
use crate::kernel::status::{WatcherBackend, WatcherStatus};

/// Quiet time after the last event before the workdir is read: an editor is done with its renames by then.
pub const QUIET: Duration = Duration::from_millis(250);

/// Events without a pause do not put the reading off for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Every file is read that often in any case, for file systems that tell nothing.
const RESCAN: Duration = Duration::from_mins(1);

/// And looked at that often when nobody tells anything.
const POLL: Duration = Duration::from_secs(2);

/// Tells when the workdir has to be read.
#[derive(Debug)]
pub struct Watcher {
    watching: Option<Watching>,
    /// Why the operating system tells nothing.
    trouble: Option<String>,
    overflows: u64,
    timing: Timing,
    /// The last time too something else had to be watched.
    is_restless: bool,
}

/// What is watched, and the way on which it is told.
#[derive(Debug)]
struct Watching {
    inotify: RecommendedWatcher,
    folders: BTreeMap<PathBuf, Option<Identity>>,
    told: watch::Receiver<Told>,
    places: Places,
    /// How many of the overflows were heard of.
    overflows: u64,
}

/// Device and number of a folder: another folder of the same name has others.
type Identity = (u64, u64);

fn identity(folder: &Path) -> Option<Identity> {
    fs::metadata(folder).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

impl Watching {
    fn start(folders: BTreeMap<PathBuf, Option<Identity>>) -> notify::Result<Self> {
        let (tell, told) = watch::channel(Told::default());
        let watched: BTreeSet<PathBuf> = folders.keys().cloned().collect();
        // What happened before anybody watched has no name.
        let places = Places::elsewhere();
        let happened = places.clone();
        let mut inotify = notify::recommended_watcher(move |event| {
            tell.send_if_modified(|told: &mut Told| {
                let is_news = told.take_in(&event, &watched);
                if is_news {
                    happened.add(&event);
                }
                is_news
            });
        })?;
        for folder in folders.keys() {
            inotify.watch(folder, RecursiveMode::NonRecursive)?;
        }
        Ok(Self { inotify, folders, told, places, overflows: 0 })
    }
}

impl Default for Watcher {
    fn default() -> Self {
        Self { watching: None, trouble: None, overflows: 0, timing: Timing::new(Instant::now()), is_restless: false }
    }
}

impl Watcher {
    /// Watches these folders, unless that is what is watched already; where the operating system refuses, they are polled.
    /// The workdir is read once more in a moment, because it may have changed before it was watched.
    pub fn watch(&mut self, folders: &BTreeSet<PathBuf>) {
        // Asked before they are watched: a folder that is swapped in between is taken for another one, and watched again.
        let folders = folders.iter().map(|folder| (folder.clone(), identity(folder))).collect();
        if self.watching.as_ref().is_some_and(|now| now.folders == folders && !now.told.borrow().lost) {
            self.is_restless = false;
            return;
        }
        match Watching::start(folders) {
            Ok(watching) => {
                self.watching = Some(watching);
                if self.trouble.take().is_some() {
                    info!("the workdir is watched again");
                }
                // Not for ever, where folders have another number each time one looks.
                if !self.is_restless {
                    self.timing.told(Instant::now());
                }
                self.is_restless = true;
            }
            Err(error) => self.poll(error.to_string()),
        }
    }

    fn poll(&mut self, trouble: String) {
        self.watching = None;
        if self.trouble.replace(trouble).is_none() {
            self.tell_trouble();
        }
    }

    /// Logs why the folder is polled, if it is; for after the log was set up.
    pub fn tell_trouble(&self) {
        if let Some(error) = &self.trouble {
            warn!(%error, "the workdir cannot be watched; it is looked at every {}s", POLL.as_secs());
        }
    }

    /// The mechanism, for the status.
    pub fn status(&self) -> WatcherStatus {
        let backend = if self.watching.is_some() { WatcherBackend::Inotify } else { WatcherBackend::Poll };
        WatcherStatus { backend, overflows: self.overflows }
    }

    /// The workdir is read from now on: what is told later needs another reading.
    pub fn is_read(&mut self, reread: &Reread) {
        self.timing.is_read(reread, Instant::now());
    }

    /// Asks for another reading of everything after `delay`.
    pub fn read_again_in(&mut self, delay: Duration) {
        self.timing.everything_by(Instant::now() + delay);
    }

    /// Returns when the workdir has to be read: what changed after an event, everything now and then in any case. Can be
    /// cancelled and called again.
    pub async fn changed(&mut self) -> Reread {
        loop {
            let wake = self.timing.due(self.watching.is_none());
            tokio::select! {
                told = news(self.watching.as_mut()) => self.heard(told),
                () = tokio::time::sleep_until(wake) => return self.reread(wake),
            }
        }
    }

    fn reread(&self, now: Instant) -> Reread {
        match &self.watching {
            _ if self.timing.is_time_for_everything(now) => Reread::Everything,
            Some(watching) => watching.places.take(),
            None => Reread::Changed,
        }
    }

    fn heard(&mut self, told: Option<u64>) {
        let Some(overflows) = told else {
            if let Some(Watching { inotify, .. }) = self.watching.take() {
                // It panics when it is dropped after its thread has ended.
                std::mem::forget(inotify);
            }
            self.poll("the thread that listened has ended".to_owned());
            return;
        };
        self.timing.told(Instant::now());
        if overflows > 0 {
            warn!("the kernel lost events of the workdir; every file is read again");
            self.overflows += overflows;
            self.read_again_in(QUIET);
        }
    }
}

/// How often the kernel's queue has overflowed since the last news; `None` when there will be no more news. Can be cancelled
/// and called again.
async fn news(watching: Option<&mut Watching>) -> Option<u64> {
    let Some(watching) = watching else { return std::future::pending().await };
    watching.told.changed().await.ok()?;
    let before = std::mem::replace(&mut watching.overflows, watching.told.borrow_and_update().overflows);
    Some(watching.overflows - before)
}

/// When to read what.
#[derive(Debug)]
struct Timing {
    /// Since when there is something to read, and when the last event came.
    since: Option<(Instant, Instant)>,
    poll: Instant,
    everything: Instant,
}

impl Timing {
    fn new(now: Instant) -> Self {
        Self { since: None, poll: now + POLL, everything: now + RESCAN }
    }

    fn told(&mut self, now: Instant) {
        self.since = Some((self.since.map_or(now, |(first, _)| first), now));
    }

    fn is_read(&mut self, reread: &Reread, now: Instant) {
        self.since = None;
        self.poll = now + POLL;
        if *reread == Reread::Everything {
            self.everything = now + RESCAN;
        }
    }

    fn everything_by(&mut self, at: Instant) {
        self.everything = self.everything.min(at);
    }

    fn due(&self, is_polling: bool) -> Instant {
        let settled = self.since.map(|(first, last)| (last + QUIET).min(first + LONGEST_WAIT));
        let poll = is_polling.then_some(self.poll);
        [settled, poll].into_iter().flatten().fold(self.everything, Instant::min)
    }

    fn is_time_for_everything(&self, now: Instant) -> bool {
        now >= self.everything
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use super::*;

    #[tokio::test]
    async fn when_the_thread_that_listens_ends_the_folder_is_polled_until_it_can_be_watched_again() {
        let folder = tempfile::tempdir().unwrap();
        let folders = BTreeSet::from([folder.path().to_owned()]);
        let mut watcher = Watcher::default();
        watcher.watch(&folders);
        assert_eq!(watcher.status().backend, WatcherBackend::Inotify);
        // What the thread holds goes with it.
        let (_, told) = watch::channel(Told::default());
        watcher.watching.as_mut().unwrap().told = told;
        assert_eq!(watcher.changed().await, Reread::Changed);
        assert_eq!(watcher.status().backend, WatcherBackend::Poll);
        watcher.is_read(&Reread::Changed);
        watcher.watch(&folders);
        assert_eq!((watcher.status().backend, watcher.trouble), (WatcherBackend::Inotify, None));
    }

    #[test]
    fn events_are_waited_out_but_not_for_ever() {
        let start = Instant::now();
        let mut timing = Timing::new(start);
        assert_eq!((timing.due(false), timing.due(true)), (start + RESCAN, start + POLL));
        timing.told(start);
        assert_eq!(timing.due(false), start + QUIET);
        for step in 1..100 {
            timing.told(start + QUIET / 2 * step);
        }
        assert_eq!(timing.due(false), start + LONGEST_WAIT);
        assert!(!timing.is_time_for_everything(start + LONGEST_WAIT));
        timing.is_read(&Reread::Changed, start + LONGEST_WAIT);
        assert_eq!(timing.due(false), start + RESCAN, "what changed does not put the slow rescan off");
        assert!(timing.is_time_for_everything(start + RESCAN));
        timing.everything_by(start + LONGEST_WAIT + QUIET);
        assert_eq!(timing.due(false), start + LONGEST_WAIT + QUIET);
        timing.is_read(&Reread::Everything, start + RESCAN);
        assert_eq!(timing.due(false), start + RESCAN * 2);
    }
}
