//! Where a change can happen that changes what a path leads to.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

/// The kernel follows that many symbolic links in one path.
const MOST_LINKS: u32 = 40;

/// The workdir, and the folders of the links that lead to it.
pub(super) fn of_workdir(workdir: &Path) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    walk(workdir, &mut folders);
    folders.insert(workdir.to_owned());
    folders
}

/// Adds the folder of every link on the way of `path`, and the one in which the way ends.
pub(super) fn passed(path: &Path, folders: &mut BTreeSet<PathBuf>) {
    let end = walk(path, folders);
    folders.extend(end.parent().map(Path::to_owned));
}

/// Follows links one by one; returns where that ends, which need not exist.
fn walk(path: &Path, folders: &mut BTreeSet<PathBuf>) -> PathBuf {
    let mut place = if path.is_absolute() { PathBuf::from("/") } else { std::env::current_dir().unwrap_or_default() };
    let mut ahead = components_backwards(path);
    let mut links = 0;
    while let Some(component) = ahead.pop() {
        if component == *"/" {
            place = PathBuf::from("/");
        } else if component == *".." {
            place.pop();
        } else if component != *"." {
            let next = place.join(&component);
            match fs::read_link(&next) {
                Ok(target) if links < MOST_LINKS => {
                    links += 1;
                    folders.insert(place.clone());
                    ahead.extend(components_backwards(&target));
                }
                _ => place = next,
            }
        }
    }
    place
}

fn components_backwards(path: &Path) -> Vec<OsString> {
    path.components().rev().map(|component| OsStr::to_owned(component.as_os_str())).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_link_on_the_way_counts() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        for folder in ["w", "releases/1", "keys"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("keys/a.toml"), "").unwrap();
        symlink("1", root.join("releases/now")).unwrap();
        symlink(root.join("keys/a.toml"), root.join("releases/1/a.toml")).unwrap();
        symlink("../releases/now/a.toml", root.join("w/a.toml")).unwrap();
        let mut folders = BTreeSet::new();
        passed(&root.join("w/a.toml"), &mut folders);
        assert_eq!(folders, ["w", "releases", "releases/1", "keys"].map(|name| root.join(name)).into());

        assert_eq!(of_workdir(&root.join("w")), [root.join("w")].into());
        assert_eq!(of_workdir(&root.join("releases/now")), [root.join("releases"), root.join("releases/now")].into());

        symlink("loop.toml", root.join("w/loop.toml")).unwrap();
        passed(&root.join("w/loop.toml"), &mut folders);
    }
}
