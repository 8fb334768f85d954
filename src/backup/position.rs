//! Shell: `state/backup.json`, where this data directory stands in the log. It is never part of a backup.
#![allow(clippy::disallowed_methods, reason = "a shell reads and writes the disk")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::log::Position;

const VERSION: u32 = 1;
/// A thousand orphans with their names are a fifth of it.
const LARGEST: u64 = 1024 * 1024;

/// Why the position cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum PositionError {
    /// The file cannot be read or written.
    #[error("{}: {cause}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// In the words of the operating system.
        cause: io::Error,
    },
    /// It is cut off or was edited.
    #[error(
        "{}: it is damaged, so this host does not know which backup is its own; move the file away, then \
         `tgsignd backup resolve` shows what is on the server and asks which side to keep", .0.display()
    )]
    Damaged(PathBuf),
    /// A later version wrote it.
    #[error("{}: written by a later version of tgsignd; use that version", .0.display())]
    TooNew(PathBuf),
    /// It is about another server.
    #[error(
        "{}: it belongs to the backup at {there}, but [backup] names {configured}; move the file away to begin anew there", file.display()
    )]
    OtherRemote {
        /// The file.
        file: PathBuf,
        /// What it is about.
        there: String,
        /// What is configured.
        configured: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u32,
    #[serde(flatten)]
    position: T,
}

#[derive(Deserialize)]
struct Nothing {}

/// Where the position of a data directory is kept.
pub fn file(datadir: &Path) -> PathBuf {
    datadir.join("state").join("backup.json")
}

/// The bytes of the file.
pub fn to_bytes(position: &Position) -> Vec<u8> {
    // Only maps with keys that are not text cannot be written; there are none.
    serde_json::to_vec_pretty(&Versioned { version: VERSION, position }).unwrap_or_default()
}

/// Reads the position; `None` when there is none. `remote` is what [`Position::remote`] has to be.
pub fn load(datadir: &Path, remote: &str) -> Result<Option<Position>, PositionError> {
    let file = file(datadir);
    let mut bytes = Vec::new();
    match File::open(&file).and_then(|opened| opened.take(LARGEST).read_to_end(&mut bytes)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(PositionError::File { file, cause }),
    }
    let version = serde_json::from_slice::<Versioned<Nothing>>(&bytes).map(|read| read.version);
    match version {
        Ok(VERSION) => {}
        Ok(newer) if newer > VERSION => return Err(PositionError::TooNew(file)),
        _ => return Err(PositionError::Damaged(file)),
    }
    let Ok(Versioned { position, .. }) = serde_json::from_slice::<Versioned<Position>>(&bytes) else {
        return Err(PositionError::Damaged(file));
    };
    if position.remote != remote {
        return Err(PositionError::OtherRemote { file, there: position.remote, configured: remote.to_owned() });
    }
    Ok(Some(position))
}

/// Replaces the position; it is durable when this returns, and whatever happens before, the old one is whole.
pub fn save(datadir: &Path, position: &Position) -> Result<(), PositionError> {
    let file = file(datadir);
    write_durably(&file, &to_bytes(position)).map_err(|cause| PositionError::File { file, cause })
}

/// Replaces `file` (0600) so that a power cut leaves either the old or the new one, whole.
pub fn write_durably(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    opened.write_all(bytes)?;
    opened.sync_all()?;
    fs::rename(&new, file)?;
    sync_folder_of(file)
}

/// Makes what was renamed in the folder of `path` durable.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::backup::manifest::Stem;

    const REMOTE: &str = "https://dav.example.com/dav/tgsignd/";

    fn datadir() -> tempfile::TempDir {
        let datadir = tempfile::tempdir().unwrap();
        fs::create_dir(datadir.path().join("state")).unwrap();
        datadir
    }

    #[test]
    fn a_position_comes_back() {
        let datadir = datadir();
        assert_eq!(load(datadir.path(), REMOTE).unwrap(), None);
        let mut position = Position::new(REMOTE.to_owned(), Stem::default());
        save(datadir.path(), &position).unwrap();
        position.uploads.push("one".to_owned());
        save(datadir.path(), &position).unwrap();
        assert_eq!(load(datadir.path(), REMOTE).unwrap(), Some(position));
        assert_eq!(fs::metadata(file(datadir.path())).unwrap().permissions().mode() & 0o777, 0o600);
        let other = load(datadir.path(), "https://other/").unwrap_err().to_string();
        assert!(other.contains(REMOTE) && other.contains("https://other/"), "{other}");
    }

    #[test]
    fn a_torn_file_is_no_missing_one() {
        let datadir = datadir();
        save(datadir.path(), &Position::new(REMOTE.to_owned(), Stem::default())).unwrap();
        let good = fs::read(file(datadir.path())).unwrap();
        for length in 0..good.len() {
            fs::write(file(datadir.path()), &good[..length]).unwrap();
            let error = load(datadir.path(), REMOTE).unwrap_err();
            assert!(matches!(error, PositionError::Damaged(_)), "{length}: {error}");
        }
        fs::write(file(datadir.path()), br#"{"version":2}"#).unwrap();
        assert!(matches!(load(datadir.path(), REMOTE), Err(PositionError::TooNew(_))));
        fs::remove_file(file(datadir.path())).unwrap();
        fs::create_dir(file(datadir.path())).unwrap();
        assert!(matches!(load(datadir.path(), REMOTE), Err(PositionError::File { .. })));
    }
}
