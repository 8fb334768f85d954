//! One owner, and how it goes: locks, addresses, and signals that other tests do not send.
//!
//! | what happens | where it is tried |
//! |---|---|
//! | the data directory is held: exit 75, naming the holder | `once` (every command), here (two daemons) |
//! | a session is held | here |
//! | the listener's address is taken | here |
//! | SIGTERM in the middle of a run, a second signal | `ending` |
//! | SIGINT, the grace time, SIGTERM before the daemon is ready | here |
//! | SIGTERM while a data centre never answers | `faults` |
//! | SIGKILL, and what is left behind | `ending` |

use rustix::process::Signal;
use tgsignd::ledger::DirectoryLock;

use crate::kit::Stage;

const SIGN: &str = "schedule = '@yearly'\nchat = '@quick_bot'\nsteps = [{ send = '/sign' }]";
const SILENT: &str = "schedule = '@yearly'\nchat = '@silent_bot'\nsteps = [{ send = '/sign' }]\ntimeout = '1m'";

#[tokio::test]
async fn a_second_daemon_is_told_who_the_first_one_is() {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    let holder = format!("held by process {}", daemon.id().as_raw_nonzero());
    stage.tgsignd(&["run"]).ends().await.fails_with(75, &[&holder, "stop that process first"]);
    assert_eq!(daemon.get("/livez").await.status, 200);
    // The first one's socket is still there, and after a crash of the first one nothing is in the way.
    stage.tgsignd(&["status"]).ends().await.success();
    daemon.kill9().await;
    stage.daemon().await.stop().await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_and_the_lock_is_given_back() {
    let stage = Stage::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let settings = stage.settings();
    stage.write("tgsignd.toml", &settings.replace("127.0.0.1:0\"", &format!("{address}\"")));
    let refused = stage.tgsignd(&["run"]).ends().await;
    refused.fails_with(1, &[&format!("cannot listen on {address}"), "a second tgsignd?"]);
    drop(taken);
    stage.daemon().await.stop().await;
}

#[tokio::test]
async fn a_session_that_another_process_uses_is_not_touched() {
    let stage = Stage::new().await;
    stage.task("sign", SIGN);
    let daemon = stage.daemon().await;
    let lock = DirectoryLock::acquire(&stage.datadir().join("sessions/alice.lock")).unwrap();
    let refused = stage.tgsignd(&["once", "sign"]).ends().await;
    assert_eq!(refused.code, Some(75), "{refused:?}");
    let held = format!("held by process {}", std::process::id());
    let status = daemon.status().await;
    assert!(status.accounts["alice"].error.as_ref().is_some_and(|error| error.contains(&held)), "{status:?}");
    assert_ne!(status.accounts["alice"].authorized, Some(false), "nothing is wrong with the session");
    assert_eq!(stage.centre.accepted_connections(), 0);
    drop(lock);
    stage.tgsignd(&["once", "sign"]).ends().await.success();
    daemon.stop().await;
}

#[tokio::test]
async fn sigint_lets_a_run_end_too() {
    let stage = Stage::new().await;
    stage.task("slow", &SIGN.replace("quick", "slow"));
    let mut daemon = stage.daemon().await;
    let asked = tokio::spawn(stage.tgsignd(&["once", "slow"]).ends());
    stage.sees_message("alice", "slow").await;
    daemon.signal(Signal::INT);
    assert_eq!(daemon.exit().await.code(), Some(0), "{}", daemon.log.text());
    assert!(asked.await.unwrap().success().contains("alice: succeeded"));
}

#[tokio::test]
async fn a_run_that_outlasts_the_grace_time_is_cut_off_and_taken_up_at_the_next_start() {
    let stage = Stage::new().await;
    stage.task("silent", SILENT);
    let mut daemon = stage.daemon().await;
    tokio::spawn(stage.tgsignd(&["once", "silent"]).ends());
    stage.sees_message("alice", "silent").await;
    daemon.sigterm();
    daemon.says("the grace time is over: runs are cut off").await;
    assert_eq!(daemon.exit().await.code(), Some(0), "{}", daemon.log.text());
    stage.centre.bot_says("silent", "alice", "签到成功");
    let daemon = stage.daemon().await;
    daemon.says("taking up a run that was cut off").await;
    assert_eq!(daemon.run_ended("silent").await.field("outcome"), "succeeded");
    assert_eq!(stage.sent("alice", "silent"), ["/sign"]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_daemon_that_waits_for_its_backup_ends_at_once() {
    let stage = Stage::new().await;
    // Nobody listens on port 1, and without the server nobody knows whether another host signs in.
    stage.write("tgsignd.toml", &format!("{}[backup]\nurl = 'http://127.0.0.1:1/'\n", stage.settings()));
    let invocation = stage.tgsignd(&["run"]).variable("TG_SIGNER_BACKUP_ENCRYPTION_KEY", "k".repeat(40));
    let mut daemon = stage.spawn(invocation);
    daemon.line(|line| ["WARN", "ERROR"].contains(&line.field("level")) && line.text.contains("127.0.0.1:1")).await;
    daemon.sigterm();
    daemon.says("stopped before it began").await;
    assert_eq!(daemon.exit().await.code(), Some(0), "{}", daemon.log.text());
}
