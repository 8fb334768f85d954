//! What the operating system's events mean.

use std::collections::BTreeSet;
use std::path::PathBuf;

use notify::event::{AccessKind, AccessMode, Event, EventKind, ModifyKind};

/// What was told since the folders are watched.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Times the kernel's queue was full and events were lost.
    pub(super) overflows: u64,
    /// Something is not watched any more: a folder was taken away, or there are too many.
    pub(super) lost: bool,
}

impl Told {
    /// Whether the workdir may be another one after this event.
    pub(super) fn take_in(&mut self, event: &notify::Result<Event>, watched: &BTreeSet<PathBuf>) -> bool {
        let Ok(event) = event else {
            self.lost = true;
            return true;
        };
        if event.need_rescan() {
            self.overflows += 1;
            return true;
        }
        match event.kind {
            // Reading the workdir is an event too, and must not cause the next reading. What was written through memory
            // is closed and nothing else.
            EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => {
                self.lost |= event.paths.iter().any(|path| watched.contains(path));
                true
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{Flag, RemoveKind, RenameMode};

    use super::*;

    #[test]
    fn reading_is_no_news_and_the_rest_is() {
        let watched = BTreeSet::from([PathBuf::from("/w")]);
        let news = |event: Event| {
            let mut told = Told::default();
            (told.take_in(&Ok(event), &watched), told.overflows, told.lost)
        };
        let event = |kind, path: &str| Event::new(kind).add_path(path.into());
        let moved = EventKind::Modify(ModifyKind::Name(RenameMode::From));
        for (event, expected) in [
            (event(EventKind::Access(AccessKind::Open(AccessMode::Any)), "/w/a"), (false, 0, false)),
            (event(EventKind::Access(AccessKind::Close(AccessMode::Read)), "/w/a"), (false, 0, false)),
            (event(EventKind::Access(AccessKind::Close(AccessMode::Write)), "/w/a"), (true, 0, false)),
            (event(moved, "/w/a"), (true, 0, false)),
            (event(moved, "/w"), (true, 0, true)),
            (event(EventKind::Remove(RemoveKind::Folder), "/w"), (true, 0, true)),
            (Event::new(EventKind::Other).set_flag(Flag::Rescan), (true, 1, false)),
        ] {
            let shown = format!("{event:?}");
            assert_eq!(news(event), expected, "{shown}");
        }
        let mut told = Told::default();
        assert!(told.take_in(&Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch)), &watched) && told.lost);
    }
}
