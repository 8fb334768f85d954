//! Edits of the workdir while the daemon runs, and starts with a workdir that is broken.
//!
//! | what happens | where it is tried |
//! |---|---|
//! | a bad edit, removals, SIGHUP, a broken workdir at the start, keys that wait for a restart | here |
//! | every way to save a file; half-written, empty and unreadable files; what is no file; edits during a run | `edits` |
//! | links, ConfigMaps, folders that come, go and are swapped | `folders` |
//! | inotify's limits, its queue, and what it never tells: the slow rescan | `limits` |
//! | all of it at random | `random` |

mod edits;
mod folders;
mod limits;
mod random;

use crate::kit::{Daemon, Line, Stage};

/// The newest configuration was put in force because of an event, and not because it was time to look.
async fn was_noticed(daemon: &Daemon) {
    let accepted = usize::try_from(daemon.status().await.totals.reloads_accepted).unwrap();
    let is_in_force = |line: &Line| line.message() == "the configuration is in force";
    daemon.log.wait_for(accepted, is_in_force).await;
    let lines = daemon.log.lines();
    let in_force = lines.iter().rposition(is_in_force).unwrap();
    let reading = lines[..in_force].iter().rfind(|line| line.message() == "reading the workdir").unwrap();
    assert!(!["", "Everything"].contains(&reading.field("reread")), "{}", daemon.log.text());
}

const SIGN: &str = "schedule = '@yearly'\nchat = '@quick_bot'\nsteps = [{ send = '/sign' }]";

/// The same with a schedule that nobody can read, in the second line of its file.
const BROKEN: &str = "schedule = 'whenever'\nchat = '@quick_bot'\nsteps = [{ send = '/sign' }]";

#[tokio::test]
async fn an_edit_is_in_force_at_once_and_a_bad_one_changes_nothing() {
    let stage = Stage::new().await;
    stage.task("one", SIGN);
    let daemon = stage.daemon().await;

    stage.task("two", SIGN);
    daemon.says("configuration: task two added").await;
    let status = daemon.status_when(|status| status.totals.reloads_accepted == 1).await;
    assert!(status.tasks.contains_key("two"));
    assert_eq!(status.config.changes, ["task two added"]);
    let table = stage.tgsignd(&["status"]).ends().await.success();
    assert!(table.contains("The last edit") && table.contains("  task two added\n"), "{table}");

    stage.task("two", BROKEN);
    let told = daemon.says("two.toml:2:").await;
    assert_eq!(told.field("level"), "ERROR");
    let status = daemon.status_when(|status| status.config.last_reload_accepted == Some(false)).await;
    let errors: Vec<_> = status.config.errors.iter().map(|error| error.replace("\n  ", "; ")).collect();
    assert_eq!(errors, [told.message()]);
    let metrics = daemon.metrics().await;
    assert_eq!(metrics.metric("tgsignd_config_last_reload_successful", &[]), Some(0.0));
    assert_eq!(metrics.metric("tgsignd_config_reloads_total", &[("result", "rejected")]), Some(1.0));
    let table = stage.tgsignd(&["status"]).ends().await.success();
    assert!(table.contains("The workdir has errors") && table.contains("two.toml:2:"), "{table}");
    assert_eq!(daemon.get("/readyz").await.status, 200);
    stage.tgsignd(&["once", "two"]).ends().await.success();

    stage.task("two", &format!("{SIGN}\njitter = '1m'"));
    daemon.says("configuration: task two changed").await;
    let status = daemon.status_when(|status| status.totals.reloads_accepted == 2).await;
    assert_eq!((status.config.last_reload_accepted, status.config.errors.len()), (Some(true), 0));
    assert_eq!(daemon.metrics().await.metric("tgsignd_config_last_reload_successful", &[]), Some(1.0));
    daemon.stop().await;
}

#[tokio::test]
async fn sighup_reads_what_no_watcher_can_see() {
    let stage = Stage::new().await;
    let elsewhere = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    std::fs::write(elsewhere.path(), format!("[tasks.linked]\n{SIGN}\n")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), stage.workdir().join("linked.toml")).unwrap();
    let daemon = stage.daemon().await;
    std::fs::write(elsewhere.path(), format!("[tasks.linked]\n{SIGN}\nenabled = false\n")).unwrap();
    daemon.sighup();
    daemon.says("configuration: task linked changed").await;
    let status = daemon.status_when(|status| status.totals.reloads_accepted == 1).await;
    assert!(!status.tasks["linked"].enabled);
    daemon.stop().await;
}

#[tokio::test]
async fn what_disappears_is_taken_away_only_when_it_stays_away() {
    let stage = Stage::new().await;
    stage.task("one", SIGN);
    stage.task("two", SIGN);
    let daemon = stage.daemon().await;
    stage.remove("one.toml");
    daemon.says("tasks or accounts have disappeared").await;
    assert!(daemon.status().await.tasks.contains_key("one"));
    stage.task("one", SIGN);
    // What is seen after the task has come back is seen together with it.
    stage.task("three", SIGN);
    daemon.says("configuration: task three added").await;
    assert!(!daemon.has_said("task one removed"), "{}", daemon.log.text());

    stage.remove("one.toml");
    daemon.says("configuration: task one removed").await;
    let status = daemon.status_when(|status| !status.tasks.contains_key("one")).await;
    assert!(status.tasks.contains_key("two"));
    let log = daemon.stop().await;
    let doubts = log.lines().iter().filter(|line| line.message().starts_with("tasks or accounts")).count();
    assert_eq!(doubts, 2, "{}", log.text());
}

#[tokio::test]
async fn another_reading_at_once_is_no_second_opinion() {
    let stage = Stage::new().await;
    stage.task("one", SIGN);
    let daemon = stage.daemon().await;
    stage.remove("one.toml");
    daemon.says("tasks or accounts have disappeared").await;
    daemon.sighup();
    daemon.says("SIGHUP").await;
    assert!(daemon.status().await.tasks.contains_key("one"));
    daemon.status_when(|status| status.tasks.is_empty()).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_file_that_became_empty_is_an_error_and_no_deletion() {
    let stage = Stage::new().await;
    stage.task("one", SIGN);
    let daemon = stage.daemon().await;
    stage.write("one.toml", "");
    daemon.line(|line| line.field("level") == "ERROR" && line.message().starts_with("one.toml")).await;
    assert!(daemon.status().await.tasks.contains_key("one"));
    daemon.stop().await;
}

#[tokio::test]
async fn a_start_with_a_broken_workdir_goes_on_with_what_was_accepted_last() {
    let stage = Stage::new().await;
    stage.task("one", SIGN);
    stage.daemon().await.stop().await;

    stage.task("one", BROKEN);
    let strict = stage.tgsignd(&["run", "--strict"]).ends().await;
    strict.fails_with(78, &["one.toml:2:"]);

    let daemon = stage.daemon().await;
    daemon.says("one.toml:2:").await;
    let status = daemon.status().await;
    assert!(status.config.from_last_good && status.tasks.contains_key("one"));
    assert_eq!(daemon.metrics().await.metric("tgsignd_config_from_last_good", &[]), Some(1.0));
    stage.tgsignd(&["once", "one"]).ends().await.success();

    // Mended to what it was: the workdir itself is in force again.
    stage.task("one", SIGN);
    let status = daemon.status_when(|status| status.config.last_reload_accepted == Some(true)).await;
    assert!(!status.config.from_last_good);
    daemon.stop().await;
}

#[tokio::test]
async fn what_waits_for_a_restart_is_told_until_it_comes() {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    let first = stage.settings();
    let changed = first.replace("127.0.0.1:0", "127.0.0.1:1");
    stage.write("tgsignd.toml", &changed);
    let waits = |wanted: bool| {
        move |status: &tgsignd::kernel::status::Status| {
            status.config.restart_needed.iter().any(|key| key.contains("listen")) == wanted
        }
    };
    daemon.status_when(waits(true)).await;
    assert_eq!(daemon.metrics().await.metric("tgsignd_config_restart_needed", &[]), Some(1.0));

    stage.task("one", SIGN);
    daemon.says("configuration: task one added").await;
    let status = daemon.status_when(|status| status.totals.reloads_accepted == 2).await;
    assert!(waits(true)(&status), "{:?}", status.config);

    stage.write("tgsignd.toml", &first);
    daemon.status_when(waits(false)).await;
    daemon.stop().await;
}
