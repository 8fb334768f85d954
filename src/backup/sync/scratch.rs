//! A folder for archives on their way: readable by the owner alone, gone when dropped.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::engine::Access;
use super::error::SyncError;

const OWNERS: &str = "backup-work";
const READERS: &str = "backup-look-";
/// A reader that was killed leaves its folder; none works for so long.
const STALE: Duration = Duration::from_hours(24);

/// The folder.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

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
        Ok(Self(folder))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes what killed processes left; only the owner of the data directory may.
pub(super) fn sweep(datadir: &Path) -> io::Result<()> {
    let state = datadir.join("state");
    for entry in fs::read_dir(&state)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_old = name.to_string_lossy().starts_with(READERS)
            && entry
                .metadata()?
                .modified()
                .is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > STALE));
        if is_old || name == OWNERS {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
