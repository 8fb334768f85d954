//! SIGKILL at an exact moment.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use rustix::process::{Pid, Signal, kill_process};
use telegram_sim::{DataCentre, Moment, Stage};

/// When the daemon is killed, counted from its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Strike {
    /// In a call of an account, counted from 1: before it is carried out, before it is answered, or right after that.
    Call { account: String, ordinal: usize, stage: Stage },
    /// At a change of a file in the data directory, counted from 1.
    File { ordinal: usize },
    /// After some time, whatever happens then.
    Time { after: Duration },
}

impl Strike {
    /// The word it is counted under.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Call { stage: Stage::Received, .. } => "call received",
            Self::Call { stage: Stage::CarriedOut, .. } => "call carried out",
            Self::Call { stage: Stage::Answered, .. } => "call answered",
            Self::File { .. } => "file changed",
            Self::Time { .. } => "time",
        }
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call { account, ordinal, stage } => write!(f, "call {ordinal} of {account} {stage:?}"),
            Self::File { ordinal } => write!(f, "file change {ordinal}"),
            Self::Time { after } => write!(f, "{} ms", after.as_millis()),
        }
    }
}

/// What was seen since the daemon of now was started.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) calls: BTreeMap<String, usize>,
    pub(super) files: usize,
    /// What it was doing when it was struck.
    pub(super) struck: Option<String>,
}

#[derive(Default)]
struct Armed {
    victim: Option<Pid>,
    strike: Option<Strike>,
    seen: Seen,
}

impl Armed {
    fn strike(&mut self, doing: String) {
        self.strike = None;
        self.seen.struck = Some(doing);
        if let Some(victim) = self.victim.take() {
            kill(victim);
        }
    }
}

/// Watches a data centre and a data directory, and strikes once each time it is armed.
#[derive(Clone, Default)]
pub(super) struct Executioner(Arc<Mutex<Armed>>);

impl Executioner {
    /// One that sees everything from now on. The watcher has to be kept.
    pub(super) fn place(centre: &DataCentre, datadir: &Path) -> (Self, RecommendedWatcher) {
        let executioner = Self::default();
        let of_calls = executioner.clone();
        centre.set_witness(move |moment| of_calls.sees_call(moment));
        let of_files = executioner.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if let Ok(event) = event
                && !event.kind.is_access()
            {
                of_files.sees_change(&event);
            }
        })
        .unwrap();
        watcher.watch(datadir, RecursiveMode::Recursive).unwrap();
        (executioner, watcher)
    }

    fn armed(&self) -> MutexGuard<'_, Armed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on `victim` is the daemon; without a strike it is only watched.
    pub(super) fn arm(&self, victim: Pid, strike: Option<&Strike>) {
        *self.armed() = Armed { victim: Some(victim), strike: strike.cloned(), seen: Seen::default() };
        if let Some(Strike::Time { after }) = strike.cloned() {
            let executioner = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                let mut armed = executioner.armed();
                if armed.victim == Some(victim) && armed.strike.is_some() {
                    armed.strike("whatever it did then".to_owned());
                }
            });
        }
    }

    /// Spares whoever lives still, and tells what was seen.
    pub(super) fn disarm(&self) -> Seen {
        std::mem::take(&mut *self.armed()).seen
    }

    fn sees_call(&self, moment: &Moment) -> ControlFlow<()> {
        let Some(caller) = moment.account.as_deref() else { return ControlFlow::Continue(()) };
        let mut armed = self.armed();
        let count = armed.seen.calls.entry(caller.to_owned()).or_default();
        *count += usize::from(moment.stage == Stage::Received);
        let count = *count;
        let is_it = matches!(&armed.strike, Some(Strike::Call { account, ordinal, stage })
            if account == caller && *ordinal == count && *stage == moment.stage);
        if !is_it {
            return ControlFlow::Continue(());
        }
        armed.strike(moment.method.to_owned());
        ControlFlow::Break(())
    }

    fn sees_change(&self, event: &notify::Event) {
        let mut armed = self.armed();
        armed.seen.files += 1;
        if matches!(armed.strike, Some(Strike::File { ordinal }) if ordinal == armed.seen.files) {
            let name = event.paths.first().and_then(|path| path.file_name()).unwrap_or_default();
            armed.strike(format!("{:?} of {}", event.kind, name.display()));
        }
    }
}

/// SIGKILL, and returns when no thread of it is left.
fn kill(victim: Pid) {
    kill_process(victim, Signal::KILL).unwrap();
    let folder = format!("/proc/{}", victim.as_raw_nonzero());
    let is_zombie = || match fs::read_to_string(format!("{folder}/stat")) {
        Ok(stat) => stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X'])),
        Err(_) => true,
    };
    let threads = || fs::read_dir(format!("{folder}/task")).map_or(0, Iterator::count);
    while threads() > 1 || !is_zombie() {
        std::thread::yield_now();
    }
}
