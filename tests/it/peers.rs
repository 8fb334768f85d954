//! What was seen to go wrong in tg-signer 0.9.1 (run against a fake client or a simulated data centre), and what happens here.
//!
//! | seen there | here | shown by |
//! |---|---|---|
//! | the bot never answers: recorded as signed | `unknown`, looked at again, never sent again | [`silence_is_no_sign_in`] |
//! | a step's time is up: the flow goes on with the next one, and is recorded as signed | the run ends | [`a_step_whose_time_is_up_ends_the_run`] |
//! | every send is refused (403): recorded as signed | `failed` | [`a_refused_message_is_a_failure`] |
//! | a click is refused (400): counts as clicked | `failed` | [`a_refused_click_is_a_failure`] |
//! | a click is never answered: counts as clicked | `unknown` | [`a_click_without_answer_proves_nothing`] |
//! | the connection breaks during a click | `unknown`, not pressed again | `faults::a_button_is_pressed_once_whatever_happens_to_the_answer` |
//! | the connection breaks during a send: the message is sent twice | once | `faults::a_sign_in_survives_what_can_happen_to_a_message` |
//! | an edit of a message that is not the newest is never seen | it is | [`an_edit_of_an_older_message_is_seen`] |
//! | "处理中,请稍候" is sent to the model as the question | the sum that follows is solved | [`what_is_no_question_is_not_answered`] |
//! | posts of a channel and of anonymous administrators raise an error and are dropped | an administrator's answer to us counts, a channel's post does not | [`an_anonymous_administrator_is_heard`] |
//! | any member's message is clicked or answered | nobody's but the bot's | `groups::only_a_stranger_talks_and_nothing_is_believed_or_pressed` |
//! | the popup's text is thrown away | it can prove success alone | [`a_popup_alone_proves_the_sign_in`] |
//! | a model that is down ends the process and all tasks with it | it costs one step | [`a_model_that_is_down_costs_one_step`] |
//! | an error in one chat repeats the chats before it | a task has one chat, and is tried again alone | `runs::what_fails_in_one_chat_repeats_nothing_in_another` |
//! | it runs at every start, whatever the schedule says | only slots run | `missed` |
//! | a revoked session is tried again for ever | the account stops, one alarm | `faults::a_session_that_was_ended_costs_its_account_only` |

use telegram_sim::{DataCentre, Event, Fault};
use tgsignd::kernel::record::RunRecord;
use tgsignd::script::Outcome;

use crate::flows::play_after;

const SUM: &str = "[[bots.b.on]]\ntext = \"/sum\"\nsend = { text = \"处理中,请稍候\" }\n\
    do = [{ after = \"50ms\", send = { text = \"3 + 4 = ?\" } }]\n\
    [[bots.b.on]]\ntext = \"7\"\nsend = { text = \"签到成功\" }\n";
const PANEL: &str = "[[bots.b.on]]\ntext = \"/start\"\n\
    send = { text = \"面板\", name = \"panel\", buttons = [[{ text = \"签到\", data = \"x\" }]] }\n";

/// Plays these steps against a bot with these rules.
async fn play(steps: &str, rules: &str, before: impl FnOnce(&DataCentre)) -> (RunRecord, DataCentre) {
    let task = format!("[tasks.t]\nschedule = \"06:00\"\nchat = \"@some_bot\"\nsteps = [{steps}]\n");
    let bot = format!("[options]\ncallback_timeout = \"200ms\"\n[bots.b]\nusername = \"some_bot\"\n{rules}");
    let (record, centre, _place) = play_after("t", &task, &bot, before).await;
    (record, centre)
}

fn count(centre: &DataCentre, is_it: impl Fn(&Event) -> bool) -> usize {
    centre.log().iter().filter(|entry| is_it(&entry.event)).count()
}

fn is_message(event: &Event) -> bool {
    matches!(event, Event::MessageSent { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_no_sign_in() {
    let (record, centre) = play("{ send = '/checkin' }, { expect = '成功', within = \"1s\" }", "", |_| {}).await;
    assert_eq!(record.outcome, Outcome::Unknown, "{}", record.reason);
    assert!(record.resume_at.is_some(), "the history will be read again");
    assert_eq!(count(&centre, is_message), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_time_is_up_ends_the_run() {
    let steps = "{ send = '/start' }, { click = '确认', within = \"1s\" }, { send = '/next' }";
    let (record, centre) = play(steps, PANEL, |_| {}).await;
    assert_eq!((record.outcome, record.failed_step), (Outcome::Failed, Some(1)), "{}", record.reason);
    assert!(record.reason.contains("'确认' never appeared; seen: '签到'"), "{}", record.reason);
    assert_eq!(count(&centre, is_message), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_message_is_a_failure() {
    let refuse = |centre: &DataCentre| {
        centre.inject_for("alice", "messages.sendMessage", Fault::error(403, "CHAT_WRITE_FORBIDDEN"));
    };
    let (record, _) = play("{ send = '/checkin' }", "", refuse).await;
    assert_eq!(record.outcome, Outcome::Failed);
    assert!(record.reason.contains("CHAT_WRITE_FORBIDDEN"), "{}", record.reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_click_is_a_failure() {
    let refuse = |centre: &DataCentre| {
        centre.inject_for("alice", "messages.getBotCallbackAnswer", Fault::error(400, "DATA_INVALID"));
    };
    let (record, _) = play("{ send = '/start' }, { click = '签到' }", PANEL, refuse).await;
    assert_eq!(record.outcome, Outcome::Failed);
    assert!(record.reason.contains("DATA_INVALID"), "{}", record.reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_without_answer_proves_nothing() {
    let steps = "{ send = '/start' }, { click = '签到' }, { expect = '成功', within = \"1s\" }";
    let (record, centre) = play(steps, PANEL, |_| {}).await;
    assert_eq!(record.outcome, Outcome::Unknown, "{}", record.reason);
    assert_eq!(count(&centre, |event| matches!(event, Event::Click { .. })), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_an_older_message_is_seen() {
    let rules = format!(
        "{PANEL}[[bots.b.on]]\nbutton = \"x\"\nsend = {{ text = \"广告\" }}\n\
         do = [{{ after = \"50ms\", edit = {{ name = \"panel\", text = \"签到成功\" }} }}]\n"
    );
    let (record, _) = play("{ send = '/start' }, { click = '签到' }", &rules, |_| {}).await;
    assert_eq!(record.outcome, Outcome::Succeeded, "{}", record.reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_question_is_not_answered() {
    let (record, centre) = play("{ send = '/sum' }, { solve = 'arithmetic' }", SUM, |_| {}).await;
    assert_eq!(record.outcome, Outcome::Succeeded, "{}", record.reason);
    let texts: Vec<_> = centre.messages("alice", "b").iter().map(|message| message.text().to_owned()).collect();
    assert_eq!(texts, ["/sum", "处理中,请稍候", "3 + 4 = ?", "7", "签到成功"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anonymous_administrator_is_heard() {
    let task = "[tasks.t]\nschedule = \"06:00\"\nchat = \"@some_group\"\nsteps = [{ send = '签到' }]\n";
    let world = "[bots.b]\nusername = \"some_bot\"\n[[bots.b.on]]\ntext = \"签到\"\n\
        send = { text = \"签到成功\", anonymous = true, reply = true }\n\
        [groups.g]\nkind = \"supergroup\"\nusername = \"some_group\"\nmembers = [\"alice\"]\nbots = [\"b\"]\n";
    let (record, ..) = play_after("t", task, world, |_| {}).await;
    assert_eq!(record.outcome, Outcome::Succeeded, "{}", record.reason);
    // The same words without answering us are somebody's to somebody.
    let task = task.replace("{ send = '签到' }", "{ send = '签到' }, { expect = '签到成功', within = \"1s\" }");
    let (record, ..) = play_after("t", &task, &world.replace(", reply = true", ""), |_| {}).await;
    assert_eq!(record.outcome, Outcome::Unknown, "{}", record.reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_popup_alone_proves_the_sign_in() {
    let rules = format!("{PANEL}[[bots.b.on]]\nbutton = \"x\"\npopup = \"签到成功 +5\"\n");
    let (record, _) = play("{ send = '/start' }, { click = '签到' }", &rules, |_| {}).await;
    assert_eq!(record.outcome, Outcome::Succeeded, "{}", record.reason);
    let popup = record.evidence.as_array().unwrap().last().unwrap();
    assert_eq!((popup["source"].as_str(), popup["amounts"][0]["value"].as_str()), (Some("popup"), Some("+5")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_down_costs_one_step() {
    let rules = "[[bots.b.on]]\ntext = \"/start\"\nsend = { text = \"?\", photo = { color = \"#00ff00\" } }\n\
        [[bots.b.on]]\ntext = \"/skip\"\nsend = { text = \"签到成功\" }\n";
    // The model of these tests knows only some pictures; of this one it says nothing that could be typed.
    let steps = "{ send = '/start' }, { read = 'image', length = 9, optional = true }, { send = '/skip' }";
    let (record, centre) = play(steps, rules, |_| {}).await;
    assert_eq!(record.outcome, Outcome::Succeeded, "{}", record.reason);
    assert_eq!(count(&centre, is_message), 2);
    let steps = "{ send = '/start' }, { read = 'image', length = 9 }, { send = '/skip' }";
    let (record, _) = play(steps, rules, |_| {}).await;
    assert_eq!(record.outcome, Outcome::Failed);
    assert!(record.reason.contains("none of the possible ones"), "{}", record.reason);
}
