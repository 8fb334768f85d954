//! Runs from their slot to their proof.

use serde_json::Value;
use tgsignd::script::Outcome;

use crate::kit::{Stage, soon};

#[tokio::test]
async fn a_scheduled_run_presses_the_button_and_keeps_the_proof() {
    let stage = Stage::new().await;
    let keys = "chat = '@points_bot'\nsteps = [{ send = '/checkin' }, { click = '签到' }]";
    stage.task("points", &format!("schedule = '{}'\n{keys}", soon()));
    let daemon = stage.daemon().await;
    let ended = daemon.run_ended("points").await;
    assert_eq!((ended.field("outcome"), ended.field("account")), ("succeeded", "alice"), "{}", ended.text);

    // What Telegram saw.
    assert_eq!(stage.sent("alice", "points"), ["/checkin"]);
    assert_eq!(stage.pressed("alice", "points"), ["checkin"]);

    // What the status says, to programs and to people.
    let done = |status: &tgsignd::kernel::status::Status| {
        status.tasks["points"].accounts["alice"].last_success_at.is_some() && status.running.is_empty()
    };
    daemon.status_when(done).await;
    let status = stage.tgsignd(&["status", "--format", "json"]).ends().await.success();
    let status: Value = serde_json::from_str(&status).unwrap();
    let pair = &status["tasks"]["points"]["accounts"]["alice"];
    assert_eq!((&status["daemon_running"], &status["running"]), (&true.into(), &serde_json::json!([])));
    assert_eq!(pair["last"]["outcome"], "succeeded");
    assert!(pair["last"]["evidence"].as_str().unwrap().starts_with("签到成功！获得 5 积分"), "{pair}");
    let table = stage.tgsignd(&["status"]).ends().await.success();
    assert!(table.contains("签到成功！获得 5 积分") && table.contains("is running since"), "{table}");

    // What Prometheus reads.
    let metrics = daemon.metrics().await;
    let runs = |outcome| metrics.metric("tgsignd_runs_total", &[("task", "points"), ("outcome", outcome)]);
    assert_eq!(runs("succeeded"), Some(1.0));
    for outcome in Outcome::ALL.iter().filter(|outcome| **outcome != Outcome::Succeeded) {
        assert_eq!(runs(outcome.as_str()), Some(0.0), "{outcome}");
    }
    assert_eq!(metrics.metric("tgsignd_account_authorized", &[("account", "alice")]), Some(1.0));
    assert_eq!(metrics.metric("tgsignd_runs_in_progress", &[]), Some(0.0));
    assert_eq!(metrics.metric("tgsignd_run_duration_seconds_count", &[]), Some(1.0));
    assert_eq!(metrics.metric("tgsignd_schedule_lag_seconds_count", &[]), Some(1.0));

    // What the ledger and the transcript keep.
    let runs = stage.runs().await;
    assert_eq!(runs.len(), 1, "{runs:#?}");
    assert_eq!(runs[0].outcome, Outcome::Succeeded);
    assert!(runs[0].evidence.to_string().contains("获得 5 积分"), "{}", runs[0].evidence);
    let run = runs[0].run_id.as_str();
    assert_eq!(run, ended.field("run_id"));
    assert!(stage.datadir().join("logs/runs").join(format!("{run}.jsonl")).is_file());
    let transcript = stage.tgsignd(&["logs", run]).ends().await.success();
    let told = ["we:  /checkin", "bot: 你好 Alice", "[✅ 签到] [排行榜]", "we:  press [✅ 签到]", "(popup) 签到成功"];
    let places: Vec<_> = told.iter().map(|text| transcript.find(text)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} in {transcript}");

    let log = daemon.stop().await;
    assert!(log.lines().iter().all(crate::kit::Line::is_json), "{}", log.text());
}
