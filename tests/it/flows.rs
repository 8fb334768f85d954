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

const PATIENCE: Duration = Duration::from_secs(60);

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
    let settings = format!(
        "version = 1\n[telegram]\n{}\n[accounts.alice]\n[defaults]\ntimezone = \"UTC\"\n",
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
