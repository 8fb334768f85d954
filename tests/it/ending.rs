//! Signals, and runs that were cut off: what was sent or pressed once is never sent or pressed again.

use std::time::Duration;

use telegram_sim::{Event, Fault, World};
use tgsignd::script::Outcome;

use crate::kit::{Daemon, Stage, soon};

const SILENT: &str = "schedule = '@yearly'\nchat = '@silent_bot'\nsteps = [{ send = '/sign' }]\ntimeout = '1m'";
const POINTS: &str = "schedule = '@yearly'\nchat = '@points_bot'\nsteps = [{ send = '/checkin' }, { click = '签到' }]\n\
                      timeout = '20s'";

/// A daemon in the middle of a run by hand: the message is there, and no answer.
async fn in_the_middle_of(stage: &Stage, task: &str, bot: &str) -> Daemon {
    let daemon = stage.daemon().await;
    tokio::spawn(stage.tgsignd(&["once", task]).ends());
    stage.sees_message("alice", bot).await;
    daemon
}

#[tokio::test]
async fn sigterm_lets_a_run_end_and_tells_whoever_waits_for_it() {
    let stage = Stage::new().await;
    stage.task("slow", "schedule = '@yearly'\nchat = '@slow_bot'\nsteps = [{ send = '/sign' }]");
    let mut daemon = stage.daemon().await;
    let asked = tokio::spawn(stage.tgsignd(&["once", "slow"]).ends());
    stage.sees_message("alice", "slow").await;
    daemon.sigterm();
    daemon.says("SIGTERM").await;
    let refused = stage.tgsignd(&["once", "slow"]).ends().await;
    refused.fails_with(75, &["the daemon is stopping"]);
    assert_eq!(daemon.exit().await.code(), Some(0), "{}", daemon.log.text());
    assert_eq!(daemon.run_ended("slow").await.field("outcome"), "succeeded");
    assert!(asked.await.unwrap().success().contains("alice: succeeded"));
    assert_eq!(stage.sent("alice", "slow"), ["/sign"]);
    assert!(!stage.datadir().join("state/control.sock").exists());
}

#[tokio::test]
async fn a_second_signal_ends_at_once_and_the_run_is_taken_up_at_the_next_start() {
    let stage = Stage::new().await;
    stage.task("silent", SILENT);
    let mut daemon = in_the_middle_of(&stage, "silent", "silent").await;
    daemon.sigterm();
    daemon.says("SIGTERM").await;
    daemon.sigterm();
    daemon.says("second signal").await;
    assert_eq!(daemon.exit().await.code(), Some(0), "{}", daemon.log.text());
    assert_eq!(stage.runs().await, []);

    let daemon = stage.daemon().await;
    daemon.says("taking up a run that was cut off").await;
    stage.centre.bot_says("silent", "alice", "签到成功");
    assert_eq!(daemon.run_ended("silent").await.field("outcome"), "succeeded");
    assert_eq!(stage.sent("alice", "silent"), ["/sign"]);
    daemon.stop().await;
}

#[tokio::test]
async fn after_kill_9_the_chat_tells_how_the_run_went() {
    let stage = Stage::new().await;
    stage.task("silent", SILENT);
    in_the_middle_of(&stage, "silent", "silent").await.kill9().await;
    stage.centre.bot_says("silent", "alice", "签到成功");

    let daemon = stage.daemon().await;
    assert_eq!(daemon.run_ended("silent").await.field("outcome"), "succeeded");
    daemon.stop().await;
    assert_eq!(stage.sent("alice", "silent"), ["/sign"]);
    let runs = stage.runs().await;
    assert_eq!((runs.len(), runs[0].outcome), (1, Outcome::Succeeded));
}

#[tokio::test]
async fn a_message_whose_answer_a_crash_lost_is_found_and_not_sent_again() {
    let stage = Stage::new().await;
    stage.task("silent", SILENT);
    stage.centre.inject("messages.sendMessage", Fault::Delay(Duration::from_mins(5)));
    in_the_middle_of(&stage, "silent", "silent").await.kill9().await;

    let daemon = stage.daemon().await;
    daemon.says("taking up a run that was cut off").await;
    stage.sees_call("messages.getHistory").await;
    stage.centre.bot_says("silent", "alice", "签到成功");
    assert_eq!(daemon.run_ended("silent").await.field("outcome"), "succeeded");
    assert_eq!(stage.sent("alice", "silent"), ["/sign"]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_message_that_was_found_after_a_crash_is_known_after_the_next_one() {
    let world = "[accounts.alice]\nphone = \"+10000000001\"\nuser_id = 1001\nsigned_in = true\n\
        [bots.keeper]\nusername = \"keeper_bot\"\n[[bots.keeper.on]]\ntext = \"/qd\"\nsend = { text = \"签到成功\", reply = true }\n\
        [groups.club]\nkind = \"supergroup\"\nusername = \"some_club\"\nmembers = [\"alice\"]\nbots = [\"keeper\"]\n";
    let stage = Stage::of(World::from_toml(world).unwrap()).await;
    stage.sign_in("alice", 1001);
    let steps = "steps = [{ send = '/qd' }, { expect = '成功' }, { delete = true }, { leave = true }]\ntimeout = '20s'";
    stage.task("club", &format!("schedule = '@yearly'\nchat = '@some_club'\n{steps}"));
    stage.centre.inject("messages.sendMessage", Fault::Delay(Duration::from_mins(5)));
    in_the_middle_of(&stage, "club", "club").await.kill9().await;

    stage.centre.inject("channels.leaveChannel", Fault::Ignore);
    let daemon = stage.daemon().await;
    stage.sees_call("channels.leaveChannel").await;
    daemon.kill9().await;

    // The message is deleted: that the bot answered it, only the journal knows.
    let daemon = stage.daemon().await;
    let ended = daemon.run_ended("club").await;
    assert_eq!(ended.field("outcome"), "succeeded", "{}", ended.text);
    assert_eq!(stage.sent("alice", "club"), ["/qd"]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_message_that_never_left_before_the_crash_is_sent_once() {
    let stage = Stage::new().await;
    stage.task("quick", "schedule = '@yearly'\nchat = '@quick_bot'\nsteps = [{ send = '/sign' }]");
    stage.centre.inject("messages.sendMessage", Fault::Ignore);
    let daemon = stage.daemon().await;
    tokio::spawn(stage.tgsignd(&["once", "quick"]).ends());
    stage.sees_call("messages.sendMessage").await;
    daemon.kill9().await;
    assert_eq!(stage.sent("alice", "quick"), [""; 0]);

    let daemon = stage.daemon().await;
    assert_eq!(daemon.run_ended("quick").await.field("outcome"), "succeeded");
    assert_eq!(stage.sent("alice", "quick"), ["/sign"]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_message_of_the_attempt_before_is_not_taken_for_the_one_that_never_left() {
    let stage = Stage::new().await;
    let retry = "missed = { policy = 'run-once', within = '1h' }\nretry = { attempts = 2, delay = '1s' }\n[tasks.silent.outcome]\nfailure = ['失败']";
    stage.task("silent", &format!("{}\n{retry}", SILENT.replace("@yearly", &soon())));
    let daemon = stage.daemon().await;
    stage.sees_message("alice", "silent").await;
    // The second attempt begins within the time by which clocks may differ.
    stage.centre.inject("messages.sendMessage", Fault::Ignore);
    stage.centre.bot_says("silent", "alice", "失败");
    assert_eq!(daemon.run_ended("silent").await.field("outcome"), "failed");
    let calls = |event: &Event| matches!(event, Event::Call { method } if **method == *"messages.sendMessage");
    stage.centre.wait_for(|log| log.iter().filter(|entry| calls(&entry.event)).count() == 2).await;
    daemon.kill9().await;
    assert_eq!(stage.sent("alice", "silent"), ["/sign"]);

    let daemon = stage.daemon().await;
    stage.centre.wait_for(|log| log.iter().filter(|entry| calls(&entry.event)).count() == 3).await;
    stage.centre.bot_says("silent", "alice", "签到成功");
    assert_eq!(daemon.run_ended("silent").await.field("outcome"), "succeeded");
    assert_eq!(stage.sent("alice", "silent"), ["/sign", "/sign"]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_button_that_a_crash_may_have_pressed_is_not_pressed_again() {
    let stage = Stage::new().await;
    stage.task("points", POINTS);
    stage.centre.inject("messages.getBotCallbackAnswer", Fault::Delay(Duration::from_mins(5)));
    let daemon = stage.daemon().await;
    tokio::spawn(stage.tgsignd(&["once", "points"]).ends());
    stage.sees_call("messages.getBotCallbackAnswer").await;
    daemon.kill9().await;

    // The bot wrote its answer into the chat too, and that is found.
    let daemon = stage.daemon().await;
    assert_eq!(daemon.run_ended("points").await.field("outcome"), "succeeded");
    assert_eq!(stage.sent("alice", "points"), ["/checkin"]);
    assert_eq!(stage.pressed("alice", "points"), ["checkin"]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_button_that_left_no_trace_ends_unknown_and_is_not_pressed_again() {
    let stage = Stage::new().await;
    stage.task("shy", &POINTS.replace("points_bot", "shy_bot").replace("20s", "4s"));
    stage.centre.inject("messages.getBotCallbackAnswer", Fault::Delay(Duration::from_mins(5)));
    let daemon = stage.daemon().await;
    tokio::spawn(stage.tgsignd(&["once", "shy"]).ends());
    stage.sees_call("messages.getBotCallbackAnswer").await;
    daemon.kill9().await;

    let daemon = stage.daemon().await;
    let outcome = daemon.run_ended("shy").await.field("outcome").to_owned();
    assert!(["unknown", "interrupted"].contains(&outcome.as_str()), "{outcome}");
    assert_eq!(stage.sent("alice", "shy"), ["/checkin"]);
    assert_eq!(stage.pressed("alice", "shy"), ["checkin"]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_history_that_cannot_be_read_after_a_crash_is_no_reason_to_send_again() {
    let stage = Stage::new().await;
    let retry = "retry = { attempts = 3, delay = '1s', on = ['failed'] }";
    stage.task("silent", &format!("{}\n{retry}", SILENT.replace("@yearly", &crate::kit::soon())));
    let daemon = stage.daemon().await;
    stage.sees_message("alice", "silent").await;
    daemon.kill9().await;

    for _ in 0..20 {
        stage.centre.inject("messages.getHistory", Fault::error(500, "INTERNAL"));
    }
    let daemon = stage.daemon().await;
    let ended = daemon.run_ended("silent").await;
    assert_eq!(ended.field("outcome"), "unknown", "{}", ended.text);
    assert!(!ended.field("again_at").is_empty(), "the history is read again later: {}", ended.text);
    assert_eq!(stage.sent("alice", "silent"), ["/sign"]);
    daemon.stop().await;
}
