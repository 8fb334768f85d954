//! What is done, and what follows when it cannot be.

use super::*;

#[test]
fn a_popup_alone_proves_success() {
    let mut talk = Talk::new(vec![send("/start"), click("签到")]);
    talk.says(with_buttons(bot(11, "菜单"), &["退出", "✅ 签到"])).answers_click(Some(popup("签到成功 +5")));
    let verdict = talk.ends(Outcome::Succeeded);
    assert_eq!(talk.done, ["/start", "✅ 签到@11"]);
    let last = verdict.evidence.last().unwrap();
    assert_eq!((last.source, last.message_id), (EvidenceSource::Popup, Some(11)));
    assert_eq!(last.amounts[0].value, "+5");
}

#[test]
fn the_newest_keyboard_and_the_closest_label_win() {
    let mut talk = Talk::new(vec![send("/start"), Verb::Wait(Duration::from_secs(5)), click("签到")]);
    talk.says(with_buttons(bot(11, "旧"), &["签到"]));
    talk.says(with_buttons(bot(12, "新"), &["签到记录", "🎁签到"]));
    talk.says(with_buttons(bot(13, "广告"), &["加入"]));
    talk.waits();
    assert_eq!(talk.done, ["/start", "🎁签到@12"]);

    let patterns = ["领取", "签到"].map(label).to_vec();
    let mut talk = Talk::new(vec![send("/start"), Verb::Click(patterns)]);
    talk.says(with_buttons(bot(11, ""), &["签到", "领取"]));
    assert_eq!(talk.done, ["/start", "领取@11"]);
}

#[test]
fn buttons_of_reply_keyboards_are_sent_and_links_are_not_pressed() {
    let mut message = with_buttons(bot(11, "菜单"), &["签到"]);
    message.keyboard[0][0].kind = ButtonKind::Reply;
    let mut talk = Talk::new(vec![send("/start"), click("签到")]);
    let verdict = talk.says(message.clone()).says(bot(21, "签到成功")).ends(Outcome::Succeeded);
    assert_eq!(verdict.evidence.iter().filter(|evidence| evidence.source == EvidenceSource::Sent).count(), 2);
    assert_eq!(talk.done, ["/start", "签到"]);

    let link = Link { url: "https://sign.example/".to_owned(), login: None };
    for (kind, excuse) in [
        (ButtonKind::Url(link), "a link: { open = … } opens it"),
        (ButtonKind::MiniApp, "a mini app, which is never opened"),
        (ButtonKind::Vote { option: b"0".to_vec() }, "an answer of a poll: { vote = … } chooses it"),
        (ButtonKind::RequestsPassword, "asks for the password, and is never pressed"),
        (ButtonKind::Other, "cannot be pressed"),
    ] {
        message.keyboard[0][0].kind = kind;
        let mut talk = Talk::new(vec![send("/start"), click("签到")]);
        let verdict = talk.says(message.clone()).waits().ends(Outcome::Failed);
        assert!(verdict.reason.contains(&format!("'签到' ({excuse})")), "{}", verdict.reason);
    }
}

#[test]
fn a_button_that_never_appears_fails_and_says_what_was_there() {
    let mut talk = Talk::new(vec![send("/start"), click("签到"), click("确认")]);
    let verdict = talk.says(with_buttons(bot(11, "菜单"), &["退出"])).waits().ends(Outcome::Failed);
    assert_eq!(verdict.failed_step, Some(1));
    assert!(verdict.reason.contains("'签到' never appeared; seen: '退出'"), "{}", verdict.reason);
    assert_eq!(talk.done, ["/start"]);

    let mut deleted = Talk::new(vec![send("/start"), Verb::Wait(Duration::from_secs(1)), click("签到")]);
    deleted.says(with_buttons(bot(11, "菜单"), &["签到"])).input(Input::Deleted(vec![11]));
    assert!(deleted.waits().ends(Outcome::Failed).reason.contains("no buttons were seen"));
}

#[test]
fn a_button_is_not_pressed_again_before_its_message_changed() {
    let mut talk = Talk::new(vec![send("/start"), click("签到"), click("签到")]);
    talk.says(with_buttons(bot(11, "菜单"), &["签到"])).answers_click(None);
    assert_eq!(talk.done.len(), 2);
    talk.edits(edited(with_buttons(bot(11, "请确认"), &["签到"]), NOON + 3));
    assert_eq!(talk.done.len(), 3);
}

#[test]
fn refusals_fail_and_doubts_do_not() {
    let mut talk = Talk::idle(script(vec![send("/checkin")]), Place::Private { peer: BOT });
    talk.conversation.handle(talk.now, Input::Started { history: Vec::new() });
    talk.input(Input::Refused { step: 0, refusal: refusal(403, "CHAT_WRITE_FORBIDDEN") });
    assert!(talk.ends(Outcome::Failed).reason.contains("403 CHAT_WRITE_FORBIDDEN"));

    for (code, name, outcome) in [
        (400, "DATA_INVALID", Outcome::Failed),
        (400, "MESSAGE_ID_INVALID", Outcome::Failed),
        (400, "BOT_RESPONSE_TIMEOUT", Outcome::Unknown),
        (500, "INTERNAL", Outcome::Unknown),
        (-503, "Timeout", Outcome::Unknown),
    ] {
        let mut talk = Talk::new(vec![send("/start"), click("签到"), click("确认")]);
        talk.says(with_buttons(bot(11, "菜单"), &["签到"]));
        talk.input(Input::Refused { step: 1, refusal: refusal(code, name) });
        if name == "BOT_RESPONSE_TIMEOUT" {
            talk.says(with_buttons(bot(12, "?"), &["确认"])).answers_click(None);
        }
        let verdict = talk.waits().ends(outcome);
        assert_eq!(verdict.failed_step, (name != "BOT_RESPONSE_TIMEOUT").then_some(1), "{name}");
    }
    let mut lost = Talk::new(vec![send("/start"), click("签到"), click("确认")]);
    lost.says(with_buttons(bot(11, "菜单"), &["签到"])).input(Input::Lost { step: 1 });
    lost.edits(edited(with_buttons(bot(11, "签到成功"), &["确认"]), NOON + 3)).ends(Outcome::Succeeded);
    assert_eq!(lost.done, ["/start", "签到@11"]);
}

#[test]
fn a_first_send_of_unknown_fate_is_unknown_at_once() {
    let mut conversation = Conversation::new(Arc::new(script(vec![send("/checkin")])), Place::Private { peer: BOT }, 0);
    conversation.handle(Elapsed::ZERO, Input::Started { history: Vec::new() });
    let commands = conversation.handle(Elapsed::ZERO, Input::Lost { step: 0 });
    assert!(matches!(commands.as_slice(), [Command::Finish(verdict)] if verdict.outcome == Outcome::Unknown));
}

#[test]
fn an_attempt_whose_time_is_up_ends_with_what_it_knows() {
    Talk::idle(script(vec![send("a")]), Place::Group).input(Input::Expired).ends(Outcome::Failed);
    let mut talk = Talk::new(vec![send("/start"), click("签到")]);
    talk.input(Input::Expired).ends(Outcome::Unknown);
    assert_eq!(talk.input(Input::TimerFired).conversation.deadline(), None);
}

#[test]
fn a_script_may_begin_with_a_click_on_what_is_there() {
    let panel = with_buttons(bot(5, "签到成功"), &["签到"]);
    let mut talk = Talk::idle(script(vec![click("签到")]), Place::Private { peer: BOT });
    talk.input(Input::Started { history: vec![panel.clone(), bot(4, "今日已签到")] });
    assert_eq!(talk.done, ["签到@5"]);
    talk.answers_click(None);
    assert!(talk.verdict.is_none(), "what was there before proves nothing");
    talk.edits(edited(with_buttons(bot(5, "签到成功！"), &[]), NOON + 9)).ends(Outcome::Succeeded);
    assert_eq!(talk.conversation.handle(talk.now, Input::Message(bot(6, "x"))), []);
}

#[test]
fn buttons_are_described_to_the_shell() {
    let mut conversation = Conversation::new(Arc::new(script(vec![click("b")])), Place::Private { peer: BOT }, 0);
    let panel = with_buttons(bot(5, ""), &["a", "b"]);
    let commands = conversation.handle(Elapsed::ZERO, Input::Started { history: vec![panel] });
    let position = Position { row: 1, column: 0 };
    let expected = Command::Act {
        step: 0,
        act: Act::Click { message_id: 5, press: Press::Callback(b"b".to_vec()), position, label: "b".to_owned() },
        memory: Memory { known_up_to: 5, ..Memory::default() },
    };
    assert_eq!(commands, [expected]);
}

#[test]
fn buttons_are_named_by_their_place_too() {
    for (row, column, pressed) in [(1, 1, "a"), (2, 1, "b"), (-1, -1, "c"), (-2, 1, "b")] {
        let mut talk = Talk::new(vec![send("/start"), Verb::Click(vec![Target::At(Cell { row, column })])]);
        talk.says(with_buttons(bot(11, "选一个"), &["a", "b", "c"]));
        assert_eq!(talk.done, ["/start".to_owned(), format!("{pressed}@11")]);
    }
    let mut talk = Talk::new(vec![send("/start"), Verb::Click(vec![Target::At(Cell { row: 1, column: 2 })])]);
    let verdict = talk.says(with_buttons(bot(11, "选一个"), &["a"])).waits().ends(Outcome::Failed);
    assert!(verdict.reason.contains("'row 1, column 2' never appeared; seen: 'a'"), "{}", verdict.reason);
}

fn page() -> Page {
    Page { hosts: vec!["sign.example".parse().unwrap()], authorise: true }
}

#[test]
fn a_page_is_opened_once_and_its_bot_decides() {
    let link = Link { url: "https://sign.example/".to_owned(), login: Some(3) };
    let mut panel = with_buttons(bot(11, "面板"), &["签到"]);
    let mut talk = Talk::new(vec![send("/start"), Verb::Open(vec![label("签到")], page())]);
    talk.says(panel.clone());
    assert_eq!(talk.done, ["/start"], "a button without a page is not opened");
    panel.keyboard[0][0].kind = ButtonKind::Url(link.clone());
    let commands = talk.conversation.handle(talk.now, Input::Edited(edited(panel, NOON + 2)));
    let Some(Command::Act { step: 1, act: Act::Click { press, .. }, .. }) = commands.first() else {
        panic!("{commands:?}")
    };
    assert_eq!(*press, Press::Open(link, page()));
    talk.answers_click(None);
    talk.says(bot(12, "签到成功")).ends(Outcome::Succeeded);
}

#[test]
fn what_was_not_done_fails_and_what_may_have_been_done_is_unknown() {
    for (input, outcome) in [
        (Input::NotDone { step: 1, reason: "the page answered 404".to_owned() }, Outcome::Failed),
        (Input::Lost { step: 1 }, Outcome::Unknown),
    ] {
        let mut panel = with_buttons(bot(11, "面板"), &["签到"]);
        panel.keyboard[0][0].kind = ButtonKind::Url(Link { url: "https://sign.example/".to_owned(), login: None });
        let mut talk = Talk::new(vec![send("/start"), Verb::Open(vec![label("签到")], page())]);
        talk.says(panel).input(input).waits().ends(outcome);
    }
}

#[test]
fn polls_are_voted_in_and_messages_forwarded() {
    let mut poll = with_buttons(bot(5, "今天签到吗"), &["不", "签到"]);
    for row in &mut poll.keyboard {
        row[0].kind = ButtonKind::Vote { option: row[0].text.as_bytes().to_vec() };
    }
    let channel = ChatMessage { from: Sender::Channel, ..poll };
    let vote = Verb::Vote(vec![label("签到")]);
    let mut talk = Talk::idle(script(vec![vote]), Place::Channel);
    talk.input(Input::Started { history: vec![channel] });
    assert_eq!(talk.done, ["签到@5"]);

    let forward = |from| Verb::Forward { pattern: Pattern::parse("凭证").unwrap(), from };
    let mut talk = Talk::new(vec![send("/start"), forward(None)]);
    talk.says(bot(11, "你好")).says(bot(12, "凭证 42")).says(bot(21, "签到成功")).ends(Outcome::Succeeded);
    assert_eq!(talk.done, ["/start", "(forwards message 12)"]);
    let mut talk = Talk::new(vec![forward(Some(ChatRef::Username("news".to_owned())))]);
    talk.says(bot(11, "签到成功")).ends(Outcome::Succeeded);
    assert_eq!(talk.done, ["(forwards '凭证' from @news)"]);
}

#[test]
fn what_cannot_be_done_is_done_otherwise() {
    let parts = || {
        let click = Part { instead: vec![part(send("/start")), part(click("签到"))], ..part(click("签到")) };
        vec![click]
    };
    let mut shown = Talk::idle(script_of(parts()), Place::Private { peer: BOT });
    shown.input(Input::Started { history: vec![with_buttons(bot(5, "面板"), &["签到"])] });
    shown.answers_click(Some(popup("签到成功"))).ends(Outcome::Succeeded);
    assert_eq!(shown.done, ["签到@5"]);
    let mut empty = Talk::of(parts());
    empty.now = empty.conversation.deadline().unwrap();
    empty.input(Input::TimerFired).says(with_buttons(bot(11, "面板"), &["签到"]));
    empty.answers_click(Some(popup("签到成功"))).ends(Outcome::Succeeded);
    assert_eq!(empty.done, ["/start", "签到@11"]);
}
