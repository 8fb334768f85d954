//! Reads the workdir: `*.toml` and `*/*.toml`, hidden names left out.

mod folders;
mod named;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    /// It was never the same twice.
    #[error("the workdir {} keeps changing while it is read; is something writing there all the time?", .0.display())]
    Restless(PathBuf),
}

/// How much is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reread {
    /// What is at these paths: nothing happened anywhere else.
    Named(BTreeSet<PathBuf>),
    /// Files that are another one than before, by what the file system says about them.
    Changed,
    /// The content of every file.
    Everything,
}

/// What the file system says about a file. The last change of its status cannot be set by hand, so that an edit that keeps
/// size and modification time is seen all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Signature {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<&Metadata> for Signature {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Signature {
    /// Whether the next change will make another one.
    fn is_settled(&self, before: i64) -> bool {
        self.modified.0.max(self.changed.0) < before
    }
}

/// File systems tell times in steps, FAT in steps of two seconds: what was changed that shortly before it was read may be
/// changed once more within the same step.
const COARSEST_STEP: Duration = Duration::from_secs(3);

/// A workdir that changes while it is read is read that often, with this pause: several files that are replaced one after
/// the other, or a link that is swapped below them, must not be seen half old and half new.
const MOST_LOOKS: u32 = 20;
const NEXT_LOOK: Duration = Duration::from_millis(10);

/// Reads a workdir again and again.
#[derive(Debug, Default)]
pub struct Reader {
    before: Arc<Sources>,
    /// Of the files of that reading whose next change cannot have the same signature.
    signatures: BTreeMap<String, Signature>,
    folders: BTreeSet<PathBuf>,
    /// Nothing in that reading has two names: who knows the names of what changed knows everything that changed.
    is_plain: bool,
}

impl Reader {
    /// Reads the workdir once. `environment` are the variables of the process; those of [`crate::config::ENVIRONMENT`]
    /// count.
    pub fn read(
        &mut self,
        workdir: &Path,
        environment: BTreeMap<String, String>,
        reread: &Reread,
    ) -> Result<Arc<Sources>, WorkdirError> {
        if let Reread::Named(paths) = reread
            && let Some(files) = self.read_named(workdir, paths)
        {
            self.before = Arc::new(Sources { files, environment });
            return Ok(Arc::clone(&self.before));
        }
        if *reread == Reread::Everything {
            self.signatures.clear();
        }
        self.folders = folders::of_workdir(workdir);
        let mut look = Look::at(workdir)?;
        let mut doubted = None;
        for _ in 0..MOST_LOOKS {
            // Taken before the content is read: a change in between makes another signature.
            let settled_before = settled_before();
            let files = self.contents(&look);
            // Where every look says something else, as on some network file systems, the same content twice will do.
            let is_new = files != self.before.files && doubted.as_ref() != Some(&files);
            if is_new && Look::at(workdir)? != look {
                doubted = Some(files);
                std::thread::sleep(NEXT_LOOK);
                look = Look::at(workdir)?;
                continue;
            }
            (self.signatures, self.is_plain) = (look.signatures(settled_before), look.is_plain);
            self.folders.append(&mut look.folders);
            self.before = Arc::new(Sources { files, environment });
            return Ok(Arc::clone(&self.before));
        }
        self.signatures.clear();
        self.is_plain = false;
        self.folders.append(&mut look.folders);
        Err(WorkdirError::Restless(workdir.to_owned()))
    }

    /// The folders in which a change can change what is read: the workdir, those below it, and those that symbolic links lead
    /// through.
    pub fn folders(&self) -> &BTreeSet<PathBuf> {
        &self.folders
    }

    fn contents(&self, look: &Look) -> BTreeMap<String, FileContent> {
        let content = |(name, seen): (&String, &Seen)| {
            let content = match seen {
                Seen::Unreadable(why) => FileContent::Unreadable(why.clone()),
                Seen::Irregular => FileContent::Irregular,
                Seen::File { path, signature } => match self.before.files.get(name) {
                    Some(before) if self.signatures.get(name) == Some(signature) => before.clone(),
                    _ => content(path),
                },
            };
            (name.clone(), content)
        };
        look.files.iter().map(content).collect()
    }
}

/// Reads the workdir once and remembers nothing.
pub fn read(workdir: &Path, environment: BTreeMap<String, String>) -> Result<Sources, WorkdirError> {
    Reader::default().read(workdir, environment, &Reread::Everything).map(Arc::unwrap_or_clone)
}

/// What the file system says about a workdir, without any content.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    /// By the names that people are shown.
    files: BTreeMap<String, Seen>,
    folders: BTreeSet<PathBuf>,
    is_plain: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    File {
        path: PathBuf,
        signature: Signature,
    },
    /// A FIFO, a socket, a device or a folder.
    Irregular,
    Unreadable(String),
}

impl Look {
    fn at(workdir: &Path) -> Result<Self, WorkdirError> {
        let mut look = Self { files: BTreeMap::new(), folders: BTreeSet::new(), is_plain: true };
        for Entry { name, is_link } in list(workdir).map_err(|error| explain(workdir, error))? {
            let (path, shown) = (workdir.join(&name), shown(&name));
            if is_link {
                look.passed(&path);
            }
            // Follows links, so that a folder that was linked in counts like one that is there.
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => look.at_folder(path, &shown),
                metadata if is_toml(&name) => look.add(shown, path, &name, metadata),
                _ => {}
            }
        }
        Ok(look)
    }

    fn at_folder(&mut self, folder: PathBuf, folder_name: &str) {
        match list(&folder) {
            Ok(entries) => {
                for Entry { name, is_link } in entries.into_iter().filter(|entry| is_toml(&entry.name)) {
                    let path = folder.join(&name);
                    if is_link {
                        self.passed(&path);
                    }
                    let metadata = fs::metadata(&path);
                    self.add(format!("{folder_name}/{}", shown(&name)), path, &name, metadata);
                }
                self.folders.insert(folder);
            }
            Err(error) => {
                self.files.insert(folder_name.to_owned(), Seen::Unreadable(error.to_string()));
            }
        }
    }

    fn passed(&mut self, link: &Path) {
        self.is_plain = false;
        folders::passed(link, &mut self.folders);
    }

    fn add(&mut self, shown: String, path: PathBuf, name: &Path, metadata: io::Result<Metadata>) {
        self.is_plain &= metadata.as_ref().is_ok_and(is_plain_file);
        let seen = match metadata {
            _ if name.to_str().is_none() => Seen::Unreadable("its name is not UTF-8; rename the file".to_owned()),
            // Never opened: to open a FIFO or a device can block, or do something.
            Ok(metadata) if !metadata.is_file() => Seen::Irregular,
            Ok(metadata) => Seen::File { path, signature: Signature::from(&metadata) },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Seen::Unreadable("it is a link to a file that does not exist".to_owned())
            }
            Err(error) => Seen::Unreadable(error.to_string()),
        };
        self.files.insert(shown, seen);
    }

    fn signatures(&self, settled_before: i64) -> BTreeMap<String, Signature> {
        let signature = |(name, seen): (&String, &Seen)| match seen {
            Seen::File { signature, .. } if signature.is_settled(settled_before) => Some((name.clone(), *signature)),
            _ => None,
        };
        self.files.iter().filter_map(signature).collect()
    }
}

/// What was last changed before this has a signature to rely on; in Unix time.
fn settled_before() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed());
    now - COARSEST_STEP.as_secs().cast_signed()
}

/// A file without another name.
fn is_plain_file(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.nlink() == 1
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
        let name = entry.file_name();
        if !is_hidden(&name) {
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            entries.push(Entry { name: PathBuf::from(name), is_link });
        }
    }
    Ok(entries)
}

/// Editors and Kubernetes (`..data`) hide what is not meant to be read.
fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn is_toml(name: &Path) -> bool {
    name.extension().is_some_and(|extension| extension == "toml")
}

fn shown(name: &Path) -> String {
    name.to_string_lossy().into_owned()
}

fn content(path: &Path) -> FileContent {
    read_regular(path).unwrap_or_else(|error| FileContent::Unreadable(error.to_string()))
}

fn read_regular(path: &Path) -> io::Result<FileContent> {
    let file = open_without_waiting(path)?;
    // It was one when it was looked at, and may have been replaced.
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
mod tests;
