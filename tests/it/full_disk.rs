//! A disk without space: nothing is lost, the cause is named, and it goes on when there is space again.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{TimeDelta, Utc};
use tgsignd::script::Outcome;

use crate::kit::{LOOK_AGAIN, Stage, tool};

/// A small file system on a folder; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: &Path) -> Option<Self> {
        let mount = tool("mount")?;
        let options = ["-t", "tmpfs", "-o", "size=2m,mode=0700", "tgsignd-test"];
        let mounted = Command::new(mount).args(options).arg(folder).status().unwrap();
        if !mounted.success() {
            crate::kit::tools::missing("right to mount");
            return None;
        }
        Some(Self(folder.to_owned()))
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        let mut filler = File::create(self.0.join("filler")).unwrap();
        let error = loop {
            if let Err(error) = filler.write_all(&[0; 512]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, because a process may still be there when a test fails.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Grows the write-ahead log until the disk is full for it too: its own file may have room that was used before.
async fn is_refused(daemon: &crate::kit::Daemon) {
    let refused = daemon.line(|line| line.message() == "the ledger refused").await;
    assert!(refused.field("error").contains("state.db: no space left"), "{}", refused.text);
    assert!(refused.field("error").contains("free some space, nothing was lost"), "{}", refused.text);
    daemon.status_when(|status| status.ledger.error.is_some()).await;
    assert!(daemon.metrics().await.metric("tgsignd_db_errors_total", &[]).is_some_and(|errors| errors > 0.0));
    let health = daemon.get("/healthz").await;
    assert!(health.body.contains("ledger") && health.body.contains("the last call failed"), "{health:?}");
    assert_eq!(daemon.get("/readyz").await.status, 503);
    assert_eq!(daemon.get("/livez").await.status, 200);
}

#[tokio::test]
async fn slots_wait_for_space_and_none_is_lost() {
    let stage = Stage::new().await;
    let at = (Utc::now() + TimeDelta::seconds(6)).format("%H:%M:%S");
    let Some(disk) = SmallDisk::mount(&stage.datadir()) else { return };
    stage.sign_in("alice", 1001);
    stage.sign_in("bob", 1002);
    let keys =
        "accounts = 'all'\nstagger = '0s'\nchat = '@points_bot'\nsteps = [{ send = '/checkin' }, { click = '签到' }]";
    stage.task("points", &format!("schedule = '{at}'\n{keys}"));
    let daemon = stage.daemon().await;
    disk.fill();
    is_refused(&daemon).await;
    assert_eq!(stage.sent("alice", "points").len() + stage.sent("bob", "points").len(), 0, "no claim, no message");
    disk.free();
    for line in daemon.runs_ended("points", 2).await {
        assert_eq!(line.field("outcome"), "succeeded", "{}", line.text);
    }
    daemon.status_when(|status| status.ledger.error.is_none() && status.running.is_empty()).await;
    while daemon.get("/readyz").await.status != 200 {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    daemon.stop().await;
    for account in ["alice", "bob"] {
        assert_eq!(stage.sent(account, "points"), ["/checkin"]);
        assert_eq!(stage.pressed(account, "points"), ["checkin"]);
    }
    let runs = stage.runs().await;
    assert_eq!(runs.iter().map(|run| run.outcome).collect::<Vec<_>>(), [Outcome::Succeeded; 2]);
}

#[tokio::test]
async fn a_run_in_the_middle_waits_for_space_too() {
    let stage = Stage::new().await;
    let Some(disk) = SmallDisk::mount(&stage.datadir()) else { return };
    stage.sign_in("alice", 1001);
    let steps = "steps = [{ send = '/sign' }, { expect = '成功' }, { send = '/again' }]";
    stage.task("quick", &format!("schedule = '@yearly'\nchat = '@quick_bot'\n{steps}"));
    stage.centre.inject("messages.sendMessage", telegram_sim::Fault::Delay(std::time::Duration::from_secs(2)));
    let daemon = stage.daemon().await;
    let asked = tokio::spawn(stage.tgsignd(&["once", "quick"]).ends());
    stage.sees_message("alice", "quick").await;
    disk.fill();
    is_refused(&daemon).await;
    disk.free();
    asked.await.unwrap().success();
    assert_eq!(stage.sent("alice", "quick"), ["/sign", "/again"]);
    daemon.stop().await;
}
