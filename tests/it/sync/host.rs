//! A host: a data directory in use, a workdir, and the engine on a server.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;
use tgsignd::backup::remote::{Remote, RemoteSettings, RetryPolicy, Timeouts};
use tgsignd::backup::sync::{Access, Engine, History, Inputs, Places, SyncError};
use tgsignd::config::secret::{Secret, SecretRef};
use tgsignd::config::{Backup, BackupKeys, Keep, TestDataCentre};
use tgsignd::daemon::backup_formats::OwnFormats;
use tgsignd::ledger::{Ledger, NotRun, RunFilter, SqliteLedger};
use tgsignd::names::{RunKey, Slot};
use tgsignd::telegram::data_centre::DataCentres;
use tgsignd::telegram::session::SessionFile;

use crate::kit::Invocation;

pub(super) const KEY: &str = "a text of more than thirty-two bytes";
pub(super) const PASSWORD: &str = "hunter2";

/// Waits that tests can wait for.
const QUICK: RetryPolicy = RetryPolicy {
    attempts: 2,
    first: Duration::from_millis(1),
    longest: Duration::from_millis(2),
    patience: Duration::from_secs(1),
    refused: Duration::from_millis(1),
};

pub(super) struct Host {
    folder: TempDir,
    pub(super) engine: Engine,
    url: String,
    key: String,
}

fn settings() -> Backup {
    let keys = BackupKeys::Derived(SecretRef::Inline(Secret::new(String::new())));
    Backup { level: 1, keep: Keep { last: 3, daily: 0, weekly: 0 }, ..Backup::at("https://unused/".to_owned(), keys) }
}

fn engine(url: &str, key: &str, folder: &Path, access: Access) -> Result<Engine, SyncError> {
    let remote = RemoteSettings {
        url: url.to_owned(),
        username: "alice".to_owned(),
        password: Secret::new(PASSWORD.to_owned()),
        remote_path: "/backup/".to_owned(),
        extra_ca: None,
        allow_http: false,
        timeouts: Timeouts {
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(5),
            answer: Duration::from_secs(5),
        },
        retries: QUICK,
    };
    let remote = Remote::new(remote.check().unwrap()).unwrap();
    let places = Places { datadir: folder.join("d"), workdir: folder.join("d/workdir") };
    let instance = SqliteLedger::read_instance(&folder.join("d/state/state.db"));
    let key = Some(Secret::new(key.to_owned()));
    Engine::on(remote, &settings(), key, places, access, instance.as_ref(), Arc::new(OwnFormats))
}

fn empty_folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("tgsignd-").tempdir_in("/tmp").unwrap();
    for sub in ["d", "d/state", "d/sessions", "w"] {
        fs::create_dir(folder.path().join(sub)).unwrap();
        fs::set_permissions(folder.path().join(sub), fs::Permissions::from_mode(0o700)).unwrap();
    }
    folder
}

impl Host {
    /// With a ledger, a session and a workdir.
    pub(super) fn used(url: &str) -> Self {
        let folder = empty_folder();
        drop(SqliteLedger::open(&folder.path().join("d/state/state.db")).unwrap());
        let host = Self::at(folder, url, KEY);
        host.sign_in("alice", 1001);
        host.work();
        host
    }

    /// With nothing.
    pub(super) fn empty(url: &str, key: &str) -> Self {
        Self::at(empty_folder(), url, key)
    }

    fn at(folder: TempDir, url: &str, key: &str) -> Self {
        let engine = engine(url, key, folder.path(), Access::Owner).unwrap();
        let host = Self { folder, engine, url: url.to_owned(), key: key.to_owned() };
        host.write_workdir(&format!(
            "version = 1\n[backup]\nurl = \"{url}\"\nusername = \"alice\"\npassword = \"{PASSWORD}\"\n\
             remote_path = \"/backup/\"\nencryption_key = \"{key}\"\nlevel = 1\n"
        ));
        host
    }

    /// Another host with the same disk, as a copied volume is.
    pub(super) fn copy(&self) -> Self {
        let folder = empty_folder();
        for file in files(&self.datadir()) {
            let to = folder.path().join("d").join(&file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(self.datadir().join(&file), to).unwrap();
        }
        Self::at(folder, &self.url, &self.key)
    }

    /// The process ends and begins anew, with what is on the disk.
    pub(super) fn restart(&mut self) {
        self.engine = engine(&self.url, &self.key, self.folder.path(), Access::Owner).unwrap();
    }

    /// An engine for the actor of a daemon, and settings with this interval.
    pub(super) fn of_daemon(&self, interval: Duration) -> (Engine, Backup) {
        let engine = engine(&self.url, &self.key, self.folder.path(), Access::Owner).unwrap();
        (engine, Backup { interval, min_gap: interval, drill: Duration::from_hours(1), ..settings() })
    }

    /// An engine that only looks.
    pub(super) fn reader(&self) -> Engine {
        engine(&self.url, &self.key, self.folder.path(), Access::Reader).unwrap()
    }

    pub(super) fn datadir(&self) -> PathBuf {
        self.folder.path().join("d")
    }

    fn database(&self) -> PathBuf {
        self.datadir().join("state/state.db")
    }

    pub(super) fn write_workdir(&self, text: &str) {
        fs::write(self.folder.path().join("w/tgsignd.toml"), text).unwrap();
    }

    pub(super) fn workdir(&self) -> String {
        fs::read_to_string(self.folder.path().join("w/tgsignd.toml")).unwrap()
    }

    /// A file that only its owner reads, beside the workdir.
    pub(super) fn write_secret(&self, name: &str, text: &str) -> PathBuf {
        let file = self.folder.path().join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        file
    }

    pub(super) fn sign_in(&self, account: &str, user_id: i64) {
        let network = DataCentres::Simulated(vec![TestDataCentre {
            id: 2,
            address: "127.0.0.1:4433".parse().unwrap(),
            key_seed: Some(Secret::new("seed".into())),
        }]);
        let path = SessionFile::path(&self.datadir().join("sessions"), account);
        SessionFile::create(path, account, &network).sign_in(user_id).unwrap();
    }

    /// One more slot in the ledger.
    pub(super) fn work(&self) {
        let at = now() + TimeDelta::minutes(i64::try_from(self.runs()).unwrap());
        let key = RunKey { task: "task".parse().unwrap(), account: "alice".parse().unwrap(), slot: Slot::at(at) };
        let mut ledger = SqliteLedger::open(&self.database()).unwrap();
        ledger.record_without_run(&key, NotRun::Missed, "was off", at).unwrap();
    }

    /// Runs in the ledger on the disk.
    pub(super) fn runs(&self) -> usize {
        let mut ledger = SqliteLedger::open(&self.database()).unwrap();
        ledger.runs(&RunFilter { task: None, account: None, since: None, limit: usize::MAX }).unwrap().len()
    }

    pub(super) fn inputs(&self, history: History) -> Inputs {
        assert!(self.database().exists(), "there is nothing to commit");
        let workdir = BTreeMap::from([("tgsignd.toml".to_owned(), b"version = 1\n".to_vec())]);
        Inputs { workdir, since: now() - TimeDelta::days(1), history, ledger: None }
    }

    /// A command of this host, with its key and its server.
    pub(super) fn tgsignd(&self, arguments: &[&str]) -> Invocation {
        let (workdir, datadir) = (self.folder.path().join("w"), self.datadir());
        let places: [&Path; 4] = ["--workdir".as_ref(), &workdir, "--datadir".as_ref(), &datadir];
        Invocation::new(arguments).arguments(places)
    }

    /// Everything that a user would miss.
    pub(super) fn sessions(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let folder = self.datadir().join("sessions");
        files(&folder).into_iter().map(|file| (file.clone(), fs::read(folder.join(&file)).unwrap())).collect()
    }

    /// All files of the data directory, by relative path.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        files(&self.datadir())
    }
}

/// Whole seconds, as slots are.
fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}
