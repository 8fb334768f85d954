//! Slots that passed while no daemon ran.

use chrono::{TimeDelta, Utc};
use tgsignd::kernel::record::Trigger;
use tgsignd::script::Outcome;

use crate::kit::Stage;

/// Alice and a task that was planned an hour ago, and has been in force for longer.
async fn stage(missed: &str) -> Stage {
    let stage = Stage::new().await;
    let hour_ago = (Utc::now() - TimeDelta::hours(1)).format("%H:%M:%S");
    let keys = "chat = '@quick_bot'\nsteps = [{ send = '/sign' }]";
    stage.task("quick", &format!("schedule = '{hour_ago}'\nmissed = {missed}\n{keys}"));
    stage.in_force_for(TimeDelta::hours(2)).await;
    stage
}

#[tokio::test]
async fn a_missed_slot_runs_late_and_once() {
    let stage = stage("{ policy = 'run-once', within = '6h' }").await;
    let daemon = stage.daemon().await;
    assert_eq!(daemon.run_ended("quick").await.field("outcome"), "succeeded");
    daemon.stop().await;
    let again = stage.daemon().await;
    let status = again.status().await;
    assert!(status.running.is_empty() && status.tasks["quick"].counts.missed.is_empty(), "{status:#?}");
    again.stop().await;
    assert_eq!(stage.sent("alice", "quick"), ["/sign"]);
    let runs = stage.runs().await;
    assert_eq!(
        runs.iter().map(|run| (run.trigger, run.outcome)).collect::<Vec<_>>(),
        [(Trigger::Late, Outcome::Succeeded)]
    );
}

#[tokio::test]
async fn a_slot_that_is_not_made_up_for_is_recorded_and_alarmed() {
    for (missed, reason) in [("{ policy = 'skip' }", "policy"), ("{ within = '10m' }", "window_passed")] {
        let stage = stage(missed).await;
        let daemon = stage.daemon().await;
        let alarm = daemon.line(|line| line.field("alarm") == "missed").await;
        assert_eq!((alarm.field("task"), alarm.field("level")), ("quick", "ERROR"));
        daemon.status_when(|status| !status.tasks["quick"].counts.missed.is_empty()).await;
        let labels = [("task", "quick"), ("reason", reason)];
        assert_eq!(daemon.metrics().await.metric("tgsignd_schedule_missed_runs_total", &labels), Some(1.0));
        daemon.stop().await;
        let runs = stage.runs().await;
        assert_eq!(runs.iter().map(|run| run.outcome).collect::<Vec<_>>(), [Outcome::Missed], "{missed}");
        assert_eq!(stage.sent("alice", "quick"), [""; 0]);
        // It is told once.
        let again = stage.daemon().await.stop().await;
        assert!(!again.text().contains("\"missed\""), "{}", again.text());
    }
}

#[tokio::test]
async fn a_deadline_is_told_once_however_often_the_daemon_starts() {
    let stage = Stage::new().await;
    let ago = |minutes| (Utc::now() - TimeDelta::minutes(minutes)).format("%H:%M").to_string();
    let (slot, deadline) = (ago(60), ago(30));
    let task = |deadline: &str| {
        format!(
            "schedule = '{slot}'\ndeadline = '{deadline}'\nretry = {{ attempts = 3, delay = '1h' }}\n\
             chat = '@quick_bot'\nsteps = [{{ send = '/fail' }}]"
        )
    };
    stage.task("quick", &task(&deadline));
    stage.in_force_for(TimeDelta::hours(2)).await;
    let daemon = stage.daemon().await;
    let alarm = daemon.line(|line| line.field("alarm") == "deadline").await;
    assert_eq!((alarm.field("task"), alarm.field("account"), alarm.field("level")), ("quick", "alice", "ERROR"));
    assert_eq!(daemon.run_ended("quick").await.field("outcome"), "failed");
    daemon.stop().await;
    // Neither a start nor a move of the deadline is news about it.
    for deadline in [deadline, ago(20)] {
        stage.task("quick", &task(&deadline));
        let daemon = stage.daemon().await;
        daemon.status_when(|status| status.tasks.contains_key("quick")).await;
        let log = daemon.stop().await;
        assert!(!log.text().contains("\"deadline\""), "{}", log.text());
    }
}
