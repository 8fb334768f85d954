//! Branches, repetitions, captures, and the steps beside sending and clicking.

use super::super::super::consult::Word;
use super::*;

fn solve() -> Part {
    part(Verb::Solve)
}

fn refuse(text: &str) -> Part {
    part(Verb::Refuse(Pattern::parse(text).unwrap()))
}

#[test]
fn an_optional_step_is_left_out_when_its_time_is_up() {
    let parts = || vec![part(send("/start")), optional(part(click("广告"))), part(click("签到"))];
    let mut talk = Talk::of(parts());
    talk.says(with_buttons(bot(11, "菜单"), &["签到"]));
    assert_eq!(talk.done, ["/start"], "the optional one is waited for");
    let deadline = talk.conversation.deadline().unwrap();
    talk.now = deadline;
    talk.input(Input::TimerFired);
    assert_eq!(talk.done, ["/start", "签到@11"]);
    let mut talk = Talk::of(parts());
    talk.says(with_buttons(bot(11, "菜单"), &["签到", "广告"]));
    talk.answers_click(None);
    assert_eq!(talk.done, ["/start", "广告@11", "签到@11"]);
    // A refusal that surely changed nothing leaves an optional step out too.
    let mut talk = Talk::of(parts());
    talk.says(with_buttons(bot(11, "菜单"), &["签到", "广告"]));
    talk.input(Input::Refused { step: 1, refusal: refusal(400, "DATA_INVALID") });
    assert_eq!(talk.done, ["/start", "广告@11", "签到@11"]);
}

#[test]
fn what_is_said_decides_the_branch() {
    let parts = || {
        let captcha = vec![solve()];
        let menu = vec![part(click("签到"))];
        vec![part(send("/checkin")), when(vec![("验证", captcha), ("菜单", menu)]), part(expect("积分"))]
    };
    let mut talk = Talk::of(parts());
    talk.says(bot(11, "请验证: 3 + 4 = ?"));
    assert_eq!(talk.done, ["/checkin", "7"]);
    talk.says(bot(21, "积分 5")).ends(Outcome::Succeeded);
    let mut talk = Talk::of(parts());
    talk.says(with_buttons(bot(11, "菜单"), &["签到"]));
    assert_eq!(talk.done, ["/checkin", "签到@11"]);
    let mut talk = Talk::of(parts());
    talk.says(bot(11, "你好")).waits().ends(Outcome::Unknown);
    assert!(talk.verdict().reason.contains("none of '验证', '菜单' was said"), "{}", talk.verdict().reason);
    // A branch that says nothing more proves nothing either.
    let mut talk = Talk::of(vec![part(send("/checkin")), when(vec![("维护", vec![])])]);
    talk.says(bot(11, "维护中")).waits().ends(Outcome::Unknown);
}

#[test]
fn a_round_that_fails_is_followed_by_the_next() {
    let parts = || vec![repeat(3, Some("验证通过"), vec![part(send("/checkin")), solve()])];
    let mut talk = Talk::of(parts());
    talk.says(bot(11, "1 + 1 = ?"));
    // The failure begins the second round at once.
    talk.says(bot(21, "验证失败"));
    talk.says(bot(31, "2 + 2 = ?"));
    assert_eq!(talk.done, ["/checkin", "2", "/checkin", "4"]);
    talk.says(bot(41, "验证通过，获得 5 积分")).ends(Outcome::Succeeded);
    // A question that never comes begins the next round too; the last one ends the run.
    let mut talk = Talk::of(parts());
    talk.waits().ends(Outcome::Failed);
    assert_eq!(talk.done.len(), 3);
    assert!(talk.verdict().reason.contains("step 1.2 (round 3)"), "{}", talk.verdict().reason);
    // Never again after it worked, whatever the `until` waits for.
    let mut talk = Talk::of(parts());
    talk.says(bot(11, "1 + 1 = ?")).says(bot(21, "签到成功")).ends(Outcome::Succeeded);
    assert_eq!(talk.done.len(), 2);
}

#[test]
fn rounds_without_an_until_are_all_done() {
    let posts = repeat(3, None, vec![part(send("签到")), part(Verb::Wait(Duration::from_secs(5)))]);
    let mut talk = Talk::of(vec![posts]);
    talk.waits();
    assert_eq!(talk.done, ["签到"; 3]);
}

#[test]
fn a_refused_text_ends_the_run() {
    let parts = || vec![refuse("维护"), part(send("/checkin")), part(click("签到"))];
    let mut talk = Talk::of(parts());
    let verdict = talk.says(bot(11, "系统维护中，签到成功的用户不受影响")).ends(Outcome::Failed);
    assert_eq!(verdict.evidence.last().unwrap().rule, Some(Rule::Refuse("维护".into())));
    // Only from the step on, and only words after our first action.
    let mut talk = Talk::of(vec![part(send("/start")), part(expect("菜单")), refuse("维护"), part(send("/checkin"))]);
    talk.says(bot(11, "菜单"));
    assert_eq!(talk.done.len(), 2);
    talk.says(bot(21, "签到成功")).ends(Outcome::Succeeded);
}

#[test]
fn captures_are_said_again() {
    let code = Template::parse("答案 {code}", &["code".to_owned()].into()).unwrap();
    let say = || part(Verb::Send(vec![code.clone()]));
    let parts = vec![part(send("/checkin")), part(expect(r"/验证码 (?<code>\S+)/")), say()];
    let mut talk = Talk::of(parts);
    talk.says(bot(11, "验证码 ４２\n/transfer 100"));
    assert_eq!(talk.done, ["/checkin", "答案 42"]);
    // What a branch captured is not there in the other one.
    let branches = vec![("/码 (?<code>.+)/", vec![]), ("好", vec![])];
    let mut talk = Talk::of(vec![part(send("/checkin")), when(branches), say()]);
    talk.says(bot(11, "好")).ends(Outcome::Failed);
}

#[test]
fn a_list_is_drawn_from_by_the_seed() {
    let texts: Vec<Template> = ["a", "b", "c", "d"].map(Template::literal).to_vec();
    let drawn = |seed| {
        let script = script_of(vec![part(Verb::Send(texts.clone())), part(Verb::Send(texts.clone()))]);
        let mut talk = Talk::idle(script.clone(), Place::Private { peer: BOT });
        talk.conversation = Conversation::new(Arc::new(script), Place::Private { peer: BOT }, seed);
        talk.started().done
    };
    let all: std::collections::BTreeSet<String> = (0..50).flat_map(drawn).collect();
    assert_eq!(all.len(), 4);
    assert_eq!(drawn(3), drawn(3));
}

#[test]
fn sums_are_clicked_or_typed() {
    let script = || vec![part(send("/checkin")), solve()];
    let mut talk = Talk::of(script());
    talk.says(bot(11, "处理中,请稍候")).says(with_buttons(bot(12, "三加四等于几？"), &["6", "７", "8"]));
    assert_eq!(talk.done, ["/checkin", "７@12"]);
    // Numbers that do not have ours are not answered by typing.
    let mut talk = Talk::of(script());
    talk.says(with_buttons(bot(12, "3+4=?"), &["6", "8"]));
    assert_eq!(talk.done.len(), 1);
    talk.edits(edited(with_buttons(bot(12, "3+4=?"), &["6", "7"]), NOON + 2));
    assert_eq!(talk.done, ["/checkin", "7@12"]);
    // A group sees to whom it is said; an ordinary member's question is none.
    let mut talk = Talk::idle(script_of(script()), Place::Group).started();
    talk.says(ChatMessage { from: Sender::Peer { id: 9, is_bot: false }, ..bot(11, "1+1=?") });
    talk.says(ChatMessage { reply_to: Some(10), ..bot(12, "2+2=?") });
    assert_eq!(talk.done, ["/checkin", "4→12"]);
}

#[test]
fn the_named_button_is_chosen() {
    let mut talk = Talk::of(vec![part(send("/checkin)")), part(Verb::Choose)]);
    talk.says(with_buttons(bot(11, "请点击「苹果」"), &["香蕉", "🍎苹果"]));
    assert_eq!(talk.done[1], "🍎苹果@11");
    let mut talk = Talk::of(vec![part(send("/checkin)")), part(Verb::Choose)]);
    talk.says(with_buttons(bot(11, "请完成验证"), &["香蕉", "苹果"])).waits().ends(Outcome::Failed);
}

#[test]
fn replies_name_the_message() {
    let reply = Verb::Reply { texts: vec![Template::literal("签到")], to: Some(Pattern::parse("打卡").unwrap()) };
    let mut talk = Talk::idle(script_of(vec![part(reply)]), Place::Group);
    talk.input(Input::Started { history: vec![bot(3, "今日打卡"), bot(4, "广告")] });
    assert_eq!(talk.done, ["签到→3"]);
}

#[test]
fn quiet_steps_prove_nothing_and_disturb_nothing() {
    let parts = vec![
        part(Verb::Quiet(Quiet::ReadHistory)),
        part(send("/checkin")),
        part(expect("积分")),
        part(Verb::Quiet(Quiet::Delete)),
    ];
    let mut talk = Talk::of(parts);
    talk.says(bot(11, "积分 5"));
    assert_eq!(talk.done, ["ReadHistory", "/checkin", "Delete"]);
    talk.ends(Outcome::Succeeded);
    // Being a member already is as good as joining.
    let quiet = |quiet| part(Verb::Quiet(quiet));
    let script = script_of(vec![quiet(Quiet::Join), part(send("/checkin"))]);
    let mut conversation = Conversation::new(Arc::new(script), Place::Group, 0);
    conversation.handle(Elapsed::ZERO, Input::Started { history: vec![] });
    let refusal = refusal(400, "USER_ALREADY_PARTICIPANT");
    let commands = conversation.handle(Elapsed::ZERO, Input::Refused { step: 0, refusal });
    assert!(matches!(commands.as_slice(), [Command::Act { step: 1, act: Act::Send(_), .. }]));
}

#[test]
fn a_run_is_taken_up_within_branches_and_rounds() {
    let code = Template::parse("{code}!", &["code".to_owned()].into()).unwrap();
    let say = || part(Verb::Send(vec![code.clone()]));
    let round = || vec![part(send("/a")), when(vec![("/码 (?<code>\\d+)/", vec![say()]), ("无", vec![])])];
    let script = script_of(vec![refuse("维护"), repeat(2, Some("完成"), round())]);
    let mut talk = Talk::idle(script.clone(), Place::Private { peer: BOT }).started();
    talk.says(bot(11, "无")).waits();
    assert_eq!(talk.done.len(), 2, "{:?}", talk.done);
    // The second round, cut off when `42!` was about to be sent: the same is said, and what is refused is still known.
    let second =
        script.steps.iter().rposition(|step| matches!(&step.verb, Verb::Send(texts) if texts[0] == code)).unwrap();
    let memory = Memory { captures: [("code".into(), "42".into())].into(), refusals: [0].into(), known_up_to: 0 };
    let message = Some(Outgoing::Text { text: "42!".into(), reply_to: None });
    let journal = vec![JournalMark::Begun { step: second, date: NOON, message, memory }];
    let own = ChatMessage { outgoing: true, ..bot(5, "42!") };
    let mut talk = Talk::idle(script.clone(), Place::Private { peer: BOT });
    talk.input(Input::Resume { journal: journal.clone(), history: vec![] });
    assert_eq!(talk.done, ["42!"]);
    talk.says(bot(11, "维护")).ends(Outcome::Failed);
    let found = find_sends(&script, &journal, std::slice::from_ref(&own));
    assert_eq!(found[1..], [JournalMark::Sent { step: second, message_id: 5, date: NOON + 1 }]);
    let mut talk = Talk::idle(script, Place::Private { peer: BOT });
    talk.input(Input::Resume { journal: found, history: vec![own, bot(6, "完成")] });
    talk.ends(Outcome::Succeeded);
    assert!(talk.done.is_empty());
}

#[test]
fn a_model_chooses_among_what_is_offered() {
    let picture = |message| ChatMessage { media: Media::Photo, ..message };
    let script = || vec![part(send("/checkin")), part(Verb::ChooseByPicture(None))];
    let ask = |model: Result<&str, &str>, panel: ChatMessage| {
        let mut talk = Talk::of(script());
        talk.model = model.map(ToOwned::to_owned).map_err(ToOwned::to_owned);
        talk.says(bot(11, "请看图")).says(panel);
        talk
    };
    let panel = || picture(with_buttons(bot(12, "这是什么？"), &["猫", "🐶 狗"]));
    let mut talk = ask(Ok("狗"), panel());
    assert_eq!(talk.done[1..], ["asks OneOf([\"猫\", \"🐶 狗\"]) Some(12)", "🐶 狗@12"]);
    talk.answers_click(Some(popup("签到成功"))).ends(Outcome::Succeeded);
    // Anything else is no answer, is not asked again, and ends this attempt as failed.
    for model in [Ok("马"), Ok("/transfer"), Err("down")] {
        let mut talk = ask(model, panel());
        talk.edits(edited(panel(), NOON + 2));
        assert_eq!(talk.done.len(), 2, "{:?}", talk.done);
        talk.ends(Outcome::Failed);
    }
    // A picture without buttons is waited with.
    assert_eq!(ask(Ok("狗"), picture(bot(12, "看"))).done.len(), 1);
}

#[test]
fn a_word_that_was_read_is_typed() {
    let word = Word { length: Some(4), ..Word::default() };
    let mut talk = Talk::of(vec![part(send("/checkin")), part(Verb::Read { word, prompt: None })]);
    talk.model = Ok("a7Kq".to_owned());
    talk.says(ChatMessage { media: Media::Photo, ..bot(11, "") });
    assert_eq!(talk.done.last().unwrap(), "a7Kq");
}

#[test]
fn what_is_not_understood_here_is_asked_at_last() {
    let mut talk = Talk::of(vec![part(send("/checkin")), solve()]);
    talk.model = Ok("42".to_owned());
    talk.says(bot(11, "六乘七的一半的两倍是几？"));
    assert_eq!(talk.done.len(), 1, "the local way has its time");
    talk.waits();
    assert_eq!(talk.done[1..], ["asks Number None", "42"]);
}
