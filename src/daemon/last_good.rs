//! `state/last-good`: the sources of the configuration that was accepted last, for a start with a broken workdir.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;
use tracing::warn;

use super::workdir::{self, WorkdirError};
use crate::config::{FileContent, Sources};

/// The file that stands for `$TGSIGND_CONFIG`, whose text is a source like any file.
const VARIABLE: &str = "TGSIGND_CONFIG";
const VARIABLE_FILE: &str = "variable.txt";

/// Where it is kept.
pub fn folder(datadir: &Path) -> PathBuf {
    datadir.join("state").join("last-good")
}

/// Replaces what is kept. Whatever happens in between, either the old or the new sources are there.
pub fn keep(datadir: &Path, sources: &Sources) -> io::Result<()> {
    let (kept, new, old) = (folder(datadir), datadir.join("state/last-good.new"), datadir.join("state/last-good.old"));
    remove(&new)?;
    make_folder(&new)?;
    for (name, content) in &sources.files {
        let FileContent::Bytes(bytes) = content else { continue };
        if let Some((subfolder, _)) = name.split_once('/') {
            make_folder(&new.join(subfolder))?;
        }
        // What did not change is on the disk already.
        let same = fs::read(kept.join(name)).is_ok_and(|known| known == *bytes);
        if !same || fs::hard_link(kept.join(name), new.join(name)).is_err() {
            write(&new.join(name), bytes)?;
        }
    }
    if let Some(text) = sources.environment.get(VARIABLE) {
        write(&new.join(VARIABLE_FILE), text.as_bytes())?;
    }
    remove(&old)?;
    match fs::rename(&kept, &old) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(&new, &kept)?;
    fs::File::open(datadir.join("state"))?.sync_all()?;
    remove(&old)
}

/// Keeps one configuration after the other, and of several that wait only the newest. Ends with the channel.
pub async fn keep_newest(datadir: PathBuf, mut newest: watch::Receiver<Option<Arc<Sources>>>) {
    while newest.changed().await.is_ok() {
        let Some(sources) = newest.borrow_and_update().clone() else { continue };
        let datadir = datadir.clone();
        let kept = tokio::task::spawn_blocking(move || keep(&datadir, &sources)).await;
        if let Ok(Err(error)) = kept {
            warn!(%error, "the configuration could not be kept in state/last-good");
        }
    }
}

/// What was kept, read with the process's other variables; `None` when nothing was.
pub fn load(datadir: &Path, mut environment: BTreeMap<String, String>) -> Result<Option<Sources>, WorkdirError> {
    let kept = folder(datadir);
    // A crash between the two renames leaves the old one aside.
    let place = if kept.exists() { kept } else { datadir.join("state/last-good.old") };
    if !place.exists() {
        return Ok(None);
    }
    environment.remove(VARIABLE);
    if let Ok(text) = fs::read_to_string(place.join(VARIABLE_FILE)) {
        environment.insert(VARIABLE.to_owned(), text);
    }
    workdir::read(&place, environment).map(Some)
}

fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn sources(files: &[(&str, &str)], variable: Option<&str>) -> Sources {
        Sources {
            files: files
                .iter()
                .map(|(name, text)| ((*name).to_owned(), FileContent::Bytes(text.as_bytes().to_vec())))
                .collect(),
            environment: variable.map(|text| (VARIABLE.to_owned(), text.to_owned())).into_iter().collect(),
        }
    }

    #[test]
    fn what_is_kept_comes_back_and_replaces_what_was_there() {
        let datadir = tempfile::tempdir().unwrap();
        fs::create_dir(datadir.path().join("state")).unwrap();
        assert_eq!(load(datadir.path(), BTreeMap::new()).unwrap(), None);

        let first = sources(&[("tgsignd.toml", "version = 1"), ("tasks/a.toml", "x")], Some("y"));
        keep(datadir.path(), &first).unwrap();
        assert_eq!(load(datadir.path(), BTreeMap::new()).unwrap(), Some(first));

        let second = sources(&[("tgsignd.toml", "version = 1 # two")], None);
        keep(datadir.path(), &second).unwrap();
        assert_eq!(load(datadir.path(), BTreeMap::new()).unwrap(), Some(second.clone()));

        fs::rename(folder(datadir.path()), datadir.path().join("state/last-good.old")).unwrap();
        assert_eq!(load(datadir.path(), BTreeMap::new()).unwrap(), Some(second));
    }
}
