//! Where something happened since the workdir was last read.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use notify::Event;

use crate::daemon::workdir::Reread;

/// More paths than that are not told apart.
const MOST_PATHS: usize = 1_000;

/// Shared by the thread that listens and the loop that reads.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Mutex<Happened>>);

#[derive(Debug, Default)]
struct Happened {
    paths: BTreeSet<PathBuf>,
    /// Something happened that has no path, or there are too many.
    elsewhere: bool,
}

impl Places {
    /// Something happened, who knows where.
    pub(super) fn elsewhere() -> Self {
        Self(Arc::new(Mutex::new(Happened { elsewhere: true, ..Happened::default() })))
    }

    pub(super) fn add(&self, event: &notify::Result<Event>) {
        let mut happened = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Ok(event) if !event.need_rescan() && !event.paths.is_empty() && happened.paths.len() < MOST_PATHS => {
                happened.paths.extend(event.paths.iter().cloned());
            }
            _ => happened.elsewhere = true,
        }
    }

    /// What has to be read, and begins anew.
    pub(super) fn take(&self) -> Reread {
        let happened = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if happened.elsewhere { Reread::Changed } else { Reread::Named(happened.paths) }
    }
}

#[cfg(test)]
mod tests {
    use notify::EventKind;

    use super::*;

    #[test]
    fn what_has_no_name_is_everywhere() {
        let event = |path: &str| Ok(Event::new(EventKind::Any).add_path(path.into()));
        let places = Places::elsewhere();
        places.add(&event("/w/a.toml"));
        assert_eq!(places.take(), Reread::Changed);
        places.add(&event("/w/a.toml"));
        places.add(&event("/w/b.toml"));
        assert_eq!(places.take(), Reread::Named(["/w/a.toml".into(), "/w/b.toml".into()].into()));
        places.add(&event("/w/a.toml"));
        places.add(&Ok(Event::new(EventKind::Any)));
        assert_eq!(places.take(), Reread::Changed);
        for number in 0..=MOST_PATHS {
            places.add(&event(&format!("/w/{number}.toml")));
        }
        assert_eq!(places.take(), Reread::Changed);
    }
}
