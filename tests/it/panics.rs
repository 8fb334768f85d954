//! A fault of our own costs the run it is in, and nothing else.
//!
//! There is no known way to cause one from outside. So the ledger is changed behind the daemon's back to what the daemon never
//! writes: a time limit that no clock can reach, a step that no script has, a script in the words of another version.

use rusqlite::Connection;
use tgsignd::script::Outcome;

use crate::kit::{Daemon, Line, Stage};

const TASKS: &str = "[tasks.silent]\nschedule = '@yearly'\nchat = '@silent_bot'\nsteps = [{ send = '/sign' }]\ntimeout = '1m'\n\
                     [tasks.quick]\nschedule = '@yearly'\nchat = '@quick_bot'\nsteps = [{ send = '/sign' }]\n";

/// A daemon that was killed in the middle of a run, and its ledger changed since.
async fn killed_and_changed(changes: &[&str]) -> Stage {
    let stage = Stage::new().await;
    stage.write("tasks.toml", TASKS);
    let daemon = stage.daemon().await;
    tokio::spawn(stage.tgsignd(&["once", "silent"]).ends());
    stage.sees_message("alice", "silent").await;
    daemon.kill9().await;
    let ledger = Connection::open(stage.datadir().join("state/state.db")).unwrap();
    for change in changes {
        assert!(ledger.execute(change, []).unwrap() > 0, "{change} changed nothing");
    }
    stage
}

/// The run ended as what it is, people were told, and the account goes on.
async fn costs_the_run_only(stage: &Stage, daemon: Daemon, reason: &str) {
    let alarm = daemon.line(|line| line.field("alarm") == "interrupted").await;
    assert_eq!((alarm.field("task"), alarm.field("account")), ("silent", "alice"));
    assert!(alarm.field("reason").contains(reason), "{}", alarm.text);
    stage.tgsignd(&["once", "quick"]).ends().await.success();
    let status = daemon.status().await;
    let last = status.tasks["silent"].accounts.get("alice").unwrap().last.clone().unwrap();
    assert_eq!(last.outcome, Outcome::Interrupted);
    let log = daemon.stop().await;
    assert_eq!(stage.sent("alice", "silent"), ["/sign"], "{}", log.text());
    let runs = stage.runs().await;
    let outcomes: Vec<_> = runs.iter().map(|run| (run.key.task.as_str(), run.outcome)).collect();
    assert_eq!(outcomes, [("silent", Outcome::Interrupted), ("quick", Outcome::Succeeded)]);
    // It is over for good.
    let daemon = stage.daemon().await;
    assert!(!daemon.stop().await.text().contains("taking up a run"));
}

#[tokio::test]
async fn a_conversation_that_panics_ends_interrupted() {
    let never = "UPDATE claims SET script = json_set(script, '$.script.steps[0].within', \
                 json('{\"secs\":18446744073709551615,\"nanos\":0}'))";
    let stage = killed_and_changed(&[never]).await;
    let daemon = stage.daemon().await;
    let panic = daemon.line(|line| line.message().starts_with("panic: ")).await;
    assert_eq!((panic.field("task"), panic.field("account")), ("silent", "alice"), "{}", panic.text);
    assert!(!panic.field("run_id").is_empty() && panic.field("place").contains(".rs:"), "{}", panic.text);
    daemon.says("a conversation ended in a panic; please report it").await;
    costs_the_run_only(&stage, daemon, "an internal error ended the conversation").await;
}

#[tokio::test]
async fn an_account_that_panics_is_started_again_and_gives_the_run_up_the_second_time() {
    // Too long ago for anything but a look at the chat's history, which the account itself takes.
    let long_ago = "UPDATE claims SET fire_at = 0";
    let step = "UPDATE journal SET mark = json_set(mark, '$.step', json('18446744073709551615'))";
    let stage = killed_and_changed(&[long_ago, step]).await;
    let daemon = stage.daemon().await;
    let restarted = |line: &Line| line.message().starts_with("the account's task ended in a panic");
    let lines = daemon.log.wait_for(2, restarted).await;
    assert_eq!(lines[0].field("account"), "alice");
    costs_the_run_only(&stage, daemon, "an internal error ended the account's task twice").await;
}

#[tokio::test]
async fn a_run_whose_script_cannot_be_read_any_more_ends_interrupted() {
    let stage = killed_and_changed(&["UPDATE claims SET script = '{\"script\":\"of another version\"}'"]).await;
    let daemon = stage.daemon().await;
    costs_the_run_only(&stage, daemon, "the script of run").await;
}
