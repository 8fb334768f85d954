#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use std::time::Duration;

use super::super::message::{Media, Mention, Position, Sender};
use super::super::outcome::Outcome;
use super::super::protocol::{JournalMark, Refusal};
use super::super::step::{OutcomeRules, Proof};
use super::super::verdict::{EvidenceSource, Rule};
use super::*;

const BOT: i64 = 7;
const NOON: i64 = 1_790_000_000;

pub(super) fn send(text: &str) -> Verb {
    Verb::Send(text.to_owned())
}

pub(super) fn click(text: &str) -> Verb {
    Verb::Click(vec![Pattern::parse(text).unwrap()])
}

pub(super) fn expect(text: &str) -> Verb {
    Verb::Expect(Pattern::parse(text).unwrap())
}

pub(super) fn script(verbs: Vec<Verb>) -> Script {
    let steps = verbs.into_iter().map(|verb| Step { verb, within: None }).collect();
    Script { steps, rules: OutcomeRules::default(), proof: Proof::Bot }
}

pub(super) fn bot(id: i32, text: &str) -> ChatMessage {
    ChatMessage {
        id,
        from: Sender::Peer { id: BOT, is_bot: true },
        outgoing: false,
        date: NOON + 1,
        edited: None,
        text: text.to_owned(),
        keyboard: Vec::new(),
        media: Media::None,
        reply_to: None,
        mention: Mention::Nobody,
    }
}

pub(super) fn with_buttons(message: ChatMessage, labels: &[&str]) -> ChatMessage {
    let button = |label: &&str| Button {
        text: (*label).to_owned(),
        kind: ButtonKind::Callback { data: label.as_bytes().to_vec() },
    };
    ChatMessage { keyboard: labels.iter().map(|label| vec![button(label)]).collect(), ..message }
}

pub(super) fn edited(message: ChatMessage, date: i64) -> ChatMessage {
    ChatMessage { edited: Some(date), ..message }
}

fn popup(text: &str) -> Popup {
    Popup { text: Some(text.to_owned()), alert: true, url: None }
}

fn refusal(code: i32, name: &str) -> Refusal {
    Refusal { code, name: name.to_owned() }
}

/// A conversation with a clock; our messages get the ids 10, 20, ….
struct Talk {
    conversation: Conversation,
    now: Elapsed,
    next_own: i32,
    done: Vec<String>,
    verdict: Option<Verdict>,
}

impl Talk {
    fn idle(script: Script, place: Place) -> Self {
        let conversation = Conversation::new(Arc::new(script), place);
        Self { conversation, now: Elapsed::ZERO, next_own: 10, done: Vec::new(), verdict: None }
    }

    fn new(verbs: Vec<Verb>) -> Self {
        Self::idle(script(verbs), Place::Private { peer: BOT }).started()
    }

    fn group(verbs: Vec<Verb>) -> Self {
        Self::idle(script(verbs), Place::Group).started()
    }

    fn started(mut self) -> Self {
        self.input(Input::Started { history: Vec::new() });
        self
    }

    /// Feeds `input`; sends are accepted at once, clicks stay in flight.
    fn input(&mut self, input: Input) -> &mut Self {
        let mut commands = self.conversation.handle(self.now, input);
        while let Some(command) = commands.pop() {
            assert!(commands.is_empty(), "one command at a time");
            match command {
                Command::Send { step, text } => {
                    self.done.push(text);
                    let (message_id, date) = (self.next_own, NOON);
                    self.next_own += 10;
                    commands = self.conversation.handle(self.now, Input::Sent { step, message_id, date });
                }
                Command::Click { message_id, label, .. } => self.done.push(format!("{label}@{message_id}")),
                Command::Finish(verdict) => {
                    assert!(self.verdict.replace(verdict).is_none(), "one verdict");
                }
            }
        }
        self
    }

    fn says(&mut self, message: ChatMessage) -> &mut Self {
        self.input(Input::Message(message))
    }

    fn edits(&mut self, message: ChatMessage) -> &mut Self {
        self.input(Input::Edited(message))
    }

    fn answers_click(&mut self, popup: Option<Popup>) -> &mut Self {
        let step = self.conversation.step;
        self.input(Input::Clicked { step, popup })
    }

    fn waits(&mut self) -> &mut Self {
        while let Some(deadline) = self.conversation.deadline() {
            self.now = deadline;
            self.input(Input::TimerFired);
        }
        self
    }

    fn verdict(&self) -> &Verdict {
        self.verdict.as_ref().unwrap()
    }

    #[track_caller]
    fn ends(&self, outcome: Outcome) -> &Verdict {
        let verdict = self.verdict();
        assert_eq!(verdict.outcome, outcome, "{}", verdict.reason);
        verdict
    }
}

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
            Conversation::new(Arc::new(script(vec![send("/checkin")])), Place::Private { peer: BOT });
        conversation.handle(Elapsed::ZERO, Input::Started { history: Vec::new() });
        conversation.handle(Elapsed::ZERO, Input::Edited(edited(bot(3, "签到成功"), date)));
        let sent = Input::Sent { step: 0, message_id: 10, date: NOON };
        let mut talk = Talk { conversation, now: Elapsed::ZERO, next_own: 20, done: Vec::new(), verdict: None };
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
    let mut conversation = Conversation::new(Arc::new(script(vec![send("/checkin")])), Place::Private { peer: BOT });
    conversation.handle(Elapsed::ZERO, Input::Started { history: Vec::new() });
    assert_eq!(conversation.handle(Elapsed::ZERO, Input::Message(bot(11, "签到成功"))), []);
    let commands = conversation.handle(Elapsed::ZERO, Input::Sent { step: 0, message_id: 10, date: NOON });
    assert!(matches!(commands.as_slice(), [Command::Finish(verdict)] if verdict.outcome == Outcome::Succeeded));
}

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

    let patterns = ["领取", "签到"].map(|text| Pattern::parse(text).unwrap()).to_vec();
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

    for kind in [ButtonKind::Url, ButtonKind::RequestsPassword, ButtonKind::Other] {
        message.keyboard[0][0].kind = kind;
        let mut talk = Talk::new(vec![send("/start"), click("签到")]);
        let verdict = talk.says(message.clone()).waits().ends(Outcome::Failed);
        assert!(verdict.reason.contains("'签到' (cannot be pressed)"), "{}", verdict.reason);
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
fn already_ends_the_run_without_a_button() {
    let mut talk = Talk::new(vec![send("/checkin"), click("签到"), expect("积分")]);
    talk.says(with_buttons(bot(11, "今日已签到"), &["商城"])).ends(Outcome::AlreadyDone);
    // Under the button that is wanted, pressing it decides …
    let panel = with_buttons(bot(11, "今日已签到"), &["签到"]);
    let mut talk = Talk::new(vec![send("/checkin"), click("签到")]);
    talk.says(panel.clone()).answers_click(Some(popup("签到成功"))).ends(Outcome::Succeeded);
    // … and silence or a refusal leaves what was said.
    let mut talk = Talk::new(vec![send("/checkin"), click("签到")]);
    talk.says(panel.clone()).answers_click(None).waits().ends(Outcome::AlreadyDone);
    let mut talk = Talk::new(vec![send("/checkin"), click("签到")]);
    talk.says(panel).input(Input::ClickRefused { step: 1, refusal: refusal(400, "DATA_INVALID") });
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
fn refusals_fail_and_doubts_do_not() {
    let mut talk = Talk::idle(script(vec![send("/checkin")]), Place::Private { peer: BOT });
    talk.conversation.handle(talk.now, Input::Started { history: Vec::new() });
    talk.input(Input::SendRefused { step: 0, refusal: refusal(403, "CHAT_WRITE_FORBIDDEN") });
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
        talk.input(Input::ClickRefused { step: 1, refusal: refusal(code, name) });
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
    let mut conversation = Conversation::new(Arc::new(script(vec![send("/checkin")])), Place::Private { peer: BOT });
    conversation.handle(Elapsed::ZERO, Input::Started { history: Vec::new() });
    let commands = conversation.handle(Elapsed::ZERO, Input::Lost { step: 0 });
    assert!(matches!(commands.as_slice(), [Command::Finish(verdict)] if verdict.outcome == Outcome::Unknown));
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
fn an_attempt_whose_time_is_up_ends_with_what_it_knows() {
    Talk::idle(script(vec![send("a")]), Place::Group).input(Input::Expired).ends(Outcome::Failed);
    let mut talk = Talk::new(vec![send("/start"), click("签到")]);
    talk.input(Input::Expired).ends(Outcome::Unknown);
    assert_eq!(talk.input(Input::TimerFired).conversation.deadline(), None);
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
    let mut conversation = Conversation::new(Arc::new(script(vec![click("b")])), Place::Private { peer: BOT });
    let panel = with_buttons(bot(5, ""), &["a", "b"]);
    let commands = conversation.handle(Elapsed::ZERO, Input::Started { history: vec![panel] });
    let position = Position { row: 1, column: 0 };
    let expected = Command::Click { step: 0, message_id: 5, data: b"b".to_vec(), position, label: "b".to_owned() };
    assert_eq!(commands, [expected]);
}

pub(super) fn sent_mark(step: usize, message_id: i32) -> JournalMark {
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
    let begun = |step| JournalMark::Begun { step, date: NOON };
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
    let begun = JournalMark::Begun { step: 0, date: NOON };
    assert_eq!(found(&[], &[bot(10, "/a")]), []);
    assert_eq!(found(&[begun], &[own(12, "/b"), own(10, "/a")]), [(0, 10), (2, 12)]);
    assert_eq!(found(&[sent_mark(0, 20)], &[own(12, "/b"), own(20, "/a")]), [(0, 20)]);
    assert_eq!(found(&[], &[own(12, "/b")]), []);
}
