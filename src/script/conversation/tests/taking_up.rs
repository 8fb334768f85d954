//! Runs that were cut off, and histories that tell how they ended.

use super::*;

fn sent_mark(step: usize, message_id: i32) -> JournalMark {
    JournalMark::Sent { step, message_id, date: NOON }
}

#[test]
fn a_resumed_run_goes_on_and_repeats_nothing() {
    let verbs = || vec![send("/start"), click("签到"), expect("积分")];
    let resume = |journal: Vec<JournalMark>, history: Vec<ChatMessage>| {
        let mut talk = Talk::idle(script(verbs()), Place::Private { peer: BOT });
        talk.input(Input::Resume { journal, history });
        talk
    };
    let begun = |step| {
        let message = (step == 0).then(|| Outgoing::Text { text: "/start".to_owned(), reply_to: None });
        JournalMark::Begun { step, date: NOON, message, memory: Memory::default() }
    };
    let clicked = |popup| JournalMark::Clicked { step: 1, message_id: 11, date: NOON + 2, popup };
    let panel = with_buttons(bot(11, "积分 3"), &["签到"]);
    // Nothing happened yet; a send whose fate is unknown is repeated by the shell with the same random id.
    assert_eq!(resume(vec![], vec![]).done, ["/start"]);
    assert_eq!(resume(vec![begun(0)], vec![]).done, ["/start"]);
    // The panel is in the history: press it. What is older than our message is not pressed.
    let sent = vec![begun(0), sent_mark(0, 10)];
    assert_eq!(resume(sent.clone(), vec![panel.clone()]).done, ["签到@11"]);
    assert!(resume(sent.clone(), vec![with_buttons(bot(9, ""), &["签到"])]).done.is_empty());
    // A click in flight is never repeated, but what it did may be seen.
    let mut in_flight = sent.clone();
    in_flight.push(begun(1));
    let mut talk = resume(in_flight.clone(), vec![panel.clone()]);
    talk.waits().ends(Outcome::Unknown);
    assert!(talk.done.is_empty());
    resume(in_flight, vec![edited(bot(11, "签到成功"), NOON + 5)]).ends(Outcome::Succeeded);
    // A click that was done is not repeated, and the text from before it is not expected.
    let mut done = sent;
    done.extend([begun(1), clicked(None)]);
    let mut talk = resume(done.clone(), vec![panel.clone()]);
    assert!(talk.verdict.is_none() && talk.done.is_empty());
    talk.edits(edited(bot(11, "积分 8"), NOON + 9)).ends(Outcome::Succeeded);
    done.pop();
    done.push(clicked(Some(popup("积分 +5"))));
    resume(done, vec![panel]).ends(Outcome::Succeeded);
}

#[test]
fn a_bot_may_answer_a_click_before_that_is_written_down() {
    let begun = |step| JournalMark::Begun { step, date: NOON, message: None, memory: Memory::default() };
    let clicked = JournalMark::Clicked { step: 1, message_id: 11, date: NOON + 3, popup: None };
    for answer in [edited(bot(11, "签到成功"), NOON + 1), ChatMessage { date: NOON + 1, ..bot(12, "签到成功") }]
    {
        let journal = vec![sent_mark(0, 10), begun(1), clicked.clone()];
        let mut talk = Talk::idle(script(vec![send("/start"), click("签到")]), Place::Private { peer: BOT });
        talk.input(Input::Resume { journal, history: vec![bot(11, "面板"), answer] }).ends(Outcome::Succeeded);
    }
}

#[test]
fn words_from_before_a_click_are_no_answer_to_it() {
    let message = Some(Outgoing::Text { text: "/start".to_owned(), reply_to: None });
    let begun = |step, message, known_up_to| {
        let memory = Memory { known_up_to, ..Memory::default() };
        JournalMark::Begun { step, date: NOON, message, memory }
    };
    let journal = vec![begun(0, message, 0), sent_mark(0, 10), begun(1, None, 12)];
    // All of it within one second of Telegram's clock.
    let failed = ChatMessage { date: NOON, ..bot(11, "签到失败，请重试") };
    let panel = with_buttons(ChatMessage { date: NOON, ..bot(12, "请选择") }, &["签到"]);
    for (answer, outcome) in [("签到失败", Outcome::Failed), ("签到成功", Outcome::Succeeded)] {
        let mut talk = Talk::idle(script(vec![send("/start"), click("签到")]), Place::Private { peer: BOT });
        talk.input(Input::Resume { journal: journal.clone(), history: vec![failed.clone(), panel.clone()] });
        assert!(talk.verdict.is_none(), "{:?}", talk.verdict);
        talk.says(bot(13, answer)).ends(outcome);
    }
    let mut talk = Talk::idle(script(vec![send("/start"), click("签到")]), Place::Private { peer: BOT });
    talk.input(Input::Resume { journal: journal.clone(), history: vec![failed, panel] });
    talk.waits().ends(Outcome::Unknown);
}

#[test]
fn a_journaled_click_is_not_repeated_before_its_message_changed() {
    let journal =
        || vec![sent_mark(0, 10), JournalMark::Clicked { step: 1, message_id: 11, date: NOON + 2, popup: None }];
    let panel = with_buttons(bot(11, "菜单"), &["签到", "确认"]);
    for (history, done) in [(panel.clone(), 0), (edited(panel.clone(), NOON + 1), 0), (edited(panel, NOON + 2), 1)] {
        let verbs = vec![send("/start"), click("签到"), click("/./")];
        let mut talk = Talk::idle(script(verbs), Place::Private { peer: BOT });
        talk.input(Input::Resume { journal: journal(), history: vec![history.clone()] });
        assert_eq!(talk.done.len(), done, "{history:?}");
    }
}

#[test]
fn history_decides_when_it_can() {
    let place = Place::Private { peer: BOT };
    let decide = |verbs, journal: &[JournalMark], history| {
        decide_from_history(Arc::new(script(verbs)), place, journal, history).map(|verdict| verdict.outcome)
    };
    let sent = [sent_mark(0, 10)];
    let late = edited(bot(3, "签到成功"), NOON + 1);
    for (history, outcome) in [
        (vec![bot(12, "广告"), bot(11, "签到成功")], Some(Outcome::Succeeded)),
        (vec![bot(9, "签到成功")], None),
        (vec![edited(bot(3, "签到成功"), NOON)], None),
        (vec![late], Some(Outcome::Succeeded)),
        (vec![bot(11, "今日已签到")], Some(Outcome::AlreadyDone)),
        (vec![bot(11, "签到失败")], Some(Outcome::Failed)),
        (vec![bot(11, "你好")], None),
        (vec![], None),
    ] {
        assert_eq!(decide(vec![send("/checkin")], &sent, history.clone()), outcome, "{history:?}");
    }
    let verbs = || vec![send("/checkin"), Verb::Wait(Duration::from_secs(9)), expect("积分")];
    assert_eq!(decide(verbs(), &sent, vec![bot(11, "积分 5")]), Some(Outcome::Succeeded));
    assert_eq!(decide(verbs(), &sent, vec![bot(11, "签到成功")]), None);
    let verbs = || vec![send("/checkin"), click("签到")];
    assert_eq!(decide(verbs(), &sent, vec![bot(11, "签到成功")]), None);
    assert_eq!(decide(verbs(), &[], vec![bot(11, "今日已签到")]), None, "nothing of ours is there");
}

#[test]
fn what_answers_another_run_is_no_evidence() {
    let place = Place::Private { peer: BOT };
    let own = |id, text| ChatMessage { outgoing: true, ..bot(id, text) };
    let decide = |verbs, journal: &[JournalMark], history: Vec<ChatMessage>| {
        decide_from_history(Arc::new(script(verbs)), place, journal, history).map(|verdict| verdict.outcome)
    };
    let begun = JournalMark::Begun { step: 1, date: NOON, message: None, memory: Memory::default() };
    let panel = || with_buttons(bot(11, "菜单"), &["签到"]);
    let clicked = || vec![send("/checkin"), click("签到")];
    let journal = [sent_mark(0, 10), begun.clone()];
    let told = |more: Vec<ChatMessage>| [vec![own(10, "/checkin"), panel()], more].concat();
    // The next slot of the same task, another task, a person.
    for text in ["/checkin", "/other", "你好"] {
        let history = told(vec![own(12, text), bot(13, "签到成功")]);
        assert_eq!(decide(clicked(), &journal, history), None, "{text}");
    }
    let succeeded = Some(Outcome::Succeeded);
    assert_eq!(
        decide(clicked(), &journal, told(vec![bot(12, "签到成功"), own(13, "/other"), bot(14, "签到失败")])),
        succeeded
    );
    let late = ChatMessage { reply_to: Some(10), ..bot(14, "签到成功") };
    assert_eq!(decide(clicked(), &journal, told(vec![own(12, "/other"), late])), succeeded, "it says what it answers");
    let changed = edited(bot(11, "签到成功"), NOON + 9);
    assert_eq!(decide(clicked(), &journal, vec![own(10, "/checkin"), changed, own(12, "/other")]), succeeded);

    // What the script itself may have said, although the journal was lost before that.
    let key = ChatMessage {
        keyboard: vec![vec![Button { text: "签到".to_owned(), kind: ButtonKind::Reply }]],
        ..bot(11, "菜单")
    };
    let pressed = vec![own(10, "/checkin"), key, own(12, "签到"), bot(13, "签到成功")];
    assert_eq!(decide(clicked(), &journal, pressed), succeeded);
    let arithmetic = vec![send("/checkin"), Verb::Solve, send("/end")];
    let solved = vec![own(10, "/checkin"), bot(11, "1+1=?"), own(12, "2"), own(13, "/end"), bot(14, "签到成功")];
    assert_eq!(decide(arithmetic, &journal, solved), succeeded);
    let button = vec![click("签到")];
    let begun = JournalMark::Begun { step: 0, date: NOON, message: None, memory: Memory::default() };
    let other = ChatMessage { date: NOON + 1, ..own(12, "/other") };
    assert_eq!(decide(button, &[begun], vec![other, ChatMessage { date: NOON + 2, ..bot(13, "签到成功") }]), None);
}

#[test]
fn sends_are_found_in_the_history() {
    let script = script(vec![send("/a"), click("x"), send("/b"), send("/b")]);
    let own = |id, text| ChatMessage { outgoing: true, ..bot(id, text) };
    let found = |journal: &[JournalMark], history: &[ChatMessage]| -> Vec<(usize, i32)> {
        let marks = find_sends(&script, journal, history);
        let ids = marks.into_iter().filter_map(|mark| match mark {
            JournalMark::Sent { step, message_id, .. } => Some((step, message_id)),
            _ => None,
        });
        ids.collect()
    };
    let message = Some(Outgoing::Text { text: "/a".to_owned(), reply_to: None });
    let begun = JournalMark::Begun { step: 0, date: NOON, message, memory: Memory::default() };
    assert_eq!(found(&[], &[bot(10, "/a")]), []);
    assert_eq!(found(&[begun], &[own(12, "/b"), own(10, "/a")]), [(0, 10), (2, 12)]);
    assert_eq!(found(&[sent_mark(0, 20)], &[own(12, "/b"), own(20, "/a")]), [(0, 20)]);
    assert_eq!(found(&[], &[own(12, "/b")]), []);
}

#[test]
fn after_a_restore_what_leaves_no_trace_counts_as_begun() {
    let doubted = |verbs: Vec<Verb>, journal: Vec<JournalMark>| {
        let known = journal.len();
        let marks = doubt_what_follows(&script(verbs), journal, NOON);
        marks.get(known).map(JournalMark::step)
    };
    let panel = || vec![send("/checkin"), expect("菜单"), click("签到"), send("/more")];
    assert_eq!(doubted(panel(), vec![]), None, "no message of ours is there, so nothing was done");
    assert_eq!(doubted(panel(), vec![sent_mark(0, 10)]), Some(2), "the button may have been pressed");
    assert_eq!(doubted(panel(), vec![sent_mark(0, 10), sent_mark(3, 12)]), None, "all of it was done");
    assert_eq!(doubted(vec![click("签到"), expect("成功")], vec![]), Some(0));
    let begun = JournalMark::Begun { step: 2, date: NOON, message: None, memory: Memory::default() };
    assert_eq!(doubted(panel(), vec![sent_mark(0, 10), begun]), None, "the journal says so itself");
    assert_eq!(doubted(vec![send("/a"), send("/b")], vec![sent_mark(0, 10)]), None);
}
