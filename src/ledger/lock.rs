//! One process owns a data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The right to change a data directory; held until dropped, and given up by the operating system when the process ends.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

/// Why a data directory cannot be owned.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process owns it.
    #[error(
        "{}: held by {holder}; stop that process first, or use another data directory", file.display()
    )]
    Held {
        /// The lock file.
        file: PathBuf,
        /// What the other process wrote about itself.
        holder: String,
    },
    /// The file cannot be created, locked or written.
    #[error("{}: cannot be locked: {cause}; the folder must be on a local file system and writable", file.display())]
    Unusable {
        /// The lock file.
        file: PathBuf,
        /// In the words of the operating system.
        cause: std::io::Error,
    },
}

impl DirectoryLock {
    /// Locks `file`, in general `state/lock`; its folder must exist. Never waits.
    pub fn acquire(file: &Path) -> Result<Self, LockError> {
        let unusable = |cause| LockError::Unusable { file: file.to_owned(), cause };
        let mut options = OpenOptions::new();
        options.read(true).write(true).truncate(false).mode(0o600);
        // Creating takes the folder's lock in the kernel, and hundreds of accounts connect at one instant.
        let opened = options.open(file).or_else(|error| match error.kind() {
            ErrorKind::NotFound => options.create(true).open(file),
            _ => Err(error),
        });
        let mut lock = opened.map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { file: file.to_owned(), holder: holder(&mut lock) });
            }
            Err(TryLockError::Error(cause)) => return Err(unusable(cause)),
        }
        write_holder(&mut lock).map_err(unusable)?;
        Ok(Self { _file: lock })
    }
}

fn write_holder(lock: &mut File) -> std::io::Result<()> {
    let mut text = format!("process {}", std::process::id());
    if let Some(host) = host_name() {
        text.push_str(" on ");
        text.push_str(&host);
    }
    if holder(lock) == text {
        return Ok(());
    }
    lock.set_len(0)?;
    lock.rewind()?;
    lock.write_all(text.as_bytes())
}

/// In a container the process number alone says little. Under systemd's `ProcSubset=pid` only the second file can be read.
fn host_name() -> Option<String> {
    let read = |file| std::fs::read_to_string(file).ok().map(|text| text.trim().to_owned());
    read("/proc/sys/kernel/hostname").or_else(|| read("/etc/hostname")).filter(|name| !name.is_empty())
}

/// Whatever the owner wrote; it may have been stopped between locking and writing.
fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    match lock.take(256).read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_second_owner_is_told_who_the_first_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lock");
        let first = DirectoryLock::acquire(&file).unwrap();
        let refusal = DirectoryLock::acquire(&file).unwrap_err().to_string();
        assert!(refusal.contains(&format!("held by process {}", std::process::id())), "{refusal}");
        drop(first);
        DirectoryLock::acquire(&file).unwrap();
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = DirectoryLock::acquire(&folder.path().join("none/lock")).unwrap_err().to_string();
        assert!(refusal.contains("none/lock: cannot be locked"), "{refusal}");
    }
}
