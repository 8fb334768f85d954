//! `tgsignd once`, and what every exit code means.

use std::future::Future;
use std::time::Duration;

use telegram_sim::{Event, Mode};
use tgsignd::daemon::datadir;
use tgsignd::kernel::record::Trigger;
use tgsignd::ledger::DirectoryLock;
use tgsignd::script::Outcome;

use crate::kit::{LOOK_AGAIN, Stage};

const NEVER: &str = "schedule = '@yearly'\nretry = { attempts = 1 }\n";

/// Alice, and a task for each way to end.
async fn stage() -> Stage {
    let stage = Stage::new().await;
    for (task, chat, text) in
        [("good", "quick_bot", "/sign"), ("again", "quick_bot", "/again"), ("bad", "quick_bot", "/fail")]
    {
        stage.task(task, &format!("{NEVER}chat = '@{chat}'\nsteps = [{{ send = '{text}' }}]"));
    }
    stage
}

/// Does the same with a daemon and without one, at the same time.
async fn both_ways<F: Future<Output = ()>>(check: impl Fn(Stage) -> F) {
    let (alone, through_daemon) = (stage().await, stage().await);
    let _daemon = through_daemon.daemon().await;
    tokio::join!(check(alone), check(through_daemon));
}

#[tokio::test]
async fn the_exit_code_of_once_tells_whether_the_sign_in_is_done() {
    both_ways(|stage| async move {
        for (task, code, text) in
            [("good", 0, "alice: succeeded"), ("again", 0, "alice: already_done"), ("bad", 1, "alice: failed")]
        {
            let ended = stage.tgsignd(&["once", task]).ends().await;
            assert_eq!(ended.code, Some(code), "{ended:?}");
            assert!(ended.stdout.contains(text), "{ended:?}");
            assert!(ended.stdout.contains("tgsignd logs"), "{ended:?}");
        }
        assert_eq!(stage.sent("alice", "quick"), ["/sign", "/again", "/fail"]);
        let runs = stage.runs().await;
        let outcomes: Vec<_> = runs.iter().map(|run| run.outcome).collect();
        assert_eq!(outcomes, [Outcome::Succeeded, Outcome::AlreadyDone, Outcome::Failed]);
        assert!(runs.iter().all(|run| run.trigger == Trigger::Manual), "{runs:#?}");
    })
    .await;
}

#[tokio::test]
async fn once_answers_programs_in_json() {
    both_ways(|stage| async move {
        let ended = stage.tgsignd(&["once", "good", "--format", "json"]).ends().await.success();
        let record: serde_json::Value = serde_json::from_str(&ended).unwrap();
        assert_eq!(
            (record["outcome"].as_str(), &record["unreachable"]),
            (Some("succeeded"), &false.into()),
            "{record}"
        );
    })
    .await;
}

#[tokio::test]
async fn what_does_not_exist_is_wrong_usage() {
    both_ways(|stage| async move {
        let unknown_task = stage.tgsignd(&["once", "goood"]).ends().await;
        unknown_task.fails_with(2, &["there is no task goood"]);
        let unknown_account = stage.tgsignd(&["once", "good", "--account", "bob"]).ends().await;
        unknown_account.fails_with(2, &["task good does not run on account bob"]);
        stage.tgsignd(&["status", "goood"]).ends().await.fails_with(2, &["there is no task goood"]);
        stage.tgsignd(&["login", "bob"]).ends().await.fails_with(2, &["there is no account bob", "alice"]);
        stage.tgsignd(&["once"]).ends().await.fails_with(2, &["Usage"]);
        stage.tgsignd(&["onec"]).ends().await.fails_with(2, &["once"]);
        let no_run = stage.tgsignd(&["logs", "00000000-none"]).ends().await;
        assert!(matches!(no_run.code, Some(1 | 2)), "{no_run:?}");
        assert_eq!(stage.sent("alice", "quick"), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_missing_names_the_command_that_makes_one() {
    both_ways(|stage| async move {
        std::fs::remove_file(stage.session("alice")).unwrap();
        let ended = stage.tgsignd(&["once", "good"]).ends().await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(format!("{}{}", ended.stdout, ended.stderr).contains("run `tgsignd login alice`"), "{ended:?}");
    })
    .await;
}

#[tokio::test]
async fn a_data_directory_that_is_held_is_for_later_and_names_its_holder() {
    let stage = stage().await;
    datadir::prepare(&stage.datadir()).unwrap();
    let lock = DirectoryLock::acquire(&datadir::lock_file(&stage.datadir())).unwrap();
    let holder = format!("process {}", std::process::id());
    for arguments in [&["once", "good"][..], &["run"], &["logs"]] {
        stage.tgsignd(arguments).ends().await.fails_with(75, &[&holder, "stop that process first"]);
    }
    stage.tgsignd(&["status"]).ends().await.fails_with(75, &[&holder, "does not answer"]);
    drop(lock);
    stage.tgsignd(&["once", "good"]).ends().await.success();
}

#[tokio::test]
async fn a_network_that_is_down_is_for_later() {
    both_ways(|stage| async move {
        stage.centre.set_mode(Mode::CloseOnAccept);
        let ended = stage.tgsignd(&["once", "good"]).ends().await;
        assert_eq!(ended.code, Some(75), "{ended:?}");
        assert!(ended.stdout.contains("no connection to Telegram"), "{ended:?}");
    })
    .await;
}

#[tokio::test]
async fn a_broken_workdir_is_told_by_every_command_with_its_position() {
    let stage = stage().await;
    stage.write("broken.toml", "[tasks.broken]\nschedule = '06:00'\nchat = 5x\n");
    let commands: [&[&str]; 7] =
        [&["check"], &["run"], &["run", "--strict"], &["once", "good"], &["plan"], &["status"], &["login", "alice"]];
    for arguments in commands {
        stage.tgsignd(arguments).ends().await.fails_with(78, &["broken.toml:3:"]);
    }
    let missing = stage.tgsignd(&["check"]).arguments(["--workdir", "/nowhere"]);
    assert_eq!(missing.ends().await.code, Some(2), "an argument twice is wrong usage");
    let accepted = stage.centre.log().iter().filter(|entry| entry.event == Event::Connected).count();
    assert_eq!(accepted, 0);
}

#[tokio::test]
async fn a_task_cannot_be_asked_for_twice_at_the_same_time() {
    let stage = stage().await;
    stage.task("silent", &format!("{NEVER}chat = '@silent_bot'\nsteps = [{{ send = '/sign' }}]\ntimeout = '1m'"));
    let daemon = stage.daemon().await;
    let first = stage.tgsignd(&["once", "silent"]);
    let first = tokio::spawn(first.ends());
    stage.sees_message("alice", "silent").await;
    let second = stage.tgsignd(&["once", "silent"]).ends().await;
    second.fails_with(75, &["task silent is running on account alice at this moment"]);
    stage.centre.bot_says("silent", "alice", "签到成功");
    let ended = tokio::time::timeout(Duration::from_mins(1), first).await.unwrap().unwrap();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(stage.sent("alice", "silent"), ["/sign"]);
    drop(daemon);
}

#[tokio::test]
async fn a_dry_run_finds_everything_and_sends_nothing() {
    both_ways(|stage| async move {
        stage.task(
            "long",
            &format!(
                "{NEVER}chat = '@quick_bot'\nsteps = [{{ send = ['/sign', '/checkin'] }}, {{ click = '签到', optional = true }}, \
                 {{ expect = '积分', within = \"5s\" }}]"
            ),
        );
        let text = loop {
            // The daemon may not have read the new file yet.
            let ended = stage.tgsignd(&["once", "long", "--dry-run"]).ends().await;
            if ended.code == Some(0) {
                break ended.success();
            }
            ended.fails_with(2, &["there is no task"]);
            tokio::time::sleep(LOOK_AGAIN).await;
        };
        for line in [
            "alice (user 1001) in @quick_bot (a bot, id 50000000",
            "1. send /sign or /checkin\n",
            "2. click 签到; the script goes on without it\n",
            "3. expect 积分, for at most 5s\n",
            "nothing was sent",
        ] {
            assert!(text.contains(line), "{line:?} is missing: {text}");
        }
        let json = stage.tgsignd(&["once", "good", "--dry-run", "--format", "json"]).ends().await.success();
        let rehearsal: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((rehearsal["found"].as_str(), rehearsal["user_id"].as_i64()), (Some("a bot"), Some(1001)));
        assert_eq!(stage.sent("alice", "quick"), [""; 0]);
        assert!(stage.runs().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_says_what_is_wrong() {
    both_ways(|stage| async move {
        stage.tgsignd(&["once", "bad", "--dry-run", "--account", "bob"]).ends().await.fails_with(2, &["bob"]);
        let nobody = stage.tgsignd(&["once", "nobody", "--dry-run"]).ends().await;
        nobody.fails_with(2, &["there is no task nobody"]);
    })
    .await;
    let stage = stage().await;
    stage.task("lost", &format!("{NEVER}chat = '@no_such_bot'\nsteps = [{{ send = 'x' }}]"));
    let lost = stage.tgsignd(&["once", "lost", "--dry-run"]).ends().await;
    lost.fails_with(1, &["there is no user, bot, group or channel @no_such_bot"]);
}
