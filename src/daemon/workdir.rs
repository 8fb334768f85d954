//! Reads the workdir: `*.toml` and `*/*.toml`, hidden names left out.

mod again;

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::again::{Reader, Reread};

use crate::backup::position::write_durably;
use crate::config::{FileContent, Sources};

/// Largest file that is read; a thousand tasks need about a third of it.
pub const LARGEST_FILE: u64 = 1024 * 1024;

/// The workdir itself cannot be read. What is wrong with a single file is left to [`crate::config::load`].
#[derive(Debug, thiserror::Error)]
pub enum WorkdirError {
    /// There is nothing at that path.
    #[error("the workdir {} does not exist; create it, or name another one with --workdir or TGSIGND_WORKDIR", .0.display())]
    Missing(PathBuf),
    /// There is something else at that path.
    #[error("the workdir {} is not a directory; name one with --workdir or TGSIGND_WORKDIR", .0.display())]
    NotADirectory(PathBuf),
    /// The directory is there and cannot be listed.
    #[error("the workdir {} cannot be read: {cause}", .0.display(), cause = .1)]
    Unreadable(PathBuf, #[source] io::Error),
}

/// Reads the workdir once and remembers nothing.
pub fn read(workdir: &Path, environment: BTreeMap<String, String>) -> Result<Sources, WorkdirError> {
    Reader::default().read(workdir, environment, &Reread::Everything).map(Arc::unwrap_or_clone)
}

/// The variables of the process by name; text that is not Unicode is made so, which no valid value survives.
pub fn process_environment() -> BTreeMap<String, String> {
    crate::config::ENVIRONMENT
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var_os(name)?.to_string_lossy().into_owned())))
        .collect()
}

/// Makes the folder hold these files, by their relative paths, and no other `.toml` files. Each file is replaced at once; the
/// caller sees to it that nobody reads in between.
pub fn replace(workdir: &Path, files: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    fs::create_dir_all(workdir)?;
    for (name, bytes) in files {
        let path = workdir.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        write_durably(&path, bytes)?;
    }
    let found = read(workdir, BTreeMap::new()).map_err(io::Error::other)?;
    for name in found.files.keys().filter(|name| !files.contains_key(*name)) {
        fs::remove_file(workdir.join(name))?;
    }
    Ok(())
}

fn explain(workdir: &Path, error: io::Error) -> WorkdirError {
    match error.kind() {
        io::ErrorKind::NotFound => WorkdirError::Missing(workdir.to_owned()),
        io::ErrorKind::NotADirectory => WorkdirError::NotADirectory(workdir.to_owned()),
        _ => WorkdirError::Unreadable(workdir.to_owned(), error),
    }
}

/// What a folder holds under one name.
struct Entry {
    name: PathBuf,
    is_link: bool,
}

/// The entries that are not hidden.
fn list(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = PathBuf::from(entry.file_name());
        if !is_hidden(&name) {
            entries.push(Entry { name, is_link: entry.file_type().map_or(true, |kind| kind.is_symlink()) });
        }
    }
    Ok(entries)
}

/// Editors and Kubernetes (`..data`) hide what is not meant to be read.
fn is_hidden(name: &Path) -> bool {
    name.as_os_str().as_encoded_bytes().starts_with(b".")
}

fn is_toml(name: &Path) -> bool {
    name.extension().is_some_and(|extension| extension == "toml")
}

fn shown(name: &Path) -> String {
    name.to_string_lossy().into_owned()
}

fn content(path: &Path, name: &Path, metadata: io::Result<Metadata>) -> FileContent {
    if name.to_str().is_none() {
        return FileContent::Unreadable("its name is not UTF-8; rename the file".to_owned());
    }
    match metadata.and_then(|metadata| read_regular(path, &metadata)) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            FileContent::Unreadable("it is a link to a file that does not exist".to_owned())
        }
        Err(error) => FileContent::Unreadable(error.to_string()),
    }
}

fn read_regular(path: &Path, metadata: &Metadata) -> io::Result<FileContent> {
    // Looked at before it is opened: to open a FIFO or a device can block, or do something.
    if !metadata.is_file() {
        return Ok(FileContent::Irregular);
    }
    let file = open_without_waiting(path)?;
    // And once more, in case it was replaced in between.
    if !file.metadata()?.is_file() {
        return Ok(FileContent::Irregular);
    }
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Ok(FileContent::Unreadable("it is larger than 1 MiB; split it".to_owned()));
    }
    Ok(FileContent::Bytes(bytes))
}

fn open_without_waiting(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use super::*;

    fn files(workdir: &Path) -> BTreeMap<String, FileContent> {
        read(workdir, BTreeMap::new()).unwrap().files
    }

    fn text(text: &str) -> FileContent {
        FileContent::Bytes(text.into())
    }

    #[test]
    fn two_levels_are_read_and_editors_leave_no_trace() {
        let workdir = tempfile::tempdir().unwrap();
        let root = workdir.path();
        for folder in ["sub", "sub/deeper", "..data", ".git"] {
            fs::create_dir(root.join(folder)).unwrap();
        }
        for name in [
            "tgsignd.toml",
            "sub/a.toml",
            "sub/deeper/no.toml",
            "..data/no.toml",
            ".git/no.toml",
            ".tgsignd.toml.swp",
            ".#x.toml",
            "#x.toml#",
            "x.toml~",
            "x.toml.tmp",
            "4913",
            "notes.txt",
            ".hidden.toml",
            "sub/.hidden.toml",
        ] {
            fs::write(root.join(name), name).unwrap();
        }
        let found = files(root);
        let expected = [("sub/a.toml", text("sub/a.toml")), ("tgsignd.toml", text("tgsignd.toml"))];
        assert_eq!(found, expected.map(|(name, content)| (name.to_owned(), content)).into());
    }

    #[test]
    fn links_are_followed_as_a_config_map_needs_it() {
        let workdir = tempfile::tempdir().unwrap();
        let root = workdir.path();
        fs::create_dir_all(root.join("..2026_11_22/sub")).unwrap();
        fs::write(root.join("..2026_11_22/tgsignd.toml"), "one").unwrap();
        fs::write(root.join("..2026_11_22/sub/a.toml"), "two").unwrap();
        symlink("..2026_11_22", root.join("..data")).unwrap();
        symlink("..data/tgsignd.toml", root.join("tgsignd.toml")).unwrap();
        symlink("..data/sub", root.join("sub")).unwrap();
        symlink("nowhere", root.join("gone.toml")).unwrap();
        symlink("loop.toml", root.join("loop.toml")).unwrap();
        let found = files(root);
        assert_eq!(found["tgsignd.toml"], text("one"));
        assert_eq!(found["sub/a.toml"], text("two"));
        assert!(matches!(&found["gone.toml"], FileContent::Unreadable(why) if why.contains("link")), "{found:?}");
        assert!(matches!(&found["loop.toml"], FileContent::Unreadable(_)), "{found:?}");
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn what_is_no_plain_file_is_named_and_never_opened() {
        let workdir = tempfile::tempdir().unwrap();
        let root = workdir.path();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            root.join("fifo.toml"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        fs::create_dir_all(root.join("sub/folder.toml")).unwrap();
        symlink("/dev/zero", root.join("zero.toml")).unwrap();
        fs::write(root.join(OsStr::from_bytes(b"bad-\xff.toml")), "x").unwrap();
        fs::write(root.join("largest.toml"), vec![b'#'; usize::try_from(LARGEST_FILE).unwrap()]).unwrap();
        fs::write(root.join("larger.toml"), vec![b'#'; usize::try_from(LARGEST_FILE).unwrap() + 1]).unwrap();
        let found = files(root);
        assert_eq!(found["fifo.toml"], FileContent::Irregular);
        assert_eq!(found["sub/folder.toml"], FileContent::Irregular);
        assert_eq!(found["zero.toml"], FileContent::Irregular);
        assert!(matches!(&found["bad-\u{fffd}.toml"], FileContent::Unreadable(why) if why.contains("UTF-8")));
        assert!(matches!(&found["larger.toml"], FileContent::Unreadable(why) if why.contains("1 MiB")));
        assert!(matches!(&found["largest.toml"], FileContent::Bytes(_)));
    }

    #[test]
    fn a_workdir_that_is_not_there_is_told_apart_from_an_empty_one() {
        let workdir = tempfile::tempdir().unwrap();
        assert!(files(workdir.path()).is_empty());
        let missing = read(&workdir.path().join("x"), BTreeMap::new()).unwrap_err();
        assert!(matches!(missing, WorkdirError::Missing(_)), "{missing}");
        fs::write(workdir.path().join("file"), "").unwrap();
        let file = read(&workdir.path().join("file"), BTreeMap::new()).unwrap_err();
        assert!(matches!(file, WorkdirError::NotADirectory(_)), "{file}");
    }
}
