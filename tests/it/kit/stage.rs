//! A simulated data centre, a workdir and a data directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{TimeDelta, Utc};
use telegram_sim::{DataCentre, Event, World};
use tempfile::TempDir;
use tgsignd::config::secret::Secret;
use tgsignd::config::{self, TestDataCentre};
use tgsignd::daemon::datadir::Datadir;
use tgsignd::daemon::workdir;
use tgsignd::kernel::record::{ActivePair, RunRecord};
use tgsignd::ledger::Tasks;
use tgsignd::telegram::data_centre::DataCentres;
use tgsignd::telegram::session::SessionFile;

use super::command::Invocation;
use super::daemon::Daemon;

/// The world most tests play in.
pub(crate) fn world() -> World {
    World::from_toml(include_str!("world.toml")).unwrap()
}

/// A time of the day that comes in a moment, as a schedule in UTC. The moment is long enough for the daemon to start.
pub(crate) fn soon() -> String {
    (chrono::Utc::now() + TimeDelta::seconds(4)).format("%H:%M:%S").to_string()
}

/// Everything a daemon needs.
pub(crate) struct Stage {
    pub(crate) centre: DataCentre,
    folder: TempDir,
}

impl Stage {
    /// The common world, with alice signed in.
    pub(crate) async fn new() -> Self {
        let stage = Self::of(world()).await;
        stage.sign_in("alice", 1001);
        stage
    }

    /// A world with nobody signed in.
    pub(crate) async fn of(world: World) -> Self {
        let centre = DataCentre::start(world).await.unwrap();
        // Short, because a Unix socket's path must be.
        let folder = tempfile::Builder::new().prefix("tgsignd-").tempdir_in("/tmp").unwrap();
        let stage = Self { centre, folder };
        std::fs::create_dir(stage.workdir()).unwrap();
        stage.write("tgsignd.toml", &stage.settings());
        stage
    }

    /// `tgsignd.toml` as it is written at first; more tables may follow.
    pub(crate) fn settings(&self) -> String {
        format!(
            "version = 1\n[telegram]\n{}\n[http]\nlisten = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n[defaults]\n\
             timezone = \"UTC\"\n",
            self.centre.daemon_config()
        )
    }

    pub(crate) fn workdir(&self) -> PathBuf {
        self.folder.path().join("w")
    }

    pub(crate) fn datadir(&self) -> PathBuf {
        self.folder.path().join("d")
    }

    /// Puts a file into the workdir at once, as editors do.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let (path, new) = (self.workdir().join(name), self.workdir().join(".new"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, path).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.workdir().join(name)).unwrap();
    }

    /// The digest of what the workdir holds, which must be valid.
    #[track_caller]
    pub(crate) fn digest(&self) -> String {
        tgsignd::daemon::reload::read(&self.workdir(), BTreeMap::new()).unwrap().snapshot.digest
    }

    /// Writes `[accounts.NAME]` and the session that a login would have left.
    pub(crate) fn sign_in(&self, account: &str, user_id: i64) {
        self.write(&format!("accounts/{account}.toml"), &format!("[accounts.{account}]\n"));
        std::fs::create_dir_all(self.datadir().join("sessions")).unwrap();
        std::fs::set_permissions(self.datadir(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let centres = DataCentres::Simulated(vec![TestDataCentre {
            id: 2,
            address: self.centre.address(),
            key_seed: Some(Secret::new(self.centre.key_seed().to_owned())),
        }]);
        SessionFile::create(self.session(account), account, &centres).sign_in(user_id).unwrap();
    }

    /// The session file of an account.
    pub(crate) fn session(&self, account: &str) -> PathBuf {
        SessionFile::path(&self.datadir().join("sessions"), account)
    }

    /// Writes a task into a file of its own.
    pub(crate) fn task(&self, name: &str, keys: &str) {
        self.write(&format!("{name}.toml"), &format!("[tasks.{name}]\n{keys}\n"));
    }

    /// Says in the ledger that the tasks have been in force for so long, so that their latest slots are due.
    pub(crate) async fn in_force_for(&self, time: TimeDelta) {
        let loaded = config::load(&workdir::read(&self.workdir(), BTreeMap::new()).unwrap()).unwrap();
        let pairs = loaded.snapshot.tasks.values().flat_map(|task| {
            task.accounts.iter().map(|account| ActivePair {
                task: task.name.clone(),
                account: account.clone(),
                schedule: task.schedule_fingerprint.to_string(),
            })
        });
        let pairs: Vec<_> = pairs.collect();
        let datadir = Datadir::open(&self.datadir()).await.unwrap();
        datadir.ledger.active_since(Tasks::All, pairs, Utc::now() - time).await.unwrap();
        datadir.ledger.close().await.unwrap();
    }

    /// A command on this workdir and data directory.
    pub(crate) fn tgsignd(&self, arguments: &[&str]) -> Invocation {
        let (workdir, datadir) = (self.workdir(), self.datadir());
        let places: [&Path; 4] = ["--workdir".as_ref(), &workdir, "--datadir".as_ref(), &datadir];
        Invocation::new(arguments).arguments(places)
    }

    /// A daemon that is ready.
    pub(crate) async fn daemon(&self) -> Daemon {
        self.daemon_as(self.tgsignd(&["run"])).await
    }

    /// A daemon with variables or arguments of its own, ready.
    pub(crate) async fn daemon_as(&self, invocation: Invocation) -> Daemon {
        self.spawn(invocation).ready().await
    }

    /// A daemon that may never become ready.
    pub(crate) fn spawn(&self, invocation: Invocation) -> Daemon {
        Daemon::spawn(invocation, self.datadir())
    }

    /// The data directory of another host.
    pub(crate) fn other_datadir(&self) -> PathBuf {
        self.folder.path().join("other")
    }

    /// `run` on another host, with the same workdir.
    pub(crate) fn run_elsewhere(&self) -> Invocation {
        let (workdir, datadir) = (self.workdir(), self.other_datadir());
        let places: [&Path; 4] = ["--workdir".as_ref(), &workdir, "--datadir".as_ref(), &datadir];
        Invocation::new(["run"]).arguments(places)
    }

    /// A daemon on the other host, which may never become ready.
    pub(crate) fn spawn_elsewhere(&self, invocation: Invocation) -> Daemon {
        Daemon::spawn(invocation, self.other_datadir())
    }

    /// The ended attempts, oldest first, as `tgsignd logs` tells them.
    pub(crate) async fn runs(&self) -> Vec<RunRecord> {
        let listed = self.tgsignd(&["logs", "--format", "json"]).ends().await.success();
        let mut runs: Vec<_> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        runs.reverse();
        runs
    }

    /// The texts an account sent to a chat; one that Telegram refused as a duplicate counts, and must not exist.
    pub(crate) fn sent(&self, account: &str, chat: &str) -> Vec<String> {
        let to_chat = |event: &Event| match event {
            Event::MessageSent { chat: to, text, .. } if **to == *chat => Some(text.clone()),
            _ => None,
        };
        self.of_account(account).filter_map(|event| to_chat(&event)).collect()
    }

    /// The data of the buttons an account pressed in a chat.
    pub(crate) fn pressed(&self, account: &str, chat: &str) -> Vec<String> {
        let in_chat = |event: &Event| match event {
            Event::Click { chat: of, data, .. } if **of == *chat => Some(String::from_utf8_lossy(data).into_owned()),
            _ => None,
        };
        self.of_account(account).filter_map(|event| in_chat(&event)).collect()
    }

    fn of_account(&self, account: &str) -> impl Iterator<Item = Event> {
        let entries = self.centre.log().into_iter();
        entries.filter(move |entry| entry.account.as_deref() == Some(account)).map(|entry| entry.event)
    }

    /// Waits until an account has sent a message to a chat.
    pub(crate) async fn sees_message(&self, account: &str, chat: &str) {
        let is_it = |event: &Event| matches!(event, Event::MessageSent { chat: to, .. } if **to == *chat);
        self.centre.wait_for_entry(|entry| entry.account.as_deref() == Some(account) && is_it(&entry.event)).await;
    }

    /// Waits until a method is called.
    pub(crate) async fn sees_call(&self, wanted: &str) {
        self.centre.wait_for_entry(|entry| matches!(entry.event, Event::Call { method } if method == wanted)).await;
    }
}
