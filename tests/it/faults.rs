//! What can go wrong between the daemon and Telegram, judged by what the data centre received.
//!
//! | the server does | test |
//! |---|---|
//! | changed salt, `bad_msg` 16, 17, 32 and 64, new session, unknown constructor | `a_sign_in_survives_what_can_happen_to_a_message` |
//! | no answer to `get_future_salts` | `a_sign_in_survives_what_can_happen_to_a_message` |
//! | compressed answers | `compressed_answers_are_read` |
//! | `FLOOD_WAIT` up to a minute, and longer | `a_sign_in_survives…`, `a_long_flood_wait_ends_the_attempt_and_is_told` |
//! | `PHONE_MIGRATE` at the login | `a_login_follows_the_account_to_its_data_centre` |
//! | other migrations, 401, 500 | `a_call_that_is_refused_ends_the_attempt`, `a_session_that_was_ended_costs_its_account_only`, `a_sign_in_survives…` |
//! | the connection drops during a call, once and again | `a_sign_in_survives…`, `a_button_is_pressed_once_whatever_happens_to_the_answer` |
//! | transport error -429 | `a_sign_in_survives…` |
//! | transport error -404 | `a_key_that_the_data_centre_forgot_is_not_replaced`, and with a client that can exchange keys in tests/handshake |
//! | an answer for another session | `a_sign_in_survives…`, `a_button_is_pressed_once…` |
//! | no answer to a call | `a_sign_in_survives…` |
//! | accepts and never answers | `a_connection_that_never_answers_is_given_up`, `a_data_centre_that_never_answers_holds_nothing_up` |
//! | open and silent in the middle | `a_sign_in_survives…` |

use std::time::Duration;

use telegram_sim::{DataCentre, Event, Fault, Mode};
use tgsignd::kernel::status::Status;
use tokio::task::JoinSet;

use crate::kit::{Stage, soon, world};

const SEND: &str = "messages.sendMessage";
const CLICK: &str = "messages.getBotCallbackAnswer";
const HISTORY: &str = "messages.getHistory";

/// A task on one of the bots, which all know the command.
fn task(bot: &str) -> String {
    let (text, click) = match bot {
        "points" | "shy" => ("/checkin", ", { click = '签到' }"),
        _ => ("/sign", ""),
    };
    format!(
        "schedule = '@yearly'\nchat = '@{bot}_bot'\nsteps = [{{ send = '{text}' }}{click}]\ntimeout = '{timeout}'\n",
        timeout = if bot == "shy" { "4s" } else { "1m" }
    )
}

struct Row {
    what: &'static str,
    bot: &'static str,
    /// Each hits one call of its method.
    faults: Vec<(&'static str, Fault)>,
    outcome: &'static str,
    /// Messages and presses that arrived.
    arrived: (usize, usize),
}

fn row(
    what: &'static str,
    bot: &'static str,
    fault: (&'static str, Fault),
    outcome: &'static str,
    arrived: (usize, usize),
) -> Row {
    Row { what, bot, faults: vec![fault], outcome, arrived }
}

/// One run by hand under these faults.
async fn check(Row { what, bot, faults, outcome, arrived }: Row) {
    let stage = Stage::new().await;
    stage.task(bot, &task(bot));
    let daemon = stage.daemon().await;
    for (method, fault) in faults {
        stage.centre.inject(method, fault);
    }
    let ended = stage.tgsignd(&["once", bot]).ends().await;
    let log = daemon.log.text();
    assert!(ended.stdout.contains(&format!("alice: {outcome}")), "{what}: {ended:?}\n{log}");
    let seen = (stage.sent("alice", bot).len(), stage.pressed("alice", bot).len());
    assert_eq!(seen, arrived, "{what}: {ended:?}\n{log}");
    // The next run is not hurt by what happened to this one.
    stage.centre.set_mode(Mode::Normal);
    if bot == "quick" {
        let next = stage.tgsignd(&["once", bot]).ends().await;
        assert_eq!(next.code, Some(0), "after {what}: {next:?}\n{log}");
    }
    daemon.stop().await;
}

/// All rows at the same time; each has a world of its own.
async fn check_all(rows: impl IntoIterator<Item = Row>) {
    let checks: JoinSet<()> = rows.into_iter().map(check).collect();
    checks.join_all().await;
}

#[tokio::test]
async fn a_sign_in_survives_what_can_happen_to_a_message() {
    let faults = [
        ("a short flood wait is sat out", Fault::error(420, "FLOOD_WAIT_1")),
        ("the answer is lost", Fault::DropAfter),
        ("the message is lost", Fault::Drop),
        ("Telegram is unwell", Fault::error(500, "INTERNAL")),
        ("the salt changed", Fault::BadSalt),
        ("a new session is announced", Fault::NewSession),
        ("an update that nobody knows", Fault::GarbageUpdate),
        ("an answer for another session, which kills grammers' runner", Fault::WrongSession),
        ("too many connections", Fault::Transport(-429)),
        ("a slow answer", Fault::Delay(Duration::from_millis(300))),
        ("no byte comes and none goes", Fault::Freeze),
        ("no answer comes", Fault::Ignore),
        ("the message's number is too low", Fault::BadMessage(16)),
        ("the message's number is too high", Fault::BadMessage(17)),
        ("the sequence number is too low", Fault::BadMessage(32)),
        ("the container is invalid", Fault::BadMessage(64)),
    ];
    let rows = faults.map(|(what, fault)| row(what, "quick", (SEND, fault), "succeeded", (1, 0)));
    let further = [
        // While connecting, and a person waits no longer for a connection than for this answer.
        row("the salts are never told", "quick", ("get_future_salts", Fault::Ignore), "failed", (0, 0)),
        Row {
            what: "the connection drops again and again",
            bot: "quick",
            faults: vec![(SEND, Fault::DropAfter), (HISTORY, Fault::Drop), (HISTORY, Fault::Drop)],
            outcome: "succeeded",
            arrived: (1, 0),
        },
    ];
    check_all(rows.into_iter().chain(further)).await;
}

#[tokio::test]
async fn a_call_that_is_refused_ends_the_attempt() {
    let refusals = [(303, "USER_MIGRATE_4"), (303, "NETWORK_MIGRATE_4"), (403, "CHAT_WRITE_FORBIDDEN")];
    check_all(refusals.map(|(code, name)| row(name, "quick", (SEND, Fault::error(code, name)), "failed", (0, 0))))
        .await;
}

#[tokio::test]
async fn compressed_answers_are_read() {
    let stage = Stage::of(world().compress_answers(true)).await;
    stage.sign_in("alice", 1001);
    stage.task("points", &task("points"));
    let daemon = stage.daemon().await;
    stage.centre.inject(SEND, Fault::DropAfter);
    stage.tgsignd(&["once", "points"]).ends().await.success();
    assert_eq!((stage.sent("alice", "points").len(), stage.pressed("alice", "points").len()), (1, 1));
    daemon.stop().await;
}

#[tokio::test]
async fn a_login_follows_the_account_to_its_data_centre() {
    let (stage, home) = (Stage::of(world()).await, DataCentre::start(world()).await.unwrap());
    let both = format!(
        "test_data_centres = [{{ id = 2, address = '{}', key_seed = '{seed}' }}, {{ id = 4, address = '{}', key_seed = '{seed}' }}]\n",
        stage.centre.address(),
        home.address(),
        seed = home.key_seed()
    );
    stage.write("tgsignd.toml", &stage.settings().replace(&stage.centre.daemon_config(), &both));
    stage.write("accounts.toml", "[accounts.carol]\n");
    stage.task("quick", &task("quick"));
    stage.centre.inject("auth.sendCode", Fault::error(303, "PHONE_MIGRATE_4"));
    stage.tgsignd(&["login", "carol"]).typing("+10000000003\n24680\n").ends().await.success();
    let daemon = stage.daemon().await;
    stage.tgsignd(&["once", "quick"]).ends().await.success();
    let sent = |centre: &DataCentre| {
        centre.log().iter().filter(|entry| matches!(entry.event, Event::MessageSent { .. })).count()
    };
    assert_eq!((sent(&stage.centre), sent(&home)), (0, 1), "{}", daemon.log.text());
    daemon.stop().await;
}

#[tokio::test]
async fn a_connection_that_never_answers_is_given_up() {
    let stage = Stage::new().await;
    stage.task("quick", &task("quick").replace("@yearly", &soon()).replace("timeout = '1m'", "timeout = '2m'"));
    stage.centre.set_mode(Mode::SilentOnAccept);
    let daemon = stage.daemon().await;
    stage.centre.wait_for(|entries| !entries.is_empty()).await;
    stage.centre.set_mode(Mode::Normal);
    assert_eq!(daemon.run_ended("quick").await.field("outcome"), "succeeded");
    let told = daemon.says("cannot connect, trying again").await;
    assert!(told.field("error").contains("no answer from Telegram within 30s"), "{}", told.text);
    assert_eq!(stage.sent("alice", "quick"), ["/sign"]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_button_is_pressed_once_whatever_happens_to_the_answer() {
    check_all([
        row("the press counted and the chat tells", "points", (CLICK, Fault::DropAfter), "succeeded", (1, 1)),
        row("the press counted and nothing tells", "shy", (CLICK, Fault::DropAfter), "unknown", (1, 1)),
        row("the press may have counted", "points", (CLICK, Fault::WrongSession), "succeeded", (1, 1)),
        row("a short wait is sat out", "points", (CLICK, Fault::error(420, "FLOOD_WAIT_1")), "succeeded", (1, 1)),
    ])
    .await;
}

#[tokio::test]
async fn a_message_is_not_doubled_where_telegram_forgets_random_ids() {
    let stage = Stage::of(world().remember_random_ids(false)).await;
    stage.sign_in("alice", 1001);
    stage.task("quick", &task("quick"));
    let daemon = stage.daemon().await;
    stage.centre.inject(SEND, Fault::DropAfter);
    stage.centre.inject(HISTORY, Fault::Drop);
    stage.tgsignd(&["once", "quick"]).ends().await.success();
    assert_eq!(stage.sent("alice", "quick"), ["/sign"], "{}", daemon.log.text());
    daemon.stop().await;
}

#[tokio::test]
async fn a_duplicate_that_is_nowhere_to_be_seen_ends_unknown() {
    let duplicate = (SEND, Fault::error(500, "RANDOM_ID_DUPLICATE"));
    check(row("Telegram holds it and does not show it", "shy", duplicate, "unknown", (0, 0))).await;
}

#[tokio::test]
async fn a_long_flood_wait_ends_the_attempt_and_is_told() {
    let stage = Stage::new().await;
    stage.task("quick", &task("quick"));
    let daemon = stage.daemon().await;
    stage.centre.inject(SEND, Fault::error(420, "FLOOD_WAIT_3600"));
    let ended = stage.tgsignd(&["once", "quick"]).ends().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("alice: failed"), "{ended:?}");
    let waits = |status: &Status| status.accounts["alice"].flood_wait_until.is_some();
    let status = daemon.status_when(waits).await;
    assert_eq!(status.totals.rpc_errors, [(420, 1)].into());
    let until =
        daemon.metrics().await.metric("tgsignd_account_flood_wait_until_timestamp_seconds", &[("account", "alice")]);
    let hour = chrono::Utc::now() + chrono::TimeDelta::seconds(3601);
    #[expect(clippy::cast_precision_loss, reason = "seconds of this age are exact")]
    let hour = hour.timestamp() as f64;
    assert!(until.is_some_and(|until| until <= hour && until > hour - 90.0), "{until:?} and {hour}");
    assert_eq!(daemon.metrics().await.metric("tgsignd_telegram_rpc_errors_total", &[("code", "420")]), Some(1.0));
    assert_eq!(stage.sent("alice", "quick"), [""; 0]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_reply_that_came_while_the_connection_was_down_is_found_in_the_history() {
    let stage = Stage::new().await;
    stage.task("silent", &task("silent"));
    let daemon = stage.daemon().await;
    let asked = tokio::spawn(stage.tgsignd(&["once", "silent"]).ends());
    daemon.line(|line| line.message() == "run ordered").await;
    stage.sees_message("alice", "silent").await;
    stage.centre.set_mode(Mode::CloseOnAccept);
    stage.centre.kill_connections();
    stage.centre.bot_says("silent", "alice", "签到成功");
    stage.centre.set_mode(Mode::Normal);
    asked.await.unwrap().success();
    assert_eq!(stage.sent("alice", "silent"), ["/sign"]);
    daemon.stop().await;
}

#[tokio::test]
async fn who_is_always_connected_does_not_wait_long_to_be_so_again() {
    let stage = Stage::new().await;
    stage.write("tgsignd.toml", &stage.settings().replace("[telegram]", "[telegram]\nconnect = 'always'"));
    let daemon = stage.daemon().await;
    daemon.status_when(|status| status.accounts["alice"].connected).await;
    stage.centre.set_mode(Mode::CloseOnAccept);
    stage.centre.kill_connections();
    // With a minute between them nobody would wait here for so many.
    daemon.log.wait_for(3, |line| line.message().starts_with("cannot connect")).await;
    assert!(!daemon.status().await.accounts["alice"].connected);
    stage.centre.set_mode(Mode::Normal);
    daemon.status_when(|status| status.accounts["alice"].connected).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_session_that_was_ended_costs_its_account_only() {
    let stage = Stage::new().await;
    stage.sign_in("bob", 1002);
    stage.task("quick", &format!("{}accounts = 'all'\n", task("quick")));
    let daemon = stage.daemon().await;
    stage.tgsignd(&["once", "quick"]).ends().await.success();
    stage.centre.revoke_session("alice");
    let ended = stage.tgsignd(&["once", "quick"]).ends().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("bob: succeeded") && ended.stdout.contains("alice: failed"), "{ended:?}");
    let alarm = daemon.line(|line| line.field("alarm") == "logged_out").await;
    assert_eq!((alarm.field("account"), alarm.field("level")), ("alice", "ERROR"));
    assert!(alarm.field("reason").contains("SESSION_REVOKED"), "{alarm:?}");
    daemon.status_when(|status| status.accounts["alice"].authorized == Some(false)).await;
    let metrics = daemon.metrics().await;
    let authorized = |account| metrics.metric("tgsignd_account_authorized", &[("account", account)]);
    assert_eq!((authorized("alice"), authorized("bob")), (Some(0.0), Some(1.0)));
    assert_eq!((stage.sent("alice", "quick").len(), stage.sent("bob", "quick").len()), (1, 2));
    let log = daemon.stop().await;
    let alarms = log.lines().iter().filter(|line| line.field("alarm") == "logged_out").count();
    assert_eq!(alarms, 1, "{}", log.text());
}

#[tokio::test]
async fn a_key_that_the_data_centre_forgot_is_not_replaced() {
    let stage = Stage::new().await;
    stage.task("quick", &task("quick"));
    let daemon = stage.daemon().await;
    let before = std::fs::read(stage.session("alice")).unwrap();
    stage.centre.forget_key("alice");
    let ended = stage.tgsignd(&["once", "quick"]).ends().await;
    assert!(matches!(ended.code, Some(1 | 75)), "{ended:?}");
    assert_eq!(std::fs::read(stage.session("alice")).unwrap(), before, "{ended:?}");
    stage.centre.add_key(stage.centre.key_of("alice"), Some("alice"));
    stage.tgsignd(&["once", "quick"]).ends().await.success();
    daemon.stop().await;
}

#[tokio::test]
async fn a_data_centre_that_never_answers_holds_nothing_up() {
    let stage = Stage::new().await;
    stage.task("quick", &task("quick"));
    stage.centre.set_mode(Mode::SilentOnAccept);
    let mut daemon = stage.daemon().await;
    tokio::spawn(stage.tgsignd(&["once", "quick"]).ends());
    stage.centre.wait_for(|entries| !entries.is_empty()).await;
    assert_eq!(daemon.get("/livez").await.status, 200);
    assert_eq!(daemon.get("/readyz").await.status, 200);
    stage.task("another", &task("quick"));
    daemon.says("configuration: task another added").await;
    daemon.sigterm();
    daemon.says("SIGTERM").await;
    assert_eq!(daemon.exit().await.code(), Some(0), "{}", daemon.log.text());
    assert!(!daemon.has_said("did not close in time"), "{}", daemon.log.text());
}
