//! Runs from their slot to their proof.

use serde_json::Value;
use telegram_sim::{Content, World};
use tgsignd::daemon::datadir::Datadir;
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
        status.tasks["points"].accounts.get("alice").is_some_and(|pair| pair.last_success_at.is_some())
            && status.running.is_empty()
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

    daemon.stop().await;
}

#[tokio::test]
async fn a_run_that_ended_unknown_is_decided_by_what_the_bot_said_later() {
    let stage = Stage::new().await;
    let keys = "chat = '@silent_bot'\nsteps = [{ send = '/sign' }]\ntimeout = '2s'";
    stage.task("silent", &format!("schedule = '@yearly'\n{keys}"));
    let daemon = stage.daemon().await;
    let asked = stage.tgsignd(&["once", "silent"]).ends().await;
    assert_eq!(asked.code, Some(1), "{asked:?}");
    let ended = daemon.run_ended("silent").await;
    assert_eq!(ended.field("outcome"), "unknown", "{}", ended.text);
    daemon.stop().await;
    stage.centre.bot_says("silent", "alice", "签到成功");

    // The first look is planned for a minute later; the ledger is told that it is due now.
    let mut record = stage.runs().await.remove(0);
    assert_eq!(record.resume_at, Some(record.ended_at + chrono::TimeDelta::minutes(1)));
    record.resume_at = Some(record.ended_at);
    let datadir = Datadir::open(&stage.datadir()).await.unwrap();
    datadir.ledger.finish(record).await.unwrap();
    datadir.ledger.close().await.unwrap();
    drop(datadir);

    let daemon = stage.daemon().await;
    let found = daemon.says("the chat's history tells how the run ended").await;
    assert_eq!(found.field("outcome"), "succeeded", "{}", found.text);
    daemon
        .status_when(|status| {
            status.tasks["silent"].accounts.get("alice").is_some_and(|pair| pair.last_success_at.is_some())
        })
        .await;
    daemon.stop().await;
    assert_eq!(stage.sent("alice", "silent"), ["/sign"]);
    let runs = stage.runs().await;
    assert_eq!(runs.iter().map(|run| (run.outcome, run.resume_at)).collect::<Vec<_>>(), [(Outcome::Succeeded, None)]);
}

#[tokio::test]
async fn what_fails_in_one_chat_repeats_nothing_in_another() {
    let stage = Stage::new().await;
    let at = soon();
    stage.task("done", &format!("schedule = '{at}'\nchat = '@quick_bot'\nsteps = [{{ send = '/sign' }}]"));
    let keys =
        "chat = '@points_bot'\nsteps = [{ click = 'nowhere', within = '1s' }]\nretry = { attempts = 2, delay = '1s' }";
    stage.task("failing", &format!("schedule = '{at}'\n{keys}"));
    let daemon = stage.daemon().await;
    let ended = daemon.runs_ended("failing", 2).await;
    assert!(ended.iter().all(|line| line.field("outcome") == "failed"), "{ended:#?}");
    daemon.run_ended("done").await;
    daemon.stop().await;
    assert_eq!(stage.sent("alice", "quick"), ["/sign"]);
}

#[tokio::test]
async fn a_failed_run_is_tried_again_as_the_task_says() {
    let stage = Stage::new().await;
    let keys = "chat = '@quick_bot'\nsteps = [{ send = '/fail' }]\nretry = { attempts = 3, delay = '1s' }";
    stage.task("quick", &format!("schedule = '{}'\n{keys}", soon()));
    let daemon = stage.daemon().await;
    let ended = daemon.runs_ended("quick", 3).await;
    assert!(ended.iter().all(|line| line.field("outcome") == "failed"), "{ended:#?}");
    daemon.line(|line| line.field("alarm") == "failed").await;
    let log = daemon.stop().await;
    assert_eq!(stage.sent("alice", "quick"), ["/fail"; 3]);
    let attempts: Vec<_> = stage.runs().await.iter().map(|run| run.attempt).collect();
    assert_eq!(attempts, [1, 2, 3]);
    let alarms = log.lines().iter().filter(|line| line.field("alarm") == "failed").count();
    assert_eq!(alarms, 1, "{}", log.text());
}

#[tokio::test]
async fn a_slot_that_comes_while_its_task_still_runs_is_skipped_and_recorded() {
    let stage = Stage::new().await;
    let keys = "chat = '@silent_bot'\nsteps = [{ send = '/sign' }]\ntimeout = '1m'";
    stage.task("silent", &format!("schedule = '* * * * * *'\n{keys}"));
    let daemon = stage.daemon().await;
    stage.sees_message("alice", "silent").await;
    let skipped = daemon.line(|line| line.message() == "slot not run: Skipped").await;
    assert!(skipped.field("reason").contains("is still going on"), "{}", skipped.text);
    daemon.kill9().await;
    assert_eq!(stage.sent("alice", "silent"), ["/sign"]);
}

#[tokio::test]
async fn a_further_attempt_goes_on_where_the_one_before_could_not() {
    let world = "[accounts.alice]\nphone = \"+10000000001\"\nuser_id = 1001\nsigned_in = true\n\
        [bots.slow]\nusername = \"slow_bot\"\n[[bots.slow.on]]\ntext = \"/start\"\nsend = { text = \"请稍候\" }\n\
        [[bots.slow.on]]\nbutton = \"x\"\npopup = \"签到成功\"\n";
    let stage = Stage::of(World::from_toml(world).unwrap()).await;
    stage.sign_in("alice", 1001);
    let keys = "chat = '@slow_bot'\nsteps = [{ send = '/start' }, { click = '签到', within = '2s' }]\n\
        retry = { attempts = 3, delay = '1s', from = 'step' }";
    stage.task("slow", &format!("schedule = '{}'\n{keys}", soon()));
    let daemon = stage.daemon().await;
    daemon.run_ended("slow").await;
    stage.centre.bot_says("slow", "alice", Content::text("面板").buttons(&[("签到", "x")]));
    daemon.runs_ended("slow", 2).await;
    daemon.stop().await;
    assert_eq!(stage.sent("alice", "slow"), ["/start"], "what was done is not done again");
    assert_eq!(stage.pressed("alice", "slow"), ["x"]);
    let runs: Vec<_> = stage.runs().await.iter().map(|run| (run.attempt, run.outcome)).collect();
    assert_eq!(runs, [(1, Outcome::Failed), (2, Outcome::Succeeded)]);
}
