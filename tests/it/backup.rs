//! Real sessions and a real ledger through an archive and back, with us and with age and tar alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{DateTime, TimeDelta, Utc};
use tgsignd::backup::archive::Contents;
use tgsignd::backup::keys::{DerivedKeys, Recipients};
use tgsignd::backup::log::NewPart;
use tgsignd::backup::manifest::PartObject;
use tgsignd::backup::place::{Limits, Only, Order, RestoreError, Sealed, Staging, restore};
use tgsignd::config::TestDataCentre;
use tgsignd::config::secret::Secret;
use tgsignd::daemon::backup_formats::OwnFormats;
use tgsignd::ledger::{Claim, Ledger, NotRun, RunFilter, SqliteLedger, Trigger};
use tgsignd::names::{RunId, RunKey, Slot};
use tgsignd::telegram::data_centre::DataCentres;
use tgsignd::telegram::session::SessionFile;

use crate::kit::tools::tool;

const KEY: &str = "a text of more than thirty-two bytes";

fn keys() -> DerivedKeys {
    DerivedKeys::from_text(&Secret::new(KEY.to_owned())).unwrap()
}

fn network() -> DataCentres {
    DataCentres::Simulated(vec![TestDataCentre {
        id: 2,
        address: "127.0.0.1:4433".parse().unwrap(),
        key_seed: Some(Secret::new("seed".into())),
    }])
}

fn at(hour: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::hours(hour)
}

fn key(hour: i64) -> RunKey {
    RunKey { task: "task".parse().unwrap(), account: "alice".parse().unwrap(), slot: Slot::at(at(hour)) }
}

/// A data directory in use: its ledger is open and has claims in its write-ahead log.
struct Used {
    folder: tempfile::TempDir,
    ledger: SqliteLedger,
}

impl Used {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sessions")).unwrap();
        let path = SessionFile::path(&folder.path().join("sessions"), "alice");
        SessionFile::create(path, "alice", &network()).sign_in(1001).unwrap();
        let mut ledger = SqliteLedger::open(&folder.path().join("state/state.db")).unwrap();
        for hour in 0..100 {
            ledger.record_without_run(&key(hour), NotRun::Missed, "was off", at(hour)).unwrap();
        }
        Self { folder, ledger }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Seals the history now and the core after one more claim.
    fn backup(&mut self, into: &Path) -> (PartObject, PartObject) {
        let recipients = Recipients::new([keys().identity.recipient()]).unwrap();
        let source = self.at("state/state.db");
        SqliteLedger::copy_into(&source, &into.join("whole.db")).unwrap();
        let history = Contents::history(&into.join("whole.db"));
        let history = history.seal(&OwnFormats, &recipients, 6, &into.join("history.age")).unwrap();
        let claim = Claim {
            run_id: RunId::new(&key(100), at(100)),
            key: key(100),
            trigger: Trigger::Scheduled,
            fire_at: at(100),
            claimed_at: at(100),
            script: serde_json::json!({ "steps": [] }),
        };
        self.ledger.claim(&claim).unwrap();
        SqliteLedger::copy_recent_into(&source, &into.join("recent.db"), at(90)).unwrap();
        let workdir = BTreeMap::from([("tgsignd.toml".to_owned(), b"version = 1\n".to_vec())]);
        let core = Contents::core(&self.at("sessions"), &workdir, &into.join("recent.db"), &OwnFormats).unwrap();
        assert_eq!(core.left_out(), []);
        let core = core.seal(&OwnFormats, &recipients, 6, &into.join("core.age")).unwrap();
        (part("core.age", &core), part("history.age", &history))
    }
}

fn part(object: &str, new: &NewPart) -> PartObject {
    let NewPart { size, sha256, content, recipients } = new.clone();
    PartObject { object: object.to_owned(), size, sha256, content, recipients }
}

fn runs(ledger: &mut SqliteLedger) -> usize {
    ledger.runs(&RunFilter { task: None, account: None, since: None, limit: usize::MAX }).unwrap().len()
}

#[test]
fn a_data_directory_comes_back_whole() {
    let (mut used, sealed, fresh) = (Used::new(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (core, history) = used.backup(sealed.path());
    let (core_file, history_file) = (sealed.path().join("core.age"), sealed.path().join("history.age"));
    let identity = keys().identity;
    let order = Order {
        datadir: fresh.path(),
        workdir: &fresh.path().join("workdir"),
        core: Sealed { file: &core_file, part: &core },
        history: Some(Sealed { file: &history_file, part: &history }),
        identity: &identity,
        formats: &OwnFormats,
        only: Only::ALL,
        limits: Limits::default(),
        position: None,
    };
    // The drill first: it verifies everything and leaves nothing.
    let scratch = sealed.path().join("drill");
    drop(Staging::fill(&scratch, order.core, order.history, &identity, &OwnFormats, Limits::default()).unwrap());
    assert!(!scratch.exists());

    restore(&order).unwrap();
    let mut ledger = SqliteLedger::open(&fresh.path().join("state/state.db")).unwrap();
    assert_eq!((runs(&mut ledger), ledger.open_claims()), (100, used.ledger.open_claims()));
    assert_eq!(ledger.instance(), used.ledger.instance());
    let session = SessionFile::open(&fresh.path().join("sessions"), "alice", &network()).unwrap();
    assert_eq!(session.my_id(), Some(1001));
    assert_eq!(fs::read_to_string(fresh.path().join("workdir/tgsignd.toml")).unwrap(), "version = 1\n");

    let stranger = DerivedKeys::from_text(&Secret::new("x".repeat(40))).unwrap().identity;
    let refused = restore(&Order { identity: &stranger, ..order }).unwrap_err();
    assert!(matches!(refused, RestoreError::WrongKey), "{refused}");
}

#[test]
fn a_session_that_is_none_stays_out_and_is_named() {
    let (used, sealed) = (Used::new(), tempfile::tempdir().unwrap());
    fs::write(used.at("sessions/bob.session"), "{").unwrap();
    SqliteLedger::copy_into(&used.at("state/state.db"), &sealed.path().join("copy.db")).unwrap();
    let copy = sealed.path().join("copy.db");
    let contents = Contents::core(&used.at("sessions"), &BTreeMap::new(), &copy, &OwnFormats).unwrap();
    let [left_out] = contents.left_out() else { panic!("one of two") };
    assert_eq!(left_out.file, used.at("sessions/bob.session"));
    assert!(left_out.why.contains("damaged"), "{}", left_out.why);
}

#[test]
fn age_and_tar_are_enough_to_restore() {
    let (Some(age), Some(tar)) = (tool("age"), tool("tar")) else { return };
    let (mut used, sealed) = (Used::new(), tempfile::tempdir().unwrap());
    let (core, history) = used.backup(sealed.path());
    let identity = sealed.path().join("identity.txt");
    fs::write(&identity, format!("# from `tgsignd backup key`\n{}\n", keys().identity.to_text().expose())).unwrap();
    for part in [history, core] {
        let (archive, out) = (sealed.path().join("archive.tar.gz"), sealed.path().join("out"));
        fs::create_dir_all(&out).unwrap();
        let file = sealed.path().join(&part.object);
        let decrypted =
            Command::new(&age).arg("-d").arg("-i").arg(&identity).arg("-o").arg(&archive).arg(file).status();
        assert!(decrypted.unwrap().success());
        let listing = Command::new(&tar).arg("tvzf").arg(&archive).output().unwrap();
        assert!(listing.status.success() && listing.stderr.is_empty(), "{listing:?}");
        let listing = String::from_utf8(listing.stdout).unwrap();
        assert!(listing.lines().all(|line| line.starts_with("-rw------- 0/0 ")), "{listing}");
        let unpacked = Command::new(&tar).arg("xzf").arg(&archive).arg("-C").arg(&out).output().unwrap();
        assert!(unpacked.status.success() && unpacked.stderr.is_empty(), "{unpacked:?}");
    }
    // What was unpacked last, the core, is a data directory.
    let out = sealed.path().join("out");
    let mut ledger = SqliteLedger::open(&out.join("state/state.db")).unwrap();
    assert_eq!(ledger.open_claims(), used.ledger.open_claims());
    assert_eq!(runs(&mut ledger), 10);
    assert_eq!(SessionFile::open(&out.join("sessions"), "alice", &network()).unwrap().my_id(), Some(1001));
}
