//! inotify's limits, its queue, and what it never tells.

use std::collections::BTreeMap;
use std::fs;

use rustix::process::{Pid, Signal};
use tgsignd::kernel::status::{Status, WatcherBackend};

use super::SIGN;
use crate::kit::{Invocation, Stage, tool};

/// A limit of a user namespace of its own, set before the daemon starts in it.
fn limited(stage: &Stage, limit: &str, value: u32) -> Option<Invocation> {
    let script = format!("echo {value} > /proc/sys/user/{limit} && exec \"$@\"");
    let command = stage.tgsignd(&["run"]);
    let invocation = Invocation::program(tool("unshare")?).arguments(["--user", "--map-root-user", "sh", "-c"]);
    Some(invocation.arguments([script.as_str(), "sh"]).arguments(command.line().split(' ')))
}

async fn raise(process: Pid, limit: &str) {
    let script = format!("echo 100 > /proc/sys/user/{limit}");
    let process = process.as_raw_nonzero().to_string();
    let command = Invocation::program("nsenter").arguments(["--target", &process, "--user", "sh", "-c", &script]);
    command.ends().await.success();
}

fn watches_by(backend: WatcherBackend) -> impl Fn(&Status) -> bool {
    move |status| status.watcher.is_some_and(|watcher| watcher.backend == backend)
}

/// With and without a watcher every edit arrives, and everybody can see which it is.
async fn goes_without_and_comes_back(limit: &'static str, value: u32) {
    let stage = Stage::new().await;
    stage.task("one", SIGN);
    let Some(limited) = limited(&stage, limit, value) else { return };
    let daemon = stage.daemon_as(limited).await;
    // One folder more than the limit allows, in one of the two cases.
    fs::create_dir(stage.workdir().join("more")).unwrap();
    daemon.status_when(watches_by(WatcherBackend::Poll)).await;
    let told = daemon.says("the workdir cannot be watched").await;
    assert!(!told.field("error").is_empty(), "{}", told.text);
    let metrics = daemon.metrics().await;
    assert_eq!(metrics.metric("tgsignd_watcher_backend_info", &[("backend", "poll")]), Some(1.0));
    let table = stage.tgsignd(&["status"]).ends().await.success();
    assert!(table.contains("cannot be watched"), "{table}");
    for minutes in 1..3 {
        stage.task("one", &format!("{SIGN}\njitter = '{minutes}m'"));
        daemon.follows(&stage.digest()).await;
    }
    raise(daemon.id(), limit).await;
    daemon.says("the workdir is watched again").await;
    daemon.status_when(watches_by(WatcherBackend::Inotify)).await;
    let log = daemon.stop().await;
    let told = log.lines().iter().filter(|line| line.message().contains("cannot be watched")).count();
    assert_eq!(told, 1, "not again with every look: {}", log.text());
}

#[tokio::test]
async fn without_an_inotify_instance_the_workdir_is_polled() {
    goes_without_and_comes_back("max_inotify_instances", 0).await;
}

#[tokio::test]
async fn with_one_watch_too_few_the_workdir_is_polled() {
    // The workdir and `accounts` fit.
    goes_without_and_comes_back("max_inotify_watches", 2).await;
}

#[tokio::test]
async fn after_an_overflow_everything_is_read() {
    let stage = Stage::new().await;
    stage.task("one", SIGN);
    let daemon = stage.daemon_as(stage.tgsignd(&["run", "-v"])).await;
    let queue: u64 = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap().trim().parse().unwrap();
    daemon.signal(Signal::STOP);
    // Equal events in a row are one: two files take turns.
    let noise = [stage.workdir().join("a~"), stage.workdir().join("b~")];
    for _ in 0..=queue / 4 {
        for path in &noise {
            fs::write(path, "x").unwrap();
        }
    }
    stage.task("one", &format!("{SIGN}\njitter = '1m'"));
    daemon.signal(Signal::CONT);
    daemon.follows(&stage.digest()).await;
    daemon.status_when(|status| status.watcher.is_some_and(|watcher| watcher.overflows == 1)).await;
    daemon.log.wait_for(1, |line| line.field("reread") == "Everything").await;
    assert_eq!(daemon.metrics().await.metric("tgsignd_watcher_overflows_total", &[]), Some(1.0));
    // The reading of everything may still be under way and see the first of them.
    for minutes in [2, 3] {
        stage.task("one", &format!("{SIGN}\njitter = '{minutes}m'"));
        daemon.follows(&stage.digest()).await;
    }
    super::was_noticed(&daemon).await;
    daemon.stop().await;
}

#[tokio::test]
async fn what_no_event_tells_is_found_by_the_slow_rescan() {
    let stage = Stage::new().await;
    stage.task("one", SIGN);
    let Some(unshare) = tool("unshare") else { return };
    let command = stage.tgsignd(&["run", "-v"]);
    let alone = Invocation::program(unshare).arguments(["--user", "--map-root-user", "--mount", "--"]);
    let daemon = stage.daemon_as(alone.arguments(command.line().split(' '))).await;
    // Another file system is mounted over the workdir, where only the daemon sees it.
    let (workdir, other) = (stage.workdir(), stage.workdir().with_file_name("other"));
    let copy = ["-a".as_ref(), workdir.as_os_str(), other.as_os_str()];
    Invocation::program("cp").arguments(copy).ends().await.success();
    let write = |minutes: u32| {
        fs::write(other.join("one.toml"), format!("[tasks.one]\n{SIGN}\njitter = '{minutes}m'\n")).unwrap();
        tgsignd::daemon::reload::read(&other, BTreeMap::new()).unwrap().snapshot.digest
    };
    let first = write(1);
    let process = daemon.id().as_raw_nonzero().to_string();
    let script = format!("mount --bind {} {}", other.display(), workdir.display());
    let mount = ["--target", &process, "--user", "--mount", "sh", "-c", &script];
    Invocation::program("nsenter").arguments(mount).ends().await.success();
    daemon.follows(&first).await;
    daemon.log.wait_for(1, |line| line.field("reread") == "Everything").await;
    // What is there now is watched; that reading may still be under way and see the first edit.
    for minutes in [2, 3] {
        daemon.follows(&write(minutes)).await;
    }
    super::was_noticed(&daemon).await;
    daemon.stop().await;
}
