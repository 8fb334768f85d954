#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::restore::restore_watched;
use super::*;
use crate::backup::archive::Contents;
use crate::backup::formats::Formats;
use crate::backup::keys::{DerivedKeys, Recipients};
use crate::backup::manifest::PartObject;
use crate::config::secret::Secret;

/// Texts in the place of sessions and ledgers; `tests/it/backup.rs` does it with the real ones.
struct Texts;

impl Formats for Texts {
    fn session_meaning(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        bytes.strip_prefix(b"session ").map(<[u8]>::to_vec).ok_or_else(|| "no session".to_owned())
    }

    fn check_ledger(&self, file: &Path) -> Result<(), String> {
        if fs::read(file).unwrap().starts_with(b"ledger") { Ok(()) } else { Err("no ledger".to_owned()) }
    }

    fn merge_ledgers(&self, whole: &Path, recent: &Path) -> Result<(), String> {
        fs::write(whole, [fs::read(whole).unwrap(), fs::read(recent).unwrap()].concat())
            .map_err(|error| error.to_string())
    }
}

fn keys(text: &str) -> DerivedKeys {
    DerivedKeys::from_text(&Secret::new(text.repeat(32))).unwrap()
}

struct Backup {
    folder: tempfile::TempDir,
    core: PartObject,
    history: PartObject,
}

impl Backup {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("sessions")).unwrap();
        for (name, text) in
            [("alice.session", "session of alice"), ("bob.session", "session of bob"), ("bad.session", "torn")]
        {
            fs::write(at("sessions").join(name), text.replace("session of", "session ")).unwrap();
        }
        fs::write(at("recent.db"), "ledger recent;").unwrap();
        fs::write(at("whole.db"), "ledger whole;").unwrap();
        let workdir = [("tgsignd.toml", "version = 1"), ("sub/a.toml", "[tasks]"), ("notes.txt", "x")];
        let workdir = workdir.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())).into();
        let core = Contents::core(&at("sessions"), &workdir, &at("recent.db"), &Texts).unwrap();
        assert_eq!(core.left_out().len(), 1);
        let history = Contents::history(&at("whole.db"));
        let recipients = Recipients::new([keys("a").identity.recipient(), keys("b").identity.recipient()]).unwrap();
        let seal = |contents: Contents, name: &str| {
            let part = contents.seal(&Texts, &recipients, 6, &at(name)).unwrap();
            PartObject {
                object: name.to_owned(),
                size: part.size,
                sha256: part.sha256,
                content: part.content,
                recipients: part.recipients,
            }
        };
        let (core, history) = (seal(core, "core.age"), seal(history, "history.age"));
        Self { folder, core, history }
    }

    fn file(&self, part: &PartObject) -> PathBuf {
        self.folder.path().join(&part.object)
    }

    fn restore(
        &self,
        datadir: &Path,
        key: &str,
        watch: &mut dyn FnMut(&'static str) -> io::Result<()>,
    ) -> Result<Report, RestoreError> {
        self.restore_only(datadir, &datadir.join("workdir"), key, Only::ALL, watch)
    }

    fn restore_only(
        &self,
        datadir: &Path,
        workdir: &Path,
        key: &str,
        only: Only,
        watch: &mut dyn FnMut(&'static str) -> io::Result<()>,
    ) -> Result<Report, RestoreError> {
        let (core, history) = (self.file(&self.core), self.file(&self.history));
        let order = Order {
            datadir,
            workdir,
            core: Sealed { file: &core, part: &self.core },
            history: Some(Sealed { file: &history, part: &self.history }),
            identity: &keys(key).identity,
            formats: &Texts,
            only,
            limits: Limits::default(),
            position: Some(b"new position".to_vec()),
        };
        restore_watched(&order, watch)
    }
}

/// Every file below `folder` with its bytes.
pub(super) fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().display().to_string(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn texts(expected: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    expected.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
}

const RESTORED: [(&str, &str); 6] = [
    ("sessions/alice.session", "session  alice"),
    ("sessions/bob.session", "session  bob"),
    ("state/state.db", "ledger whole;ledger recent;"),
    ("state/backup.json", "new position"),
    ("workdir/tgsignd.toml", "version = 1"),
    ("workdir/sub/a.toml", "[tasks]"),
];

#[test]
fn an_empty_data_directory_gets_everything() {
    let backup = Backup::new();
    for key in ["a", "b"] {
        let datadir = tempfile::tempdir().unwrap();
        let report = backup.restore(datadir.path(), key, &mut |_| Ok(())).unwrap();
        assert_eq!(tree(datadir.path()), texts(&RESTORED));
        assert_eq!(
            (report.sessions.len(), report.ledger, report.workdir),
            (2, true, Some(datadir.path().join("workdir")))
        );
        let mode = |name: &str| fs::metadata(datadir.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("sessions/alice.session"), mode("sessions"), mode("state/state.db")), (0o600, 0o700, 0o600));
        assert_eq!(recover(datadir.path()).unwrap(), Recovered::Nothing);
    }
}

const BEFORE: [(&str, &str); 7] = [
    ("sessions/alice.session", "session  older alice"),
    ("sessions/carol.session", "session  carol"),
    ("state/state.db", "ledger old"),
    ("state/state.db-wal", "old log"),
    ("state/state.db-shm", "old index"),
    ("state/backup.json", "old position"),
    ("workdir/mine.toml", "local"),
];

fn populated() -> tempfile::TempDir {
    let datadir = tempfile::tempdir().unwrap();
    for (name, text) in BEFORE {
        let path = datadir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    datadir
}

fn after() -> BTreeMap<String, Vec<u8>> {
    let mut after = texts(&RESTORED);
    after.extend(texts(&[("sessions/carol.session", "session  carol"), ("workdir/mine.toml", "local")]));
    for name in ["tgsignd.toml", "sub/a.toml"] {
        let bytes = after.remove(&format!("workdir/{name}")).unwrap();
        after.insert(format!("restored/workdir/{name}"), bytes);
    }
    after
}

#[test]
fn a_step_that_fails_leaves_what_was_there() {
    let backup = Backup::new();
    let mut failures = 0;
    for stop in 0.. {
        let datadir = populated();
        let mut step = 0;
        let result = backup.restore(datadir.path(), "a", &mut |_| {
            step += 1;
            if step == stop + 1 { Err(io::Error::other("asked for")) } else { Ok(()) }
        });
        if let Err(error) = result {
            failures += 1;
            assert!(error.to_string().contains("asked for"), "{error}");
            assert_eq!(tree(datadir.path()), texts(&BEFORE), "after step {stop}");
        } else {
            // Only what is left to clean up failed.
            recover(datadir.path()).unwrap();
            assert_eq!(tree(datadir.path()), after());
        }
        if step <= stop {
            break;
        }
    }
    assert!(failures > 10, "{failures}");
}

#[test]
fn a_process_that_is_killed_anywhere_leaves_one_or_the_other() {
    let backup = Backup::new();
    let (mut befores, mut afters) = (0, 0);
    for stop in 0.. {
        let datadir = populated();
        let mut step = 0;
        let killed = catch_unwind(AssertUnwindSafe(|| {
            backup.restore(datadir.path(), "a", &mut |_| {
                step += 1;
                assert!(step != stop + 1, "killed");
                Ok(())
            })
        }));
        recover(datadir.path()).unwrap();
        let found = tree(datadir.path());
        if found == after() {
            afters += 1;
        } else {
            assert_eq!(found, texts(&BEFORE), "after step {stop}");
            befores += 1;
        }
        if killed.is_ok() {
            break;
        }
    }
    assert!(befores > 0 && afters > 10, "{befores} {afters}");
}

#[test]
fn only_what_was_asked_for_is_put_in_place() {
    let backup = Backup::new();
    let nothing = Only { sessions: false, ledger: false, workdir: false };
    let datadir = populated();
    let only = Only { workdir: true, ..nothing };
    let mut go = |_| Ok(());
    for folder in ["restored/workdir", "restored/workdir-2"] {
        let report = backup.restore_only(datadir.path(), &datadir.path().join("workdir"), "a", only, &mut go).unwrap();
        assert_eq!(report, Report { workdir: Some(datadir.path().join(folder)), ..Report::default() });
        assert_eq!(fs::read(datadir.path().join(folder).join("sub/a.toml")).unwrap(), b"[tasks]");
    }
    // A workdir outside of the data directory is never written.
    let (datadir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    backup.restore_only(datadir.path(), elsewhere.path(), "a", only, &mut go).unwrap();
    assert_eq!(tree(elsewhere.path()).len(), 0);
    assert!(
        datadir.path().join("restored/workdir/tgsignd.toml").exists()
            && !datadir.path().join("state/state.db").exists()
    );
    let only = Only { sessions: true, ..nothing };
    let datadir = tempfile::tempdir().unwrap();
    backup.restore_only(datadir.path(), &datadir.path().join("workdir"), "a", only, &mut go).unwrap();
    assert_eq!(tree(datadir.path()).len(), 2 + 1);
}

#[test]
fn a_wrong_key_and_every_kind_of_damage_change_nothing() {
    let mut backup = Backup::new();
    let datadir = populated();
    let refused = |backup: &Backup, key: &str| {
        let error = backup.restore(datadir.path(), key, &mut |_| Ok(())).unwrap_err();
        assert_eq!(tree(datadir.path()), texts(&BEFORE));
        error
    };
    assert!(matches!(refused(&backup, "c"), RestoreError::WrongKey));
    let file = backup.file(&backup.core);
    let good = fs::read(&file).unwrap();
    for position in [0, 100, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[position] ^= 1;
        fs::write(&file, bad).unwrap();
        assert!(matches!(refused(&backup, "a"), RestoreError::NotAsSigned(_)));
    }
    fs::write(&file, &good[..good.len() - 1]).unwrap();
    assert!(matches!(refused(&backup, "a"), RestoreError::NotAsSigned(_)));
    fs::write(&file, &good).unwrap();
    // A manifest that describes the archive and another content, or the other part.
    let content = backup.core.content;
    backup.core.content = backup.history.content;
    assert!(matches!(refused(&backup, "a"), RestoreError::OtherContent));
    backup.core.content = content;
    backup.history = backup.core.clone();
    assert!(matches!(refused(&backup, "a"), RestoreError::OtherContent));
}

#[test]
fn a_long_name_survives() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("sessions")).unwrap();
    fs::write(at("l.db"), "ledger").unwrap();
    let name = format!("{}.toml", "签".repeat(80));
    let workdir = BTreeMap::from([(name.clone(), b"x".to_vec())]);
    let contents = Contents::core(&at("sessions"), &workdir, &at("l.db"), &Texts).unwrap();
    let recipients = Recipients::new([keys("a").identity.recipient()]).unwrap();
    contents.seal(&Texts, &recipients, 1, &at("core.age")).unwrap();
    fs::create_dir(at("out")).unwrap();
    let members = unpack(open(&at("core.age"), &keys("a").identity).unwrap(), &at("out"), Limits::default()).unwrap();
    assert_eq!(members.len(), 2);
    assert!(at("out/workdir").join(name).exists());
}
