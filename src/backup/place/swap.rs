//! Many renames that happen all or not at all, whatever stops them.
//!
//! Everything new lies complete and synced below `restore/` before `restore/plan.json` appears, which is the commit point: with a
//! plan the next start goes on, without one it throws the folder away. A step that fails while the process lives is undone.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::RestoreError;
use crate::backup::position::{sync_folder_of, write_durably};

/// The folder of a restore, in the data directory, so that a rename is enough.
pub(super) fn folder(datadir: &Path) -> PathBuf {
    datadir.join("restore")
}

/// What `SQLite` keeps beside a database; an old log would be written into a new database.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// What an interrupted restore left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovered {
    /// There was none.
    Nothing,
    /// It had not begun to put anything in place; its files were removed.
    Discarded,
    /// It was finished: what it brought is in place.
    Finished,
}

/// One file or folder that goes to its place. Both paths have names only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Item {
    /// Below `restore/`.
    pub(super) from: PathBuf,
    /// Below the data directory.
    pub(super) to: PathBuf,
}

/// Looks before every step; an error stands for a step that fails.
pub(super) type Watch<'a> = &'a mut dyn FnMut(&'static str) -> io::Result<()>;

#[derive(Debug, Serialize, Deserialize)]
struct Plan {
    version: u32,
    items: Vec<Item>,
}

const VERSION: u32 = 1;

/// A plan on its way.
pub(super) struct Swap<'a> {
    datadir: &'a Path,
    items: Vec<Item>,
}

/// Finishes or removes what an interrupted restore left. Before anything else in the data directory is opened, and with its lock.
pub fn recover(datadir: &Path) -> Result<Recovered, RestoreError> {
    let folder = folder(datadir);
    let plan_file = plan_file(datadir);
    let bytes = match fs::read(&plan_file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.exists() => return Ok(Recovered::Nothing),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::remove_dir_all(&folder).map_err(RestoreError::disk(&folder))?;
            return Ok(Recovered::Discarded);
        }
        Err(cause) => return Err(RestoreError::Disk { path: plan_file, cause }),
    };
    let unfinished = |why: String| RestoreError::Unfinished { folder: folder.clone(), why };
    let plan: Plan = serde_json::from_slice(&bytes).map_err(|_| unfinished("plan.json cannot be read".to_owned()))?;
    let inside = |path: &Path| path.components().all(|part| matches!(part, Component::Normal(_)));
    if plan.version != VERSION || !plan.items.iter().all(|item| inside(&item.from) && inside(&item.to)) {
        return Err(unfinished("plan.json is of another version".to_owned()));
    }
    let swap = Swap { datadir, items: plan.items };
    swap.forward(&mut |_| Ok(()))
        .and_then(|()| swap.clean(&mut |_| Ok(())))
        .map_err(|error| unfinished(error.to_string()))?;
    Ok(Recovered::Finished)
}

fn plan_file(datadir: &Path) -> PathBuf {
    folder(datadir).join("plan.json")
}

/// Puts all `items` in place and removes `restore/`, or leaves everything as it was.
pub(super) fn perform(datadir: &Path, items: Vec<Item>, watch: Watch) -> Result<(), RestoreError> {
    let swap = Swap { datadir, items };
    let plan = Plan { version: VERSION, items: swap.items.clone() };
    if let Err(cause) = write_plan(datadir, &plan, watch) {
        // Nothing was moved yet.
        let _ = fs::remove_dir_all(folder(datadir));
        return Err(RestoreError::Disk { path: folder(datadir), cause });
    }
    if let Err(cause) = swap.forward(watch) {
        return Err(match swap.back() {
            Ok(()) => RestoreError::Disk { path: datadir.to_owned(), cause },
            Err(again) => {
                RestoreError::Unfinished { folder: folder(datadir), why: format!("{cause}; undoing it: {again}") }
            }
        });
    }
    // Everything is in place, so this is no failure of the restore; the next start removes what is left.
    let _ = swap.clean(watch);
    Ok(())
}

fn write_plan(datadir: &Path, plan: &Plan, watch: Watch) -> io::Result<()> {
    watch("write the plan")?;
    sync_tree(&folder(datadir))?;
    write_durably(&plan_file(datadir), &serde_json::to_vec(plan)?)
}

impl Swap<'_> {
    /// Does what is left to do: the new file is gone from `restore/` once an item is in place.
    fn forward(&self, watch: Watch) -> io::Result<()> {
        for (number, item) in self.items.iter().enumerate() {
            let (new, target, old) = self.places(number, item);
            if !there(&new) {
                continue;
            }
            make_folder(target.parent())?;
            make_folder(old.parent())?;
            for (target, old) in with_companions(&target, &old) {
                if there(&target) {
                    watch("set aside")?;
                    fs::rename(target, old)?;
                }
            }
            watch("put in place")?;
            fs::rename(&new, &target)?;
        }
        self.sync()
    }

    /// Brings back what was there, the last item first.
    fn back(&self) -> io::Result<()> {
        for (number, item) in self.items.iter().enumerate().rev() {
            let (new, target, old) = self.places(number, item);
            if !there(&new) && there(&target) {
                fs::rename(&target, &new)?;
            }
            for (target, old) in with_companions(&target, &old) {
                if there(&old) {
                    fs::rename(old, target)?;
                }
            }
        }
        self.sync()?;
        self.clean(&mut |_| Ok(()))
    }

    fn places(&self, number: usize, item: &Item) -> (PathBuf, PathBuf, PathBuf) {
        let folder = folder(self.datadir);
        (folder.join(&item.from), self.datadir.join(&item.to), folder.join("old").join(number.to_string()))
    }

    fn sync(&self) -> io::Result<()> {
        self.items
            .iter()
            .map(|item| self.datadir.join(&item.to))
            .filter(|path| there(path))
            .try_for_each(|path| sync_folder_of(&path))
    }

    /// The plan goes first: without it the rest is rubbish.
    fn clean(&self, watch: Watch) -> io::Result<()> {
        watch("remove the plan")?;
        let plan = plan_file(self.datadir);
        fs::remove_file(&plan)?;
        sync_folder_of(&plan)?;
        watch("remove the folder")?;
        fs::remove_dir_all(folder(self.datadir))
    }
}

/// A database is moved after what is beside it, and a plain file has nothing beside it.
fn with_companions(target: &Path, old: &Path) -> Vec<(PathBuf, PathBuf)> {
    let is_database = target.extension().is_some_and(|extension| extension == "db");
    let companions = if is_database { &COMPANIONS[..] } else { &[] };
    companions.iter().chain(&[""]).map(|suffix| (with_suffix(target, suffix), with_suffix(old, suffix))).collect()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn make_folder(path: Option<&Path>) -> io::Result<()> {
    path.map_or(Ok(()), |path| DirBuilder::new().recursive(true).mode(0o700).create(path))
}

/// Makes names durable that were created below `folder`; the files themselves were synced when they were written.
fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        }
    }
    File::open(folder)?.sync_all()
}
