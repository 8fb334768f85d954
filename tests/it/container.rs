//! A container with environment variables only: WebDAV is all it keeps.

use std::collections::BTreeMap;

use telegram_sim::Event;
use tgsignd::backup::manifest::{Generation, ObjectName, Stem};
use tgsignd::kernel::record::RunRecord;
use tgsignd::kernel::status::{BackupRole, Status};
use webdav_sim::{Fault, Server, profiles};

use super::kit::{Invocation, LOOK_AGAIN, Stage, soon, within_limit};

const KEY: &str = "a secret of more than thirty-two bytes";
const SIGN: &str = "chat = '@quick_bot'\nsteps = [{ send = '/sign' }]";

/// A daemon whose only persistence is `server`.
fn container(stage: &Stage, server: &Server, first_boot: bool) -> Invocation {
    let invocation = at(stage.tgsignd(&["run"]), server);
    if first_boot { invocation.arguments(["--first-boot"]) } else { invocation }
}

/// The variables of such a daemon.
fn at(invocation: Invocation, server: &Server) -> Invocation {
    invocation
        .variable("TG_SIGNER_BACKUP_WEBDAV_URL", server.url())
        .variable("TG_SIGNER_BACKUP_WEBDAV_USERNAME", server.username())
        .variable("TG_SIGNER_BACKUP_WEBDAV_PASSWORD", server.password())
        .variable("TG_SIGNER_BACKUP_ENCRYPTION_KEY", KEY)
        .variable("TG_SIGNER_BACKUP_INTERVAL_SECONDS", "10")
}

/// A process that was killed lets nobody know. The next start would wait for it, for as long as a living one may take to
/// notice; here its takeover record goes instead.
fn bury(server: &Server) {
    for file in server.files().into_iter().filter(|file| file.contains("-t-")) {
        assert!(server.remove(&file));
    }
}

/// The disk of a new container is empty.
fn new_disk(stage: &Stage) {
    std::fs::remove_dir_all(stage.datadir()).unwrap();
}

/// Everything until now is on the server.
async fn backed_up(stage: &Stage) {
    stage.tgsignd(&["backup", "now"]).ends().await.success();
}

#[tokio::test]
async fn a_fresh_disk_gets_session_and_memory_back_and_signs_in_no_second_time() {
    let (stage, server) = (Stage::new().await, Server::start(profiles::APACHE).await.unwrap());
    stage.task("sign", &format!("{SIGN}\nschedule = '{}'", soon()));
    let daemon = stage.daemon_as(container(&stage, &server, false)).await;
    assert_eq!(daemon.run_ended("sign").await.field("outcome"), "succeeded");
    backed_up(&stage).await;
    daemon.kill9().await;

    bury(&server);
    new_disk(&stage);
    let daemon = stage.spawn(container(&stage, &server, false));
    daemon.says("restored; what was done").await;
    let daemon = daemon.ready().await;
    let is_holder = |status: &Status| status.backup.as_ref().is_some_and(|it| it.role == BackupRole::Holder);
    let status = daemon.status_when(|status| is_holder(status) && !status.tasks.is_empty()).await;
    let last = status.tasks.values().next().unwrap().accounts.values().next().unwrap().last.clone();
    assert_eq!(last.unwrap().outcome.as_str(), "succeeded");
    stage.tgsignd(&["once", "sign"]).ends().await.success();
    assert_eq!(stage.sent("alice", "quick"), ["/sign", "/sign"], "the session works, and the slot was run once");
    daemon.stop().await;
}

#[tokio::test]
async fn an_empty_container_with_variables_only_starts_restores_signs_in_and_backs_up() {
    let (stage, server) = (Stage::new().await, Server::start(profiles::NEXTCLOUD).await.unwrap());
    let disk = stage.other_datadir();
    let bare = |command: &[&str]| {
        at(Invocation::new(command), &server)
            .variable("TGSIGND_DATADIR", &disk)
            .variable("TGSIGND_WORKDIR", disk.join("workdir"))
            .variable("TG_API_ID", "12345")
            .variable("TG_API_HASH", "0".repeat(32))
            // Where the simulated data centre is, which nothing pushed may say.
            .variable("TGSIGND_CONFIG", stage.settings().replace("[defaults]\ntimezone = \"UTC\"\n", ""))
    };
    let today = chrono::Utc::now().format("%Y-%m-%d").to_string();
    let first = stage.spawn_elsewhere(bare(&["run"]).variable("TGSIGND_FIRST_BOOT", today)).ready().await;
    stage.write("tgsignd.toml", "version = 1\n[defaults]\ntimezone = \"UTC\"\n");
    stage.task("sign", &format!("{SIGN}\nschedule = '{}'\nmissed = {{ policy = 'run-once', within = '1h' }}", soon()));
    let laptop = |command: &[&str]| {
        let settings = stage.settings().replace("[defaults]\ntimezone = \"UTC\"\n", "");
        at(stage.tgsignd(command), &server).variable("TGSIGND_CONFIG", settings)
    };
    laptop(&["push", "session", "alice", "--wait"]).ends().await.success();
    laptop(&["push", "workdir", "--wait"]).ends().await.success();
    first.stop().await;

    std::fs::remove_dir_all(&disk).unwrap();
    let before = manifests(&server);
    let posted = stage.sent("alice", "quick").len();
    let container = stage.spawn_elsewhere(bare(&["run"])).ready().await;
    assert!(container.has_said("restored; what was done in the "), "{}", container.log.text());
    let again = bare(&["once", "sign"]).ends().await.success();
    assert!(again.contains("succeeded"), "{again}");
    assert_eq!(stage.sent("alice", "quick").len() - posted, 1);
    bare(&["backup", "now"]).ends().await.success();
    let after = manifests(&server);
    assert!(after.keys().next_back() > before.keys().next_back(), "{after:?}");
    let status = container.status().await;
    assert_eq!(status.backup.unwrap().role, BackupRole::Holder);
    container.stop().await;
}

/// A run that no backup knows of, on a disk that is lost, with so many messages in the chat after it: the outcome that the next
/// process finds there, and how many messages were sent in all.
async fn done_and_forgotten(messages_since: usize) -> (String, usize) {
    let (stage, server) = (Stage::new().await, Server::start(profiles::DUFS).await.unwrap());
    let daemon = stage.daemon_as(container(&stage, &server, false)).await;
    backed_up(&stage).await;
    let times = format!("schedule = '{}'\nmissed = {{ policy = 'run-once', within = '1h' }}\ntimeout = '10s'", soon());
    stage.task("sign", &format!("{SIGN}\n{times}"));
    daemon.says("configuration: task sign added").await;
    // The configuration is saved before the slot comes, the run is not.
    backed_up(&stage).await;
    server.fail(Fault::Status(503, None).on("PUT").times(1000));
    assert_eq!(daemon.run_ended("sign").await.field("outcome"), "succeeded");
    daemon.kill9().await;
    server.heal();
    for number in 0..messages_since {
        stage.centre.bot_says("quick", "alice", format!("新闻 {number}"));
    }

    bury(&server);
    new_disk(&stage);
    let daemon = stage.daemon_as(container(&stage, &server, false)).await;
    let outcome = daemon.run_ended("sign").await.field("outcome").to_owned();
    daemon.stop().await;
    let log = stage.centre.log().into_iter();
    (outcome, log.filter(|entry| matches!(entry.event, Event::MessageSent { .. })).count())
}

#[tokio::test]
async fn what_was_done_after_the_last_backup_is_found_in_the_chat() {
    assert_eq!(done_and_forgotten(0).await, ("succeeded".to_owned(), 1), "it was found and not sent again");
}

#[tokio::test]
async fn what_lies_far_back_in_the_chat_is_not_sent_again() {
    let (outcome, sent) = done_and_forgotten(400).await;
    assert_eq!(sent, 1, "{outcome}: nor does Telegram have to refuse it");
    assert!(["succeeded", "unknown"].contains(&outcome.as_str()), "{outcome}");
}

#[tokio::test]
async fn unreachable_empty_and_wrong_key_are_three_answers() {
    let (stage, server) = (Stage::new().await, Server::start(profiles::NGINX).await.unwrap());
    new_disk(&stage);
    let refused = container(&stage, &server, false).ends().await;
    refused.fails_with(78, &["the data directory is empty, and so is the backup", "--first-boot"]);

    let daemon = stage.daemon_as(container(&stage, &server, true)).await;
    backed_up(&stage).await;
    daemon.stop().await;
    new_disk(&stage);
    let other = container(&stage, &server, false).variable("TG_SIGNER_BACKUP_ENCRYPTION_KEY", format!("{KEY}!"));
    other.ends().await.fails_with(78, &["key"]);

    server.fail(Fault::Status(503, None).on_all().times(1000));
    let daemon = stage.spawn(container(&stage, &server, true));
    daemon.says("the backup's server is needed").await;
    server.heal();
    let daemon = daemon.ready().await;
    assert!(daemon.has_said("restored; what was done"));
    daemon.stop().await;
}

#[tokio::test]
async fn damaged_notes_are_named_and_begun_anew() {
    let (stage, server) = (Stage::new().await, Server::start(profiles::APACHE).await.unwrap());
    let notes = stage.datadir().join("state/backup-notes.json");
    for damage in [None, Some(&b""[..]), Some(b"{"), Some(b"\xff\xfe")] {
        if let Some(bytes) = damage {
            std::fs::write(&notes, bytes).unwrap();
        }
        let daemon = stage.daemon_as(container(&stage, &server, false)).await;
        backed_up(&stage).await;
        let log = daemon.stop().await.text();
        assert_eq!(log.contains("backup-notes.json"), damage.is_some(), "{damage:?}\n{log}");
        bury(&server);
    }
}

#[tokio::test]
async fn a_rolling_deploy_hands_the_session_over() {
    let (stage, server) = (Stage::new().await, Server::start(profiles::APACHE).await.unwrap());
    stage.task("sign", &format!("{SIGN}\nschedule = '@yearly'"));
    let old = stage.daemon_as(container(&stage, &server, false)).await;
    backed_up(&stage).await;

    let new = stage.spawn_elsewhere(at(stage.run_elsewhere(), &server));
    old.says("another process has taken over").await;
    old.says("this process signs nothing in any more").await;
    let new = new.ready().await;
    let run = format!("{SIGN}\nschedule = '{}'", soon());
    stage.task("sign", &run);
    assert_eq!(new.run_ended("sign").await.field("outcome"), "succeeded");
    assert_eq!(stage.sent("alice", "quick"), ["/sign"], "only one of them signs in");
    old.stop().await;
    new.stop().await;
}

/// Waits until so many processes have announced themselves.
async fn announced(server: &Server, count: usize) {
    let came = async {
        while records(server, "-t-").len() != count {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    within_limit(came, || format!("{count} announcements: {:?}", server.files())).await;
}

/// Objects of one kind on the server, without what their names have in common.
fn records(server: &Server, kind: &str) -> Vec<String> {
    let files = server.files().into_iter();
    files.filter_map(|file| Some(file.split_once(kind)?.1.to_owned())).collect()
}

#[tokio::test]
async fn whoever_ends_while_it_waits_lets_go_and_whoever_is_overtaken_stays() {
    let (stage, server) = (Stage::new().await, Server::start(profiles::APACHE).await.unwrap());
    stage.task("sign", &format!("{SIGN}\nschedule = '@yearly'"));
    stage.daemon_as(container(&stage, &server, false)).await.kill9().await;
    let dead = records(&server, "-t-");

    let mut waits = stage.spawn_elsewhere(at(stage.run_elsewhere(), &server));
    announced(&server, 2).await;
    waits.sigterm();
    assert!(waits.exit().await.success());
    let mut released = records(&server, "-r-");
    released.extend(dead.clone());
    released.sort();
    assert_eq!(released, records(&server, "-t-"), "only the killed one has not let go");

    let mut overtaken = stage.spawn_elsewhere(at(stage.run_elsewhere(), &server));
    announced(&server, 3).await;
    let next = stage.spawn(container(&stage, &server, false));
    overtaken.says("this process signs nothing in any more").await;
    for name in dead {
        server.remove(&format!("tgsignd/tgsignd-t-{name}"));
    }
    next.ready().await.stop().await;
    overtaken.sigterm();
    assert!(overtaken.exit().await.success(), "it waited for its end");
}

#[tokio::test]
async fn an_upload_that_hangs_does_not_hide_that_another_process_takes_over() {
    let (stage, server) = (Stage::new().await, Server::start(profiles::APACHE).await.unwrap());
    let old = stage.daemon_as(container(&stage, &server, false)).await;
    backed_up(&stage).await;
    server.fail(Fault::Hang.on("PUT").at("-b-"));
    server.forget_requests();
    let mut requests = server.request_counts();
    stage.task("sign", &format!("{SIGN}\nschedule = '@yearly'"));
    let is_upload = |request: &webdav_sim::Request| request.method == "PUT" && request.path.contains("-b-");
    requests.wait_for(|_| server.requests().iter().any(is_upload)).await.unwrap();

    let new = stage.spawn_elsewhere(at(stage.run_elsewhere(), &server));
    old.says("another process has taken over").await;
    old.says("this process signs nothing in any more").await;
    new.kill9().await;
    old.stop().await;
}

#[tokio::test]
async fn a_host_with_a_disk_goes_on_from_what_another_one_saved_meanwhile() {
    let (stage, server) = (Stage::new().await, Server::start(profiles::APACHE).await.unwrap());
    stage.task("sign", &format!("{SIGN}\nschedule = '@yearly'"));
    let first = stage.daemon_as(container(&stage, &server, false)).await;
    backed_up(&stage).await;
    first.stop().await;

    let second = stage.spawn_elsewhere(at(stage.run_elsewhere(), &server)).ready().await;
    let (workdir, datadir) = (stage.workdir(), stage.other_datadir());
    let places = [workdir.as_os_str(), "--datadir".as_ref(), datadir.as_os_str()];
    let elsewhere = |command: &[&str]| at(Invocation::new(command).arguments(["--workdir"]).arguments(places), &server);
    elsewhere(&["once", "sign"]).ends().await.success();
    elsewhere(&["backup", "now"]).ends().await.success();
    second.stop().await;

    assert_eq!(stage.runs().await.len(), 0);
    let first = stage.daemon_as(container(&stage, &server, false)).await;
    first.says("another process went on from what is here").await;
    assert_eq!(stage.runs().await.len(), 1, "what the other host did is known here");
    assert!(stage.datadir().join("restored/replaced/state.db").is_file());
    stage.tgsignd(&["once", "sign"]).ends().await.success();
    backed_up(&stage).await;
    first.stop().await;
}

/// The manifests on the server by their generations.
fn manifests(server: &Server) -> BTreeMap<Generation, String> {
    let generation = |path: &String| match ObjectName::parse(&Stem::default(), path.rsplit('/').next()?)? {
        ObjectName::Manifest { generation, .. } => Some(generation),
        _ => None,
    };
    server.files().into_iter().filter_map(|path| Some((generation(&path)?, path))).collect()
}

/// What becomes of the backup on a disk of its own, without a daemon: one more run, and one more generation, which is taken from the
/// server.
async fn side(stage: &Stage, server: &Server) -> (String, Vec<u8>, Vec<RunRecord>) {
    new_disk(stage);
    let command = |words: &[&str]| at(stage.tgsignd(words), server).ends();
    command(&["backup", "restore"]).await.success();
    let before = manifests(server);
    command(&["once", "sign"]).await.success();
    command(&["backup", "now"]).await.success();
    let (generation, path) = manifests(server).pop_last().unwrap();
    assert!(!before.contains_key(&generation));
    let bytes = server.read(&path).unwrap();
    assert!(server.remove(&path));
    (path, bytes, stage.runs().await)
}

#[tokio::test]
async fn of_a_fork_the_side_that_was_named_is_restored_where_there_is_no_shell() {
    let (stage, server) = (Stage::new().await, Server::start(profiles::APACHE).await.unwrap());
    stage.task("sign", &format!("{SIGN}\nschedule = '@yearly'"));
    let run = || container(&stage, &server, false);
    let daemon = stage.daemon_as(run()).await;
    backed_up(&stage).await;
    daemon.stop().await;

    // Two hosts go on from there, and neither sees what the other one does.
    let (left, left_bytes, of_left) = side(&stage, &server).await;
    let (right, right_bytes, of_right) = side(&stage, &server).await;
    assert!(of_left.len() == 1 && of_right.len() == 1 && of_left != of_right);
    server.write(&left, &left_bytes);
    server.write(&right, &right_bytes);

    new_disk(&stage);
    let name = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    run().ends().await.fails_with(1, &["claim", &name(&left), &name(&right)]);
    let absent = run().variable("TGSIGND_BACKUP_RESOLVE", "tgsignd-m-nonsense.json").ends().await;
    absent.fails_with(1, &["tgsignd-m-nonsense.json is not one of the newest"]);
    let daemon = stage.daemon_as(run().variable("TGSIGND_BACKUP_RESOLVE", name(&left))).await;
    daemon.says("the decision of TGSIGND_BACKUP_RESOLVE is the newest generation").await;
    assert_eq!(stage.runs().await, of_left);
    daemon.stop().await;

    new_disk(&stage);
    let daemon = stage.daemon_as(run()).await;
    assert_eq!(stage.runs().await, of_left, "the decision holds without the variable");
    daemon.stop().await;
}

#[tokio::test]
async fn a_container_gets_its_configuration_and_its_login_from_elsewhere() {
    let (stage, server) = (Stage::new().await, Server::start(profiles::APACHE).await.unwrap());
    // What the platform sets; here it also says where the simulated data centre is, which nothing pushed may.
    let fixed = stage.settings().replace("[defaults]\ntimezone = \"UTC\"\n", "");
    let (datadir, workdir) = (stage.other_datadir(), stage.other_datadir().join("workdir"));
    let bare = |command: &[&str]| {
        let places = [workdir.as_os_str(), "--datadir".as_ref(), datadir.as_os_str()];
        let invocation = Invocation::new(command).arguments(["--workdir"]).arguments(places);
        at(invocation, &server).variable("TGSIGND_CONFIG", &fixed)
    };
    let daemon = stage.spawn_elsewhere(bare(&["run", "--first-boot"])).ready().await;
    assert!(daemon.has_said("there was no configuration"), "{}", daemon.log.text());

    // The laptop: its own workdir and session, and the same variables.
    let laptop = |command: &[&str]| at(stage.tgsignd(command), &server).variable("TGSIGND_CONFIG", &fixed);
    stage.write("tgsignd.toml", "version = 1\n[defaults]\ntimezone = \"UTC\"\n");
    stage.task("sign", &format!("{SIGN}\nschedule = '@yearly'"));
    let pushed = laptop(&["push", "workdir", "--wait"]).ends().await.success();
    assert!(pushed.starts_with("Applied by") && pushed.contains("1 tasks, 1 accounts"), "{pushed}");
    laptop(&["push", "session", "alice", "--wait"]).ends().await.success();

    let once = bare(&["once", "sign"]).ends().await.success();
    assert!(once.contains("succeeded"), "{once}");
    assert_eq!(stage.sent("alice", "quick"), ["/sign"]);

    stage.write("tgsignd.toml", "version = 1\n[ai]\ncommand = ['/bin/true']\n[defaults]\ntimezone = \"UTC\"\n");
    let refused = laptop(&["push", "workdir", "--wait"]).ends().await;
    assert!(refused.code == Some(1) && refused.stdout.contains("Refused by"), "{refused:?}");
    assert!(refused.stdout.contains("starts a program"), "{refused:?}");
    daemon.stop().await;
}
