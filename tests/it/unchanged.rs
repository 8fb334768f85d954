//! A look at a data directory in which nothing changed copies nothing, and whatever does change is seen.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use tgsignd::backup::formats::Formats;
use tgsignd::backup::sync::{Access, Engine, Files, History, Inputs, Outcome, Places, Reason, Secrets};
use tgsignd::config::secret::{Secret, SecretRef};
use tgsignd::config::{Backup, BackupKeys, Keep, TestDataCentre, WebdavCredentials};
use tgsignd::daemon::backup_formats::OwnFormats;
use tgsignd::ledger::{LedgerHandle, NotRun, SlotNotRun, SqliteLedger};
use tgsignd::names::{RunKey, Slot};
use tgsignd::telegram::data_centre::DataCentres;
use tgsignd::telegram::session::SessionFile;
use webdav_sim::Server;

const KEY: &str = "a text of more than thirty-two bytes";

/// Our own formats, and how often a ledger was copied.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Formats for Counting {
    fn session_meaning(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        OwnFormats.session_meaning(bytes)
    }

    fn check_ledger(&self, file: &Path) -> Result<(), String> {
        OwnFormats.check_ledger(file)
    }

    fn merge_ledgers(&self, whole: &Path, recent: &Path) -> Result<(), String> {
        OwnFormats.merge_ledgers(whole, recent)
    }
}

impl Files for Counting {
    fn copy_ledger(&self, source: &Path, target: &Path) -> Result<(), String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        OwnFormats.copy_ledger(source, target)
    }

    fn copy_recent(&self, source: &Path, target: &Path, since: DateTime<Utc>) -> Result<(), String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        OwnFormats.copy_recent(source, target, since)
    }
}

struct Stage {
    folder: tempfile::TempDir,
    server: Server,
    ledger: LedgerHandle,
    files: Arc<Counting>,
    engine: Engine,
    workdir: &'static str,
    since: DateTime<Utc>,
}

/// What a look did.
#[derive(Debug, PartialEq)]
struct Look {
    committed: bool,
    copies: usize,
    uploads: usize,
}

const NOTHING: Look = Look { committed: false, copies: 0, uploads: 0 };

impl Stage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sessions")).unwrap();
        let database = folder.path().join("state/state.db");
        let ledger = LedgerHandle::start(SqliteLedger::open(&database).unwrap(), &database).unwrap();
        let (server, files) = (Server::start(webdav_sim::profiles::APACHE).await.unwrap(), Arc::default());
        let engine = open(folder.path(), &server, &files, &ledger).await;
        let stage = Self { folder, server, ledger, files, engine, workdir: "version = 1\n", since: at(-100) };
        stage.sign_in("alice");
        stage.work(0).await;
        stage
    }

    fn sign_in(&self, account: &str) {
        let key_seed = Some(Secret::new("seed".to_owned()));
        let centre = TestDataCentre { id: 2, address: "127.0.0.1:1".parse().unwrap(), key_seed };
        let path = SessionFile::path(&self.folder.path().join("sessions"), account);
        SessionFile::create(path, account, &DataCentres::Simulated(vec![centre])).sign_in(1).unwrap();
    }

    async fn work(&self, hour: i64) {
        let key = RunKey { task: "t".parse().unwrap(), account: "alice".parse().unwrap(), slot: Slot::at(at(hour)) };
        let slot = SlotNotRun { key, what: NotRun::Missed, reason: "was off".to_owned(), at: at(hour) };
        self.ledger.record_all_without_run(vec![slot]).await.unwrap();
    }

    async fn look(&mut self, history: History) -> Look {
        let version = self.ledger.version().await.unwrap();
        self.look_at(Some(version), history).await
    }

    async fn look_at(&mut self, ledger: Option<tgsignd::ledger::LedgerVersion>, history: History) -> Look {
        let workdir = BTreeMap::from([("tgsignd.toml".to_owned(), self.workdir.as_bytes().to_vec())]);
        let inputs = Inputs { workdir, since: self.since, history, ledger };
        let before = self.files.0.load(Ordering::SeqCst);
        self.server.forget_requests();
        let outcome = self.engine.commit(&inputs, Reason::Interval).await.unwrap();
        let uploads = self.server.requests().iter().filter(|request| request.method == "PUT").count();
        let committed = matches!(outcome, Outcome::Committed(_));
        assert_eq!(committed, uploads > 0);
        Look { committed, copies: self.files.0.load(Ordering::SeqCst) - before, uploads }
    }
}

fn at(hour: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::hours(hour)
}

async fn open(datadir: &Path, server: &Server, files: &Arc<Counting>, ledger: &LedgerHandle) -> Engine {
    let inline = |text: &str| SecretRef::Inline(Secret::new(text.to_owned()));
    let settings = Backup {
        credentials: Some(WebdavCredentials { username: "alice".to_owned(), password: inline("hunter2") }),
        remote_path: "/backup/".to_owned(),
        level: 1,
        keep: Keep { last: 3, daily: 0, weekly: 0 },
        ..Backup::at(server.url(), BackupKeys::Derived(inline(KEY)))
    };
    let secret = |text: &str| Some(Secret::new(text.to_owned()));
    let secrets = Secrets { password: secret("hunter2"), key: secret(KEY), certificates: None };
    let places = Places { datadir: datadir.to_owned(), workdir: datadir.join("workdir") };
    let instance = ledger.instance().await.unwrap();
    let files = Arc::<Counting>::clone(files);
    Engine::open(&settings, secrets, places, Access::Owner, Some(&instance), files).unwrap()
}

#[tokio::test]
async fn nothing_is_copied_while_nothing_changes() {
    let mut stage = Stage::new().await;
    let first = stage.look(History::WhenDue).await;
    assert_eq!((first.committed, first.copies), (true, 2), "the core and the history");
    for history in [History::Leave, History::WhenDue, History::Include] {
        assert_eq!(stage.look(history).await, NOTHING);
    }
    // A day later less would be in the core, which is no news.
    stage.since = at(-50);
    assert_eq!(stage.look(History::Leave).await, NOTHING);
    // Without the ledger's version the contents are compared.
    assert_eq!(stage.look_at(None, History::Leave).await, Look { copies: 1, ..NOTHING });
    // A new process has seen nothing yet.
    stage.engine = open(stage.folder.path(), &stage.server, &stage.files, &stage.ledger).await;
    assert_eq!(stage.look(History::Include).await, Look { copies: 2, ..NOTHING });
    assert_eq!(stage.look(History::Include).await, NOTHING);
}

#[tokio::test]
async fn whatever_changes_is_committed() {
    let mut stage = Stage::new().await;
    assert!(stage.look(History::WhenDue).await.committed);
    stage.work(1).await;
    assert!(stage.look(History::Leave).await.committed, "a run");
    assert_eq!(stage.look(History::Leave).await, NOTHING);
    assert!(stage.look(History::Include).await.committed, "the history, which was lent so far");
    stage.sign_in("bob");
    assert!(stage.look(History::Leave).await.committed, "a session");
    fs::remove_file(SessionFile::path(&stage.folder.path().join("sessions"), "bob")).unwrap();
    assert!(stage.look(History::Leave).await.committed, "a session that went");
    stage.workdir = "version = 1 # changed\n";
    assert!(stage.look(History::Leave).await.committed, "the workdir");
    stage.since = at(-200);
    assert_eq!(stage.look(History::Leave).await.copies, 1, "a longer window has to be looked at");
    assert_eq!(stage.look(History::Include).await, NOTHING);
}
