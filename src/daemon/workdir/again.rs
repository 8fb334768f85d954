//! Reads a workdir again and again: a file that did not change is not read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Entry, WorkdirError, content, explain, is_hidden, is_toml, list, shown};
use crate::config::{FileContent, Sources};

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

/// File systems tell times in steps, FAT in steps of two seconds: what was changed that shortly before it was read may be
/// changed once more within the same step.
const COARSEST_STEP: Duration = Duration::from_secs(3);

/// Reads a workdir again and again.
#[derive(Debug, Default)]
pub struct Reader {
    before: Arc<Sources>,
    /// Of the files of that reading whose next change cannot have the same signature.
    signatures: BTreeMap<String, Signature>,
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
        let named = match reread {
            Reread::Named(paths) if self.is_plain => self.look_at(workdir, paths),
            _ => None,
        };
        let files = if let Some(named) = named {
            self.read_named(named)
        } else {
            self.read_all(workdir, *reread == Reread::Everything).map_err(|error| explain(workdir, error))?
        };
        self.before = Arc::new(Sources { files, environment });
        Ok(Arc::clone(&self.before))
    }

    fn read_all(&mut self, workdir: &Path, everything: bool) -> io::Result<BTreeMap<String, FileContent>> {
        let known = std::mem::take(&mut self.signatures);
        self.is_plain = false;
        let mut reading = Reading {
            before: &self.before,
            known: if everything { BTreeMap::new() } else { known },
            settled_before: settled_before(),
            files: BTreeMap::new(),
            signatures: BTreeMap::new(),
            is_plain: true,
        };
        for entry in list(workdir)? {
            let path = workdir.join(&entry.name);
            // Follows links, so that a folder that was linked in counts like one that is there.
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => reading.read_folder(&path, &entry),
                metadata if is_toml(&entry.name) => reading.add(shown(&entry.name), &path, &entry, metadata),
                _ => {}
            }
        }
        let Reading { files, signatures, is_plain, .. } = reading;
        (self.signatures, self.is_plain) = (signatures, is_plain);
        Ok(files)
    }

    /// What is now at the paths that may be files of the workdir; `None` when that is not all that has to be looked at.
    fn look_at(&self, workdir: &Path, paths: &BTreeSet<PathBuf>) -> Option<Vec<Named>> {
        let mut named = Vec::new();
        for path in paths {
            let relative = path.strip_prefix(workdir).ok()?;
            let depth = relative.components().count();
            if depth > 2 || relative.iter().any(|part| is_hidden(Path::new(part))) {
                continue;
            }
            let name = relative.to_str().filter(|name| !name.is_empty())?.to_owned();
            let metadata = match fs::symlink_metadata(path) {
                Ok(metadata) if is_plain_file(&metadata) => Some(metadata),
                Err(error) if error.kind() == io::ErrorKind::NotFound && !self.was_folder(&name) => None,
                _ => return None,
            };
            if is_toml(relative) {
                named.push(Named { path: path.clone(), name, metadata });
            }
        }
        Some(named)
    }

    fn was_folder(&self, name: &str) -> bool {
        let files = &self.before.files;
        let within = format!("{name}/");
        let first = files.range(within.clone()..).next();
        !is_toml(Path::new(name)) && files.contains_key(name)
            || first.is_some_and(|(file, _)| file.starts_with(&within))
    }

    fn read_named(&mut self, named: Vec<Named>) -> BTreeMap<String, FileContent> {
        let settled_before = settled_before();
        let mut files = self.before.files.clone();
        for Named { path, name, metadata } in named {
            self.signatures.remove(&name);
            let Some(metadata) = metadata else {
                files.remove(&name);
                continue;
            };
            let signature = Signature::from(&metadata);
            let content = content(&path, Path::new(&name), Ok(metadata));
            if signature.is_settled(settled_before) && matches!(content, FileContent::Bytes(_)) {
                self.signatures.insert(name.clone(), signature);
            }
            files.insert(name, content);
        }
        files
    }
}

/// A file that was named, as the file system has it now.
struct Named {
    path: PathBuf,
    name: String,
    /// `None` when it is gone.
    metadata: Option<Metadata>,
}

/// One reading of everything that is under way.
struct Reading<'a> {
    before: &'a Sources,
    known: BTreeMap<String, Signature>,
    settled_before: i64,
    files: BTreeMap<String, FileContent>,
    signatures: BTreeMap<String, Signature>,
    is_plain: bool,
}

impl Reading<'_> {
    fn read_folder(&mut self, folder: &Path, entry: &Entry) {
        let folder_name = shown(&entry.name);
        self.is_plain &= !entry.is_link;
        let entries = match list(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.files.insert(folder_name, FileContent::Unreadable(error.to_string()));
                return;
            }
        };
        for entry in entries.into_iter().filter(|entry| is_toml(&entry.name)) {
            let path = folder.join(&entry.name);
            self.add(format!("{folder_name}/{}", shown(&entry.name)), &path, &entry, fs::metadata(&path));
        }
    }

    fn add(&mut self, name: String, path: &Path, entry: &Entry, metadata: io::Result<Metadata>) {
        self.is_plain &= !entry.is_link && metadata.as_ref().is_ok_and(is_plain_file);
        let signature = metadata.as_ref().ok().map(Signature::from);
        let same = signature.is_some() && self.known.get(&name) == signature.as_ref();
        let content = match self.before.files.get(&name) {
            Some(before) if same => before.clone(),
            _ => content(path, &entry.name, metadata),
        };
        // Taken before the content was read: a change in between makes another one.
        let settled = |signature: &Signature| signature.is_settled(self.settled_before);
        if let (Some(signature), FileContent::Bytes(_)) = (signature.filter(settled), &content) {
            self.signatures.insert(name.clone(), signature);
        }
        self.files.insert(name, content);
    }
}

impl Signature {
    /// Whether the next change will make another one.
    fn is_settled(&self, before: i64) -> bool {
        self.modified.0.max(self.changed.0) < before
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs::File;

    use super::*;

    fn text(text: &str) -> FileContent {
        FileContent::Bytes(text.into())
    }

    #[test]
    fn an_edit_is_seen_whatever_the_times_say_and_what_stayed_is_not_read() {
        let workdir = tempfile::tempdir().unwrap();
        let path = workdir.path().join("a.toml");
        let long_ago = SystemTime::now() - COARSEST_STEP * 100;
        let write = |text: &str| {
            fs::write(&path, text).unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        };
        let mut reader = Reader::default();
        let mut read = |reread| reader.read(workdir.path(), BTreeMap::new(), &reread).unwrap().files["a.toml"].clone();
        // Same size and modification time, and shortly after each other.
        for text in ["one", "two", "six"] {
            write(text);
            assert_eq!(read(Reread::Changed), self::text(text));
        }
    }

    #[test]
    fn a_settled_file_is_read_again_when_its_signature_differs_or_everything_is() {
        let workdir = tempfile::tempdir().unwrap();
        let path = workdir.path().join("a.toml");
        fs::write(&path, "one").unwrap();
        let signature = Signature::from(&fs::metadata(&path).unwrap());
        let other = Signature { changed: (signature.changed.0, signature.changed.1 + 1), ..signature };
        let remembered = |signature| {
            let files = BTreeMap::from([("a.toml".to_owned(), text("remembered"))]);
            let before = Arc::new(Sources { files, environment: BTreeMap::new() });
            Reader { before, signatures: [("a.toml".to_owned(), signature)].into(), is_plain: false }
        };
        for (signature, reread, expected) in [
            (signature, Reread::Changed, "remembered"),
            (signature, Reread::Everything, "one"),
            (other, Reread::Changed, "one"),
        ] {
            let read = remembered(signature).read(workdir.path(), BTreeMap::new(), &reread).unwrap();
            assert_eq!(read.files["a.toml"], text(expected), "{reread:?}");
        }
    }

    /// Does something to a workdir and compares what is read of the named paths with what a new reading finds.
    fn named(reader: &mut Reader, workdir: &Path, names: &[&str]) -> bool {
        let paths = names.iter().map(|name| workdir.join(name)).collect();
        let read = reader.read(workdir, BTreeMap::new(), &Reread::Named(paths)).unwrap();
        read.files == Reader::default().read(workdir, BTreeMap::new(), &Reread::Everything).unwrap().files
    }

    #[test]
    fn what_was_named_is_all_that_is_read_where_nothing_is_linked() {
        let folder = tempfile::tempdir().unwrap();
        let workdir = folder.path();
        fs::create_dir(workdir.join("sub")).unwrap();
        let write = |name: &str, text: &str| fs::write(workdir.join(name), text).unwrap();
        write("a.toml", "one");
        write("sub/b.toml", "one");
        let mut reader = Reader::default();
        assert!(named(&mut reader, workdir, &[]), "the first reading is of everything");
        write("a.toml", "two");
        assert!(!named(&mut reader, workdir, &["sub/b.toml", "sub/deeper/c.toml", ".a.toml.swp", "a.toml~"]));
        assert!(named(&mut reader, workdir, &["a.toml"]));
        write("sub/b.toml", "two");
        write("sub/new.toml", "new");
        fs::remove_file(workdir.join("a.toml")).unwrap();
        assert!(named(&mut reader, workdir, &["a.toml", "sub/b.toml", "sub/new.toml", "4913"]));
    }

    #[test]
    fn everything_is_looked_at_when_names_do_not_tell_all() {
        type Change = fn(&Path);
        let changes: [(&str, &str, Change); 6] = [
            ("a folder came", "sub", |root| {
                fs::create_dir(root.join("sub")).unwrap();
                fs::write(root.join("sub/c.toml"), "").unwrap();
            }),
            ("a folder went", "known", |root| fs::rename(root.join("known"), root.join(".known")).unwrap()),
            ("a link came", "c.toml", |root| std::os::unix::fs::symlink("a.toml", root.join("c.toml")).unwrap()),
            ("another name came", "c.toml", |root| fs::hard_link(root.join("a.toml"), root.join("c.toml")).unwrap()),
            ("a folder in place of a file", "a.toml", |root| {
                fs::remove_file(root.join("a.toml")).unwrap();
                fs::create_dir(root.join("a.toml")).unwrap();
            }),
            ("the workdir itself", "", |root| fs::write(root.join("c.toml"), "").unwrap()),
        ];
        for (what, name, change) in changes {
            let folder = tempfile::tempdir().unwrap();
            let workdir = folder.path();
            fs::create_dir(workdir.join("known")).unwrap();
            fs::write(workdir.join("a.toml"), "one").unwrap();
            fs::write(workdir.join("known/b.toml"), "one").unwrap();
            let mut reader = Reader::default();
            assert!(named(&mut reader, workdir, &[]), "{what}");
            change(workdir);
            // Not told, and found all the same.
            fs::write(workdir.join("untold.toml"), "").unwrap();
            assert!(named(&mut reader, workdir, &[name]), "{what}");
            if what.ends_with("came") && name == "c.toml" {
                fs::write(workdir.join("a.toml"), "by its other name").unwrap();
                assert!(named(&mut reader, workdir, &["c.toml"]), "{what}");
            }
        }
    }
}
