//! The quick way when only few files changed and are known by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Reader, Signature, content, is_hidden, is_plain_file, is_toml, settled_before};
use crate::config::FileContent;

/// A file that was named, as the file system has it now.
#[derive(PartialEq, Eq)]
struct Named {
    path: PathBuf,
    name: String,
    /// `None` when it is gone.
    signature: Option<Signature>,
}

impl Reader {
    /// The files as they are now, when nothing happened but at `paths`; `None` when that cannot be known from them.
    pub(super) fn read_named(
        &mut self,
        workdir: &Path,
        paths: &BTreeSet<PathBuf>,
    ) -> Option<BTreeMap<String, FileContent>> {
        let settled_before = settled_before();
        let named = self.look_at(workdir, paths)?;
        let mut files = self.before.files.clone();
        for Named { path, name, signature } in &named {
            match signature {
                Some(_) => files.insert(name.clone(), content(path)),
                None => files.remove(name),
            };
        }
        if self.look_at(workdir, paths)? != named {
            return None;
        }
        for Named { name, signature, .. } in named {
            match signature.filter(|signature| signature.is_settled(settled_before)) {
                Some(signature) => self.signatures.insert(name, signature),
                None => self.signatures.remove(&name),
            };
        }
        Some(files)
    }

    /// What is at those of the paths that may be files of the workdir.
    fn look_at(&self, workdir: &Path, paths: &BTreeSet<PathBuf>) -> Option<Vec<Named>> {
        if !self.is_plain {
            return None;
        }
        let mut named = Vec::new();
        for path in paths {
            let relative = path.strip_prefix(workdir).ok()?;
            if relative.components().count() > 2 || relative.iter().any(is_hidden) {
                continue;
            }
            let name = relative.to_str().filter(|name| !name.is_empty())?.to_owned();
            let signature = match fs::symlink_metadata(path) {
                Ok(metadata) if is_plain_file(&metadata) => Some(Signature::from(&metadata)),
                Err(error) if error.kind() == io::ErrorKind::NotFound && !self.was_folder(&name) => None,
                _ => return None,
            };
            if is_toml(relative) {
                named.push(Named { path: path.clone(), name, signature });
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
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::daemon::workdir::Reread;

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
