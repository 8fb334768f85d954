//! The shipped flows, each against its scripted bot: a real daemon's actors and ledger, a simulated data centre.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use telegram_sim::{Content, DataCentre, Event, Media, Poll, World};
use tgsignd::daemon::account::RunReply;
use tgsignd::daemon::{alone, reload};
use tgsignd::kernel::record::RunRecord;
use tgsignd::script::Outcome;
use tgsignd::telegram::data_centre::DataCentres;
use tgsignd::telegram::session::SessionFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const PATIENCE: Duration = Duration::from_mins(1);

const ALICE: &str =
    "[accounts.alice]\nphone = \"+10000000001\"\nuser_id = 1001\nfirst_name = \"Alice\"\nsigned_in = true\n";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/flows")
}

/// Runs the one task of a flow on a fresh data centre.
async fn play(name: &str) -> (RunRecord, DataCentre, tempfile::TempDir) {
    let flow = fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap();
    let bot = fs::read_to_string(folder().join(format!("{name}.bot.toml"))).unwrap();
    play_with(name, &flow, &bot).await
}

async fn play_with(name: &str, flow: &str, bot: &str) -> (RunRecord, DataCentre, tempfile::TempDir) {
    play_after(name, flow, bot, |_| {}).await
}

/// As [`play_with`], after something was said in the world.
pub(crate) async fn play_after(
    name: &str,
    flow: &str,
    bot: &str,
    before: impl FnOnce(&DataCentre),
) -> (RunRecord, DataCentre, tempfile::TempDir) {
    let centre = DataCentre::start(World::from_toml(&format!("{ALICE}{bot}")).unwrap()).await.unwrap();
    before(&centre);
    let place = tempfile::tempdir().unwrap();
    let workdir = place.path().join("workdir");
    fs::create_dir(&workdir).unwrap();
    let model = model().await;
    let settings = format!(
        "version = 1\n[ai]\n{model}\n[telegram]\n{}\n[accounts.alice]\n[defaults]\ntimezone = \"UTC\"\n",
        centre.daemon_config()
    );
    fs::write(workdir.join("tgsignd.toml"), settings).unwrap();
    fs::write(workdir.join("flow.toml"), flow).unwrap();
    let accepted = reload::read(&workdir, BTreeMap::new()).unwrap();
    assert!(accepted.warnings.is_empty(), "{name}: {:?}", accepted.warnings);
    let task = name.parse().unwrap();
    let datadir = place.path().join("data");
    let sessions = datadir.join("sessions");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&sessions).unwrap();
    let centres = DataCentres::from(&accepted.snapshot.telegram);
    SessionFile::create(SessionFile::path(&sessions, "alice"), "alice", &centres).sign_in(1001).unwrap();
    let ran = alone::once(&datadir, Arc::new(accepted.snapshot), &task, None);
    let mut replies = tokio::time::timeout(PATIENCE, ran).await.unwrap().unwrap();
    let (_, reply) = replies.pop().unwrap();
    let RunReply::Ended(ended) = reply else { panic!("{name}: {reply:?}") };
    (ended.record, centre, place)
}

/// A server that has seen every picture of these flows; what it is not asked about, it does not know. Its settings.
async fn model() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            let mut buffer = vec![0; 65536];
            while !request.ends_with(b"\"model\":\"seer\"}") {
                let read = stream.read(&mut buffer).await.unwrap();
                assert!(read > 0, "the request broke off");
                request.extend_from_slice(&buffer[..read]);
            }
            let request = String::from_utf8(request).unwrap();
            let said = match request.as_str() {
                text if !text.contains("data:image/png;base64,") => "I see nothing",
                text if text.contains("图中是什么颜色") && text.contains("The options are colours.") => "红",
                text if text.contains("exactly 4 Latin letters and digits") => "a7Kq",
                text if text.contains("first character of the idiom") => "一",
                text if text.contains("second character of the idiom") => "帆",
                text if text.contains("third character of the idiom") => "风",
                text if text.contains("fourth character of the idiom") => "顺",
                _ => "",
            };
            let body = serde_json::json!({ "choices": [{ "message": { "content": said } }] }).to_string();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    format!("base_url = \"http://{address}/v1\"\nmodel = \"seer\"")
}

/// Played by `opening`, because it needs a web server.
const OPENED: &str = "page";

/// Every flow with its outcome and how many messages and clicks of ours it takes.
const FLOWS: &[(&str, Outcome, usize, usize)] = &[
    ("command", Outcome::Succeeded, 1, 0),
    ("panel", Outcome::Succeeded, 1, 1),
    ("panel-edited", Outcome::Succeeded, 1, 3),
    ("keyboard", Outcome::Succeeded, 2, 0),
    ("arithmetic", Outcome::Succeeded, 3, 1),
    ("question", Outcome::Succeeded, 1, 1),
    ("code", Outcome::Succeeded, 2, 0),
    ("branches", Outcome::Succeeded, 2, 0),
    ("group", Outcome::Succeeded, 1, 0),
    ("topic", Outcome::Delivered, 1, 0),
    ("start", Outcome::Succeeded, 1, 0),
    ("dice", Outcome::Succeeded, 1, 0),
    ("already", Outcome::AlreadyDone, 1, 1),
    ("unregistered", Outcome::Failed, 1, 0),
    ("membership", Outcome::Succeeded, 1, 0),
    ("image", Outcome::Succeeded, 1, 1),
    ("captcha", Outcome::Succeeded, 2, 0),
    ("muted", Outcome::Failed, 0, 0),
    ("history", Outcome::Succeeded, 1, 1),
    ("picture-file", Outcome::Succeeded, 1, 1),
    ("idiom", Outcome::Succeeded, 1, 4),
    ("sequence", Outcome::Succeeded, 2, 0),
    ("luck", Outcome::Succeeded, 1, 2),
    ("poll", Outcome::Succeeded, 1, 0),
    ("forward", Outcome::Succeeded, 2, 0),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_flow_ends_as_its_bot_says() {
    let mut playing = tokio::task::JoinSet::new();
    for flow in FLOWS {
        playing.spawn(async move {
            let (record, centre, _place) = play(flow.0).await;
            let log = centre.log();
            let sent = log.iter().filter(|entry| matches!(entry.event, Event::MessageSent { .. })).count();
            let clicked = log.iter().filter(|entry| matches!(entry.event, Event::Click { .. })).count();
            (flow, record, sent, clicked)
        });
    }
    let mut wrong = Vec::new();
    while let Some(played) = playing.join_next().await {
        let ((name, outcome, sends, clicks), record, sent, clicked) = played.unwrap();
        if (record.outcome, sent, clicked) != (*outcome, *sends, *clicks) {
            wrong.push(format!("{name}: {} ({}), {sent} sent, {clicked} clicked", record.outcome, record.reason));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_flow_is_played() {
    let mut there: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".toml").map(ToOwned::to_owned))
        .filter(|name| Path::new(name).extension().is_none())
        .collect();
    there.sort();
    let mut played: Vec<String> = FLOWS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    played.push(OPENED.to_owned());
    played.sort();
    assert_eq!(there, played);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panel_of_yesterday_is_pressed_and_no_new_one_asked_for() {
    let read = |name: &str| fs::read_to_string(folder().join(name)).unwrap();
    let (flow, bot) = (read("history.toml"), read("history.bot.toml"));
    let panel = Content::text("用户面板").buttons(&[("🎯 签到", "checkin")]);
    let (record, centre, _place) = play_after("history", &flow, &bot, |centre| {
        centre.bot_says("history", "alice", panel);
    })
    .await;
    assert_eq!(record.outcome, Outcome::Succeeded, "{}", record.reason);
    let sent = |event: &Event| matches!(event, Event::MessageSent { .. });
    assert!(!centre.log().iter().any(|entry| sent(&entry.event)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_voted_in_and_its_posts_are_forwarded() {
    const BOT: &str = "[bots.b]\nusername = \"some_bot\"\n[[bots.b.on]]\nvote = \"签到\"\nsend = { text = \"签到成功\" }\n\
        [[bots.b.on]]\nforward = \"/4711/\"\nsend = { text = \"签到成功\" }\n\
        [groups.news]\nkind = \"channel\"\nusername = \"some_news\"\nmembers = [\"alice\"]\nbots = [\"b\"]\n";
    let task =
        |chat: &str, step: &str| format!("[tasks.t]\nschedule = \"06:00\"\nchat = \"{chat}\"\nsteps = [{step}]\n");
    let poll = Poll { answers: vec!["休息".to_owned(), "签到".to_owned()], closed: false };
    let poll = Content { media: Some(Media::Poll(poll)), ..Content::text("今天？") };
    let (record, centre, _place) = play_after("t", &task("@some_news", "{ vote = '签到' }"), BOT, |centre| {
        centre.bot_says_in("b", "news", None, poll);
    })
    .await;
    assert_eq!(record.outcome, Outcome::Succeeded, "{}", record.reason);
    let voted = |event: &Event| matches!(event, Event::Voted { answer, .. } if answer == "签到");
    assert_eq!(centre.log().iter().filter(|entry| voted(&entry.event)).count(), 1);

    let step = "{ forward = '/凭证 \\d+/', from = \"@some_news\" }";
    let (record, ..) = play_after("t", &task("@some_bot", step), BOT, |centre| {
        centre.bot_says_in("b", "news", None, "凭证 4711");
        centre.bot_says_in("b", "news", None, "广告");
    })
    .await;
    assert_eq!(record.outcome, Outcome::Succeeded, "{}", record.reason);
    let (record, ..) = play_after("t", &task("@some_bot", step), BOT, |_| {}).await;
    assert_eq!(record.outcome, Outcome::Failed);
    assert!(record.reason.contains("no new message of @some_news says"), "{}", record.reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn own_posts_in_a_group_keep_their_distance() {
    const BOT: &str = "[groups.g]\nkind = \"supergroup\"\nusername = \"some_group\"\nmembers = [\"alice\"]\n";
    let task = "[tasks.t]\nschedule = \"06:00\"\nchat = \"@some_group\"\nproof = \"delivered\"\npost_gap = \"0s\"\n\
        steps = [{ send = 'a' }, { send = 'b' }]\n";
    let (record, centre, _place) = play_after("t", task, BOT, |_| {}).await;
    assert_eq!(record.outcome, Outcome::Delivered, "{}", record.reason);
    let dates: Vec<_> = centre.messages("alice", "g").iter().map(|message| message.date).collect();
    // The account's own gap, which the task tries to lower. Dates are whole seconds.
    assert!(dates[1] - dates[0] >= chrono::TimeDelta::seconds(2), "{dates:?}");
}
