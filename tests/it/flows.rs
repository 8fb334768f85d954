//! The shipped flows, each against its scripted bot: a real daemon's actors and ledger, a simulated data centre.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use telegram_sim::{DataCentre, Event, World};
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
    let centre = DataCentre::start(World::from_toml(&format!("{ALICE}{bot}")).unwrap()).await.unwrap();
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
                _ => "",
            };
            let body = serde_json::json!({ "choices": [{ "message": { "content": said } }] }).to_string();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    format!("base_url = \"http://{address}/v1\"\nmodel = \"seer\"")
}

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
    played.sort();
    assert_eq!(there, played);
}
