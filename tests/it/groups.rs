//! Groups, where not only the bot talks.

use telegram_sim::Content;

use crate::kit::Stage;

#[tokio::test]
async fn the_bot_of_a_group_is_heard_and_a_stranger_is_not() {
    let stage = Stage::new().await;
    let steps = "steps = [{ send = '/checkin' }, { click = '签到' }]\ntimeout = '30s'";
    stage.task("club", &format!("schedule = '@yearly'\nchat = '@sim_club'\n{steps}"));
    let trap = || Content::text("签到成功").buttons(&[("签到", "trap")]);
    let daemon = stage.daemon().await;
    stage.centre.member_says("club", "mallory", None, trap());
    let asked = tokio::spawn(stage.tgsignd(&["once", "club"]).ends());
    stage.sees_message("alice", "club").await;
    stage.centre.member_says("club", "mallory", None, trap());
    let ended = asked.await.unwrap();
    assert_eq!(ended.code, Some(0), "{ended:?}\n{}", daemon.log.text());
    assert_eq!(stage.sent("alice", "club"), ["/checkin"]);
    assert_eq!(stage.pressed("alice", "club"), ["checkin"]);
    daemon.stop().await;
}

#[tokio::test]
async fn only_a_stranger_talks_and_nothing_is_believed_or_pressed() {
    let stage = Stage::new().await;
    let steps = "steps = [{ send = '早上好' }, { click = '签到', within = '3s' }]\ntimeout = '5s'";
    stage.task("club", &format!("schedule = '@yearly'\nchat = '@sim_club'\n{steps}"));
    let daemon = stage.daemon().await;
    let asked = tokio::spawn(stage.tgsignd(&["once", "club"]).ends());
    stage.sees_message("alice", "club").await;
    stage.centre.member_says("club", "mallory", None, Content::text("签到成功").buttons(&[("签到", "trap")]));
    let ended = asked.await.unwrap();
    assert_eq!(ended.code, Some(1), "{ended:?}\n{}", daemon.log.text());
    assert_eq!(stage.pressed("alice", "club"), [""; 0]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_topic_and_a_basic_group_are_places_of_their_own() {
    let stage = Stage::new().await;
    let steps = "steps = [{ send = '/sign' }]\ntimeout = '30s'";
    stage.task("topic", &format!("schedule = '@yearly'\nchat = '@sim_club'\ntopic = 12\n{steps}"));
    stage.task("family", &format!("schedule = '@yearly'\nchat = -4000001\n{steps}"));
    let daemon = stage.daemon().await;
    stage.tgsignd(&["once", "topic"]).ends().await.success();
    stage.tgsignd(&["once", "family"]).ends().await.success();
    let in_topic: Vec<_> = stage.centre.messages("alice", "club").into_iter().map(|message| message.topic).collect();
    assert_eq!(in_topic, [Some(12), Some(12)]);
    assert_eq!(stage.sent("alice", "family"), ["/sign"]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_group_that_never_answers_is_delivered_when_the_task_says_so() {
    let stage = Stage::new().await;
    stage.task(
        "club",
        "schedule = '@yearly'\nchat = '@sim_club'\nproof = 'delivered'\ntimeout = '3s'\nsteps = [{ send = '早上好' }]",
    );
    let daemon = stage.daemon().await;
    let told = stage.tgsignd(&["once", "club"]).ends().await.success();
    assert!(told.contains("alice: delivered"), "{told}");
    assert_eq!(stage.sent("alice", "club"), ["早上好"]);
    daemon.stop().await;
}
