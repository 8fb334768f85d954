//! A folder for archives on their way: readable by the owner alone, gone when dropped.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::engine::Access;
use super::error::SyncError;

const OWNERS: &str = "backup-work";
const READERS: &str = "backup-look-";
/// Between making a folder and locking it.
const LOCKED_WITHIN: Duration = Duration::from_mins(1);

/// The folder, locked as long as somebody works in it.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: PathBuf,
    _lock: File,
}

impl Scratch {
    /// A new one below `state/`, or, for a reader where there is no such folder, in the system's folder for temporary files.
    pub(super) fn new(datadir: &Path, access: Access) -> Result<Self, SyncError> {
        let state = datadir.join("state");
        let folder = match access {
            Access::Owner => state.join(OWNERS),
            Access::Reader => {
                let name = format!("{READERS}{}", std::process::id());
                if state.is_dir() { state.join(name) } else { std::env::temp_dir().join(format!("tgsignd-{name}")) }
            }
        };
        let _ = fs::remove_dir_all(&folder);
        DirBuilder::new().mode(0o700).create(&folder).map_err(SyncError::disk(&folder))?;
        let lock = File::open(&folder).map_err(SyncError::disk(&folder))?;
        // Some file systems lock no folders; one that stays behind there costs space.
        let _ = lock.try_lock();
        Ok(Self { folder, _lock: lock })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Removes what killed processes left; only the owner of the data directory may.
pub(super) fn sweep(datadir: &Path) -> io::Result<()> {
    let state = datadir.join("state");
    for entry in fs::read_dir(&state)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == OWNERS || (name.to_string_lossy().starts_with(READERS) && is_left_behind(&entry.path())) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn is_left_behind(folder: &Path) -> bool {
    let Ok(opened) = File::open(folder) else { return false };
    let made = opened.metadata().and_then(|metadata| metadata.modified());
    let is_new = made.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age < LOCKED_WITHIN));
    !is_new && opened.try_lock().is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn what_a_killed_reader_left_goes_and_what_is_in_use_stays() {
        let datadir = tempfile::tempdir().unwrap();
        let state = datadir.path().join("state");
        fs::create_dir(&state).unwrap();
        let owners = Scratch::new(datadir.path(), Access::Owner).unwrap();
        let reader = Scratch::new(datadir.path(), Access::Reader).unwrap();
        let (left, new) = (state.join("backup-look-1"), state.join("backup-look-2"));
        fs::create_dir(&left).unwrap();
        fs::create_dir(&new).unwrap();
        let long_ago = SystemTime::now() - LOCKED_WITHIN * 2;
        for folder in [&left, &reader.folder] {
            File::open(folder).unwrap().set_modified(long_ago).unwrap();
        }
        sweep(datadir.path()).unwrap();
        let there = [&owners.folder, &reader.folder, &left, &new].map(|folder| folder.exists());
        assert_eq!(there, [false, true, false, true]);
    }
}
