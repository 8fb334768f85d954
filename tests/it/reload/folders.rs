//! Links, and folders that come, go and are swapped.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tgsignd::kernel::status::WatcherBackend;

use super::{SIGN, was_noticed};
use crate::kit::{Daemon, Stage};

fn task(name: &str, minutes: u32) -> String {
    format!("[tasks.{name}]\n{SIGN}\njitter = '{minutes}m'\n")
}

/// Points a link elsewhere at once, as `ln -sfn` and Kubernetes do.
fn point(link: &Path, target: impl AsRef<Path>) {
    let new = link.with_file_name("..new");
    symlink(target, &new).unwrap();
    fs::rename(new, link).unwrap();
}

async fn daemon(stage: &Stage) -> Daemon {
    stage.daemon_as(stage.tgsignd(&["run", "-v"])).await
}

/// The workdir's present content is in force, because somebody told.
async fn follows(daemon: &Daemon, stage: &Stage) {
    daemon.follows(&stage.digest()).await;
    was_noticed(daemon).await;
}

/// What the kubelet makes of a `ConfigMap` with two files.
struct ConfigMap<'a> {
    stage: &'a Stage,
    version: u32,
}

impl<'a> ConfigMap<'a> {
    fn mount(stage: &'a Stage) -> Self {
        for name in ["one.toml", "two.toml"] {
            symlink(Path::new("..data").join(name), stage.workdir().join(name)).unwrap();
        }
        let mut map = Self { stage, version: 0 };
        map.swap(&task("one", 1), &task("two", 1));
        map
    }

    fn swap(&mut self, one: &str, two: &str) {
        let workdir = self.stage.workdir();
        let old = workdir.join(format!("..2026_11_22.{}", self.version));
        self.version += 1;
        let new = workdir.join(format!("..2026_11_22.{}", self.version));
        fs::create_dir(&new).unwrap();
        fs::write(new.join("one.toml"), one).unwrap();
        fs::write(new.join("two.toml"), two).unwrap();
        point(&workdir.join("..data"), new.file_name().unwrap());
        if old.exists() {
            fs::remove_dir_all(old).unwrap();
        }
    }
}

#[tokio::test]
async fn a_config_map_is_swapped_as_a_whole() {
    let stage = Stage::new().await;
    let mut map = ConfigMap::mount(&stage);
    let daemon = daemon(&stage).await;
    for round in 2..5 {
        map.swap(&task("one", round), &task("two", round));
        follows(&daemon, &stage).await;
        assert_eq!(daemon.status().await.config.changes, ["task one changed", "task two changed"]);
    }
    let good = stage.digest();
    map.swap(&task("one", 9), "nonsense");
    let status = daemon.status_when(|status| status.config.last_reload_accepted == Some(false)).await;
    assert_eq!(status.config.digest, Some(good));
    map.swap(&task("one", 9), &task("two", 9));
    follows(&daemon, &stage).await;
    assert_eq!(daemon.status().await.totals.reloads_accepted, 4);
    daemon.stop().await;
}

#[tokio::test]
async fn what_links_lead_to_is_watched_where_it_lies() {
    let stage = Stage::new().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let at = |name: &str| elsewhere.path().join(name);
    for folder in ["files", "releases/1", "releases/2"] {
        fs::create_dir_all(at(folder)).unwrap();
    }
    fs::write(at("files/one.toml"), task("one", 1)).unwrap();
    fs::write(at("releases/1/two.toml"), task("two", 1)).unwrap();
    fs::write(at("releases/2/two.toml"), task("two", 2)).unwrap();
    symlink("1", at("releases/now")).unwrap();
    symlink(at("files/one.toml"), stage.workdir().join("one.toml")).unwrap();
    symlink(at("releases/now"), stage.workdir().join("linked")).unwrap();
    let daemon = daemon(&stage).await;

    fs::write(at("files/one.toml"), task("one", 2)).unwrap();
    follows(&daemon, &stage).await;
    fs::write(at("releases/1/two.toml"), task("two", 3)).unwrap();
    follows(&daemon, &stage).await;
    point(&at("releases/now"), "2");
    follows(&daemon, &stage).await;
    fs::write(at("releases/2/two.toml"), task("two", 4)).unwrap();
    follows(&daemon, &stage).await;
    fs::write(at("files/other.toml"), task("one", 5)).unwrap();
    point(&stage.workdir().join("one.toml"), at("files/other.toml"));
    follows(&daemon, &stage).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_workdir_may_be_a_link_that_is_pointed_elsewhere() {
    let stage = Stage::new().await;
    let moved = |name: &str| stage.workdir().with_file_name(name);
    fs::rename(stage.workdir(), moved("1")).unwrap();
    symlink("1", stage.workdir()).unwrap();
    let daemon = daemon(&stage).await;
    copy(&moved("1"), &moved("2"));
    fs::write(moved("2").join("one.toml"), task("one", 1)).unwrap();
    point(&stage.workdir(), "2");
    follows(&daemon, &stage).await;
    fs::write(moved("2").join("one.toml"), task("one", 2)).unwrap();
    follows(&daemon, &stage).await;
    daemon.stop().await;
}

/// Copies a workdir.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn aside(stage: &Stage) -> PathBuf {
    stage.workdir().with_file_name("aside")
}

#[tokio::test]
async fn a_workdir_that_is_swapped_is_watched_again() {
    let stage = Stage::new().await;
    stage.task("one", SIGN);
    let daemon = daemon(&stage).await;
    let new = stage.workdir().with_file_name("new");
    for round in 1..4 {
        copy(&stage.workdir(), &new);
        fs::write(new.join("one.toml"), task("one", round)).unwrap();
        fs::rename(stage.workdir(), aside(&stage)).unwrap();
        fs::rename(&new, stage.workdir()).unwrap();
        fs::remove_dir_all(aside(&stage)).unwrap();
        follows(&daemon, &stage).await;
        fs::write(stage.workdir().join("one.toml"), task("one", round + 10)).unwrap();
        follows(&daemon, &stage).await;
    }
    daemon.stop().await;
}

#[tokio::test]
async fn a_workdir_that_went_away_is_an_error_until_it_is_back() {
    let stage = Stage::new().await;
    stage.task("one", SIGN);
    let daemon = daemon(&stage).await;
    let before = stage.digest();
    fs::rename(stage.workdir(), aside(&stage)).unwrap();
    let gone = daemon.status_when(|status| status.config.last_reload_accepted == Some(false)).await;
    assert!(gone.config.errors[0].contains("does not exist"), "{:?}", gone.config.errors);
    assert_eq!(gone.config.digest.as_ref(), Some(&before));
    assert_eq!(gone.watcher.map(|watcher| watcher.backend), Some(WatcherBackend::Poll));
    assert_eq!(daemon.get("/readyz").await.status, 200);
    fs::rename(aside(&stage), stage.workdir()).unwrap();
    let back = daemon.status_when(|status| status.config.last_reload_accepted == Some(true)).await;
    assert_eq!(back.config.digest.as_ref(), Some(&before));
    assert_eq!(back.watcher.map(|watcher| watcher.backend), Some(WatcherBackend::Inotify));
    stage.task("one", &format!("{SIGN}\njitter = '1m'"));
    follows(&daemon, &stage).await;
    daemon.stop().await;
}

#[tokio::test]
async fn folders_that_come_go_and_come_back_are_watched() {
    let stage = Stage::new().await;
    let daemon = daemon(&stage).await;
    let file = stage.workdir().join("more/one.toml");
    fs::create_dir(stage.workdir().join("more")).unwrap();
    fs::write(&file, task("one", 1)).unwrap();
    follows(&daemon, &stage).await;
    fs::write(&file, task("one", 2)).unwrap();
    follows(&daemon, &stage).await;
    // The tasks are away for a moment, and nobody takes that for a removal.
    fs::rename(stage.workdir().join("more"), aside(&stage)).unwrap();
    daemon.says("tasks or accounts have disappeared").await;
    fs::rename(aside(&stage), stage.workdir().join("more")).unwrap();
    fs::write(&file, task("one", 3)).unwrap();
    daemon.follows(&stage.digest()).await;
    fs::write(&file, task("one", 4)).unwrap();
    follows(&daemon, &stage).await;
    assert!(!daemon.has_said("removed"), "{}", daemon.log.text());
    daemon.stop().await;
}
