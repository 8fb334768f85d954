//! Which words decide, and when.

use super::*;

#[test]
fn words_decide() {
    for (text, outcome) in
        [("签到成功 +5 积分", Outcome::Succeeded), ("今日已签到", Outcome::AlreadyDone), ("签到失败", Outcome::Failed)]
    {
        let mut talk = Talk::new(vec![send("/checkin")]);
        let verdict = talk.says(bot(11, text)).ends(outcome);
        assert_eq!(verdict.evidence.len(), 2);
        assert_eq!(verdict.evidence[0].source, EvidenceSource::Sent);
        assert_eq!(verdict.evidence[1].text, text);
        assert!(matches!(verdict.evidence[1].rule, Some(Rule::Default(_))));
        assert!(verdict.reason.contains(text));
    }
}

#[test]
fn silence_and_other_words_are_unknown() {
    let mut talk = Talk::new(vec![send("/checkin")]);
    assert_eq!(talk.conversation.deadline(), Some(DEFAULT_WITHIN));
    assert_eq!(talk.waits().ends(Outcome::Unknown).reason, "the bot did not answer");

    let mut talk = Talk::new(vec![send("/checkin")]);
    let verdict = talk.says(bot(11, "你好")).waits().ends(Outcome::Unknown);
    assert!(verdict.reason.contains("你好") && verdict.evidence.iter().any(|evidence| evidence.text == "你好"));
    assert_eq!(verdict.evidence.iter().filter(|evidence| evidence.rule.is_some()).count(), 0);
}

#[test]
fn only_words_after_our_first_message_from_the_peer_count() {
    let stranger = ChatMessage { from: Sender::Peer { id: 8, is_bot: true }, ..bot(12, "签到成功") };
    let ours = ChatMessage { outgoing: true, ..bot(13, "签到成功") };
    let channel = ChatMessage { from: Sender::Channel, ..bot(14, "签到成功") };
    for message in [bot(9, "签到成功"), stranger, ours, channel, bot(11, "")] {
        Talk::new(vec![send("/checkin")]).says(message).waits().ends(Outcome::Unknown);
    }
    let mut before = Talk::idle(script(vec![send("/checkin")]), Place::Private { peer: BOT });
    before.says(bot(9, "签到成功")).input(Input::Started { history: vec![bot(8, "签到成功")] });
    before.waits().ends(Outcome::Unknown);
}

#[test]
fn edits_of_old_messages_count_when_later_than_ours() {
    for (date, outcome) in [
        (Some(NOON - 1), Outcome::Unknown),
        (None, Outcome::Unknown),
        (Some(NOON), Outcome::Succeeded),
        (Some(NOON + 5), Outcome::Succeeded),
    ] {
        let message = ChatMessage { edited: date, ..bot(3, "签到成功") };
        Talk::new(vec![send("/checkin")]).edits(message).waits().ends(outcome);
    }
    // An edit that was seen before our message was taken could have been made in the same second before it.
    for (date, outcome) in [(NOON, Outcome::Unknown), (NOON + 1, Outcome::Succeeded)] {
        let mut conversation =
            Conversation::new(Arc::new(script(vec![send("/checkin")])), Place::Private { peer: BOT }, 0);
        conversation.handle(Elapsed::ZERO, Input::Started { history: Vec::new() });
        conversation.handle(Elapsed::ZERO, Input::Edited(edited(bot(3, "签到成功"), date)));
        let sent = Input::Sent { step: 0, message_id: 10, date: NOON };
        let idle = Talk::idle(script(vec![send("/checkin")]), Place::Private { peer: BOT });
        let mut talk = Talk { conversation, next_own: 20, ..idle };
        talk.input(sent).waits().ends(outcome);
    }
}

#[test]
fn an_edit_of_a_message_that_is_not_the_newest_is_seen() {
    let mut talk = Talk::new(vec![send("/checkin")]);
    talk.says(bot(11, "处理中")).says(bot(12, "广告")).edits(edited(bot(11, "签到成功"), NOON + 2));
    let verdict = talk.ends(Outcome::Succeeded);
    assert_eq!(verdict.evidence.last().unwrap().source, EvidenceSource::Edit);
}

#[test]
fn an_answer_that_overtakes_the_confirmation_counts() {
    let mut conversation = Conversation::new(Arc::new(script(vec![send("/checkin")])), Place::Private { peer: BOT }, 0);
    conversation.handle(Elapsed::ZERO, Input::Started { history: Vec::new() });
    assert_eq!(conversation.handle(Elapsed::ZERO, Input::Message(bot(11, "签到成功"))), []);
    let commands = conversation.handle(Elapsed::ZERO, Input::Sent { step: 0, message_id: 10, date: NOON });
    assert!(matches!(commands.as_slice(), [Command::Finish(verdict)] if verdict.outcome == Outcome::Succeeded));
}

#[test]
fn already_ends_the_run_without_a_button() {
    let mut talk = Talk::new(vec![send("/checkin"), click("签到"), expect("积分")]);
    talk.says(with_buttons(bot(11, "今日已签到"), &["商城"])).ends(Outcome::AlreadyDone);
    // Under the button that is wanted, pressing it decides …
    let panel = with_buttons(bot(11, "今日已签到"), &["签到"]);
    let mut talk = Talk::new(vec![send("/checkin"), click("签到")]);
    talk.says(panel.clone()).answers_click(Some(popup("签到成功"))).ends(Outcome::Succeeded);
    let mut talk = Talk::new(vec![send("/checkin"), click("签到")]);
    talk.says(panel.clone()).answers_click(None).says(bot(12, "签到成功")).ends(Outcome::Succeeded);
    // … and silence or a refusal leaves what was said.
    let mut talk = Talk::new(vec![send("/checkin"), click("签到")]);
    talk.says(panel.clone()).answers_click(None).waits().ends(Outcome::AlreadyDone);
    let mut talk = Talk::new(vec![send("/checkin"), click("签到")]);
    talk.says(panel).input(Input::Refused { step: 1, refusal: refusal(400, "DATA_INVALID") });
    talk.ends(Outcome::AlreadyDone);
}

#[test]
fn success_before_the_last_action_proves_nothing() {
    let mut talk = Talk::new(vec![send("/checkin"), click("签到")]);
    talk.says(with_buttons(bot(11, "签到成功"), &["签到"])).answers_click(None).waits().ends(Outcome::Unknown);

    let mut own = script(vec![send("/checkin"), click("签到")]);
    own.rules.success = vec![Pattern::parse("积分").unwrap()];
    let mut talk = Talk::idle(own.clone(), Place::Private { peer: BOT }).started();
    talk.says(with_buttons(bot(11, "当前积分 5"), &["签到"])).answers_click(None).waits().ends(Outcome::Unknown);
    // Without the button the task's own pattern stands; a default phrase does not.
    let mut talk = Talk::idle(own, Place::Private { peer: BOT }).started();
    talk.says(bot(11, "积分 +5")).waits().ends(Outcome::Succeeded);
    Talk::new(vec![send("/checkin"), click("签到")]).says(bot(11, "签到成功")).waits().ends(Outcome::Failed);
}

#[test]
fn failures_end_the_run_early_only_by_own_pattern() {
    let verbs = || vec![send("/checkin"), expect("积分")];
    let mut talk = Talk::new(verbs());
    assert!(talk.says(bot(11, "答案错误")).verdict.is_none());
    talk.says(bot(12, "积分 +5")).ends(Outcome::Succeeded);
    Talk::new(verbs()).says(bot(11, "签到失败")).waits().ends(Outcome::Failed);

    let mut own = script(verbs());
    own.rules.failure = vec![Pattern::parse("答案错误").unwrap()];
    Talk::idle(own, Place::Private { peer: BOT }).started().says(bot(11, "答案错误")).ends(Outcome::Failed);
}

#[test]
fn a_last_expect_that_matches_succeeds_unless_its_text_says_otherwise() {
    let mut talk = Talk::new(vec![send("/checkin"), expect("/积分 \\+\\d+/"), Verb::Wait(Duration::from_secs(1))]);
    let verdict = talk.says(bot(11, "积分 +5")).waits().ends(Outcome::Succeeded);
    assert_eq!(verdict.evidence[1].rule, Some(Rule::Expect("/积分 \\+\\d+/".to_owned())));

    let expects = || Talk::new(vec![send("/checkin"), expect("签到")]);
    expects().says(bot(11, "签到失败")).ends(Outcome::Failed);
    expects().says(bot(11, "今日已签到")).ends(Outcome::AlreadyDone);
    expects().waits().ends(Outcome::Unknown);
    Talk::new(vec![expect("签到")]).says(bot(11, "签到")).waits().ends(Outcome::Unknown);
    Talk::new(vec![expect("签到")]).waits().ends(Outcome::Failed);
    // The default words are not what the task asked for.
    Talk::new(vec![send("/checkin"), expect("积分")]).says(bot(11, "签到成功")).waits().ends(Outcome::Unknown);
}

#[test]
fn expect_sees_only_what_came_after_the_action_before_it() {
    let mut talk = Talk::new(vec![send("/start"), expect("欢迎"), send("/checkin"), expect("积分")]);
    talk.says(bot(11, "欢迎，积分 3"));
    assert_eq!(talk.done, ["/start", "/checkin"]);
    talk.says(bot(12, "积分 3")); // sent before our second message, came after it
    assert!(talk.verdict.is_none());
    talk.says(bot(21, "积分 4")).ends(Outcome::Succeeded);
}

#[test]
fn delivered_is_enough_where_asked_but_words_win() {
    let delivered = || {
        let script = Script { proof: Proof::Delivered, ..script(vec![send("签到")]) };
        Talk::idle(script, Place::Group).started()
    };
    delivered().waits().ends(Outcome::Delivered);
    delivered().says(bot(11, "签到失败")).ends(Outcome::Failed);
    delivered().says(bot(11, "今日已签到")).ends(Outcome::AlreadyDone);
    delivered().input(Input::Expired).ends(Outcome::Delivered);
}

#[test]
fn in_groups_only_bots_that_speak_to_us_count() {
    let person = Sender::Peer { id: 9, is_bot: false };
    let text = "签到成功";
    let cases = [
        (bot(11, text), true),
        (ChatMessage { reply_to: Some(10), ..bot(11, text) }, true),
        (ChatMessage { reply_to: Some(5), ..bot(11, text) }, false),
        (ChatMessage { mention: Mention::Others, ..bot(11, text) }, false),
        (ChatMessage { mention: Mention::Others, reply_to: Some(10), ..bot(11, text) }, true),
        (ChatMessage { mention: Mention::Me, ..bot(11, text) }, true),
        (ChatMessage { from: person, ..bot(11, text) }, false),
        (ChatMessage { from: person, reply_to: Some(10), ..bot(11, text) }, false),
        (ChatMessage { from: Sender::Channel, ..bot(11, text) }, false),
        (ChatMessage { from: Sender::Channel, reply_to: Some(10), ..bot(11, text) }, false),
        (ChatMessage { from: Sender::AnonymousAdmin, ..bot(11, text) }, false),
        (ChatMessage { from: Sender::AnonymousAdmin, reply_to: Some(10), ..bot(11, text) }, true),
    ];
    for (message, counts) in cases {
        let outcome = if counts { Outcome::Succeeded } else { Outcome::Unknown };
        Talk::group(vec![send("签到")]).says(message.clone()).waits().ends(outcome);
        let mut talk = Talk::group(vec![send("/start"), click("签到")]);
        talk.says(with_buttons(ChatMessage { text: String::new(), ..message }, &["签到"])).waits();
        assert_eq!(talk.done.len(), if counts { 2 } else { 1 });
    }
}
