//! Every file of the data directory torn, cut off, flipped, removed or made unwritable: the daemon does its work, or says which
//! file it is and what to do. It never signs in a second time, and never changes a damaged key.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use chrono::{TimeDelta, Utc};

use crate::kit::{Ended, Stage, tool};

/// A data directory after a day's work, in two states: stopped, and killed with its write-ahead log.
struct Worked {
    stage: Stage,
    stopped: PathBuf,
    killed: PathBuf,
}

const DATABASE: &str = "state/state.db";
const LOG: &str = "state/state.db-wal";
const SESSION: &str = "sessions/alice.session";

fn copy(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy(&source, &target),
            kind if kind.is_file() => drop(fs::copy(source, target).unwrap()),
            _ => {}
        }
    }
}

fn cut(file: &Path, length: u64) {
    fs::OpenOptions::new().write(true).open(file).unwrap().set_len(length).unwrap();
}

fn flip(file: &Path, place: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[place] ^= 0x10;
    fs::write(file, bytes).unwrap();
}

impl Worked {
    /// Alice has signed in a minute ago; another task of hers is there to be asked for.
    async fn new() -> Self {
        let stage = Stage::new().await;
        let minute_ago = (Utc::now() - TimeDelta::minutes(1)).format("%H:%M:%S");
        let missed = "missed = { policy = 'run-once', within = '6h' }";
        let steps = "steps = [{ send = '/sign' }]";
        stage.task("quick", &format!("schedule = '{minute_ago}'\n{missed}\nchat = '@quick_bot'\n{steps}"));
        stage.task("other", &format!("schedule = '@yearly'\nchat = '@slow_bot'\n{steps}"));
        stage.in_force_for(TimeDelta::hours(2)).await;
        let daemon = stage.daemon().await;
        daemon
            .status_when(|status| {
                status.tasks["quick"].accounts.get("alice").is_some_and(|pair| pair.last_success_at.is_some())
            })
            .await;
        daemon.kill9().await;
        let (stopped, killed) = (stage.datadir().with_extension("stopped"), stage.datadir().with_extension("killed"));
        copy(&stage.datadir(), &killed);
        assert!(fs::metadata(killed.join(LOG)).unwrap().len() > 4096, "the work is in the write-ahead log");
        stage.daemon().await.stop().await;
        copy(&stage.datadir(), &stopped);
        assert!(!stopped.join(LOG).exists());
        Self { stage, stopped, killed }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.stage.datadir().join(name)
    }

    fn signed_in_once(&self, what: &str) {
        assert_eq!(self.stage.sent("alice", "quick"), ["/sign"], "{what}");
    }

    /// It starts, does another task, says all of this, and the slot is not run again.
    async fn works(&self, what: &str, says: &[&str]) {
        let daemon = self.stage.daemon().await;
        let asked = self.stage.tgsignd(&["once", "other"]).ends().await;
        assert_eq!(asked.code, Some(0), "{what}: {asked:?}\n{}", daemon.log.text());
        let log = daemon.stop().await.text();
        for text in says {
            assert!(log.contains(text), "{what}: {text:?} is missing in\n{log}");
        }
        self.signed_in_once(what);
    }

    /// It does not start, names the file, and leaves it as it is.
    async fn refuses(&self, what: &str, file: &Path, says: &[&str]) {
        let before = fs::read(file).unwrap();
        let ended = self.stage.tgsignd(&["run"]).ends().await;
        assert!(ended.code.is_some_and(|code| code != 0), "{what}: {ended:?}");
        assert!(ended.stderr.contains(file.to_str().unwrap()), "{what}: {ended:?}");
        for text in says {
            assert!(ended.stderr.contains(text), "{what}: {text:?} is missing in {ended:?}");
        }
        assert_eq!(fs::read(file).unwrap(), before, "{what}");
        self.signed_in_once(what);
    }
}

#[tokio::test]
async fn a_damaged_database_is_named_and_left_alone() {
    let worked = Worked::new().await;
    let database = worked.file(DATABASE);
    let length = fs::metadata(worked.stopped.join(DATABASE)).unwrap().len();
    for kept in [1, 99, 100, 4095, 4096, length / 2, length - 4096, length - 1] {
        copy(&worked.stopped, &worked.stage.datadir());
        cut(&database, kept);
        worked.refuses(&format!("cut to {kept}"), &database, &["not a usable database", "put a backup"]).await;
    }
    for place in [0, 16, 4096] {
        copy(&worked.stopped, &worked.stage.datadir());
        flip(&database, place);
        worked.refuses(&format!("flipped at {place}"), &database, &["not a usable database"]).await;
    }
}

#[tokio::test]
async fn what_the_ledger_forgot_is_looked_for_in_the_chats() {
    const FORGOT: &[&str] = &["the ledger has lost its end", "state.db"];
    let worked = Worked::new().await;
    let datadir = worked.stage.datadir();
    let (database, log) = (worked.file(DATABASE), worked.file(LOG));
    copy(&worked.stopped, &datadir);
    cut(&database, 0);
    worked.works("an empty database", FORGOT).await;
    copy(&worked.stopped, &datadir);
    fs::remove_file(&database).unwrap();
    worked.works("no database", FORGOT).await;

    let length = fs::metadata(worked.killed.join(LOG)).unwrap().len();
    for kept in [0, 16, 32, 32 + 24, length / 4] {
        copy(&worked.killed, &datadir);
        cut(&log, kept);
        worked.works(&format!("a log cut to {kept}"), &[]).await;
    }
    for kept in [length / 2, length - 4096, length - 1] {
        copy(&worked.killed, &datadir);
        cut(&log, kept);
        worked.works(&format!("a log cut to {kept}"), &[]).await;
    }
    for place in [0, 8, 16, 32, 60, usize::try_from(length).unwrap() / 2, usize::try_from(length).unwrap() - 9] {
        copy(&worked.killed, &datadir);
        flip(&log, place);
        worked.works(&format!("a log flipped at {place}"), &[]).await;
    }
    copy(&worked.killed, &datadir);
    fs::write(worked.file("state/state.db-shm"), b"nonsense").unwrap();
    worked.works("a damaged index of the log", &[]).await;
}

#[tokio::test]
async fn a_damaged_session_is_named_and_its_key_is_not_replaced() {
    let worked = Worked::new().await;
    let session = worked.file(SESSION);
    let whole = fs::read(worked.stopped.join(SESSION)).unwrap();
    let key = whole.windows(12).position(|part| part == b"\"auth_key\":\"").unwrap() + 12;
    let mut flipped = whole.clone();
    flipped[key] = if flipped[key] == b'1' { b'2' } else { b'1' };
    let damages = [
        &b""[..],
        b"{",
        b"{}",
        b"\0\0\0\0",
        &whole[..1],
        &whole[..whole.len() / 2],
        &whole[..whole.len() - 1],
        &flipped,
    ];
    for (number, bytes) in damages.into_iter().enumerate() {
        copy(&worked.stopped, &worked.stage.datadir());
        fs::write(&session, bytes).unwrap();
        let daemon = worked.stage.daemon().await;
        let asked = worked.stage.tgsignd(&["once", "other"]).ends().await;
        let says = |ended: &Ended, text: &str| ended.stdout.contains(text) || ended.stderr.contains(text);
        assert!(asked.code != Some(0), "{number}: {asked:?}");
        assert!(says(&asked, "alice.session") && says(&asked, "damaged"), "{number}: {asked:?}");
        assert!(says(&asked, "restore it from the backup or sign in again"), "{number}: {asked:?}");
        daemon.stop().await;
        assert_eq!(fs::read(&session).unwrap(), bytes, "{number}");
    }
    worked.signed_in_once("damaged sessions");
}

#[tokio::test]
async fn what_can_be_made_again_is_made_again() {
    let worked = Worked::new().await;
    let datadir = worked.stage.datadir();
    let runs: Vec<_> = fs::read_dir(worked.stopped.join("logs/runs")).unwrap().map(|run| run.unwrap().path()).collect();
    let transcript = format!("logs/runs/{}", runs[0].file_name().unwrap().display());
    let counts = "the count of model calls cannot be read";
    let damages: [&[u8]; 4] = [b"", b"{", b"\xff\xfe\0nonsense", b"[[[[[[[["];
    for (name, says) in [
        ("sessions/alice.peers", &[][..]),
        ("sessions/alice.lock", &[]),
        ("state/lock", &[]),
        ("state/last-good/tgsignd.toml", &[]),
        ("state/last-good/quick.toml", &[]),
        ("state/model-calls.json", &[counts]),
        (&transcript, &[]),
    ] {
        for damage in damages {
            copy(&worked.stopped, &datadir);
            fs::write(datadir.join(name), damage).unwrap();
            worked.works(&format!("{name} is {}", damage.escape_ascii()), says).await;
        }
    }
    copy(&worked.stopped, &datadir);
    fs::write(datadir.join("state/control.sock"), b"").unwrap();
    worked.refuses("a file in the socket's place", &datadir.join("state/control.sock"), &["not a socket"]).await;
}

#[tokio::test]
async fn a_broken_workdir_and_a_broken_copy_of_it_are_both_told() {
    let worked = Worked::new().await;
    fs::write(worked.file("state/last-good/quick.toml"), b"nonsense").unwrap();
    worked.stage.write("quick.toml", "more nonsense");
    let ended = worked.stage.tgsignd(&["run"]).ends().await;
    ended.fails_with(78, &["quick.toml", "last-good"]);
}

/// Somebody else.
const NOBODY: u32 = 65534;

/// Without what lets root pass by owners and modes.
const AS_ANYBODY: [&str; 3] =
    ["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search", "--"];

#[tokio::test]
async fn what_cannot_be_written_is_named() {
    let is_root = rustix::process::geteuid().is_root();
    let Some(setpriv) = tool("setpriv") else { return };
    let worked = Worked::new().await;
    let datadir = worked.stage.datadir();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let command = |arguments: &[&str]| match worked.stage.tgsignd(arguments) {
        command if is_root => command.through(&setpriv, &AS_ANYBODY),
        command => command,
    };
    for (name, is_foreign, says) in [
        ("state", true, "cannot be locked"),
        ("state/lock", true, "cannot be locked"),
        ("state/lock", false, "cannot be locked"),
        (DATABASE, true, "not writable"),
        (DATABASE, false, "not writable"),
        ("state", false, "state"),
    ] {
        copy(&worked.stopped, &datadir);
        let place = datadir.join(name);
        mode(&place, if place.is_dir() { 0o500 } else { 0o400 });
        match is_foreign {
            true if !is_root => continue,
            true => chown(&place, Some(NOBODY), Some(NOBODY)).unwrap(),
            false => {}
        }
        let ended = command(&["run"]).ends().await;
        let what = format!("{name}, of somebody else: {is_foreign}: {ended:?}");
        assert!(ended.code.is_some_and(|code| code != 0), "{what}");
        assert!(ended.stderr.contains(place.to_str().unwrap()) && ended.stderr.contains(says), "{what}");
        assert!(ended.stderr.contains("user that runs tgsignd") || ended.stderr.contains("writable"), "{what}");
    }
    // Transcripts are for people: without them everything goes on.
    copy(&worked.stopped, &datadir);
    mode(&datadir.join("logs/runs"), 0o500);
    let daemon = worked.stage.daemon_as(command(&["run"])).await;
    command(&["once", "other"]).ends().await.success();
    assert!(daemon.stop().await.text().contains("this run has no transcript"));
    mode(&datadir.join("logs/runs"), 0o700);
    worked.signed_in_once("unwritable places");
}
