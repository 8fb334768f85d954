#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::backup::keys::DerivedKeys;
use crate::config::secret::Secret;

/// A session is its first line; the rest is cache.
struct FirstLines;

impl Formats for FirstLines {
    fn session_meaning(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        Ok(bytes.split(|byte| *byte == b'\n').next().unwrap_or_default().to_vec())
    }

    fn check_ledger(&self, _: &Path) -> Result<(), String> {
        Ok(())
    }

    fn merge_ledgers(&self, _: &Path, _: &Path) -> Result<(), String> {
        Ok(())
    }
}

struct State(tempfile::TempDir);

impl State {
    fn new() -> Self {
        let state = Self(tempfile::tempdir().unwrap());
        fs::create_dir(state.at("sessions")).unwrap();
        fs::write(state.at("sessions/alice.session"), "key\ncache").unwrap();
        fs::write(state.at("sessions/alice.session-new"), "half").unwrap();
        fs::write(state.at("copy.db"), "ledger").unwrap();
        state
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn core(&self, workdir: &[(&str, &str)]) -> Contents {
        let workdir = workdir.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
        Contents::core(&self.at("sessions"), &workdir, &self.at("copy.db"), &FirstLines).unwrap()
    }

    fn digest(&self, workdir: &[(&str, &str)]) -> Sha256Digest {
        self.core(workdir).digest(&FirstLines).unwrap()
    }
}

fn recipients() -> Recipients {
    let keys = DerivedKeys::from_text(&Secret::new("k".repeat(32))).unwrap();
    Recipients::new([keys.identity.recipient()]).unwrap()
}

#[test]
fn a_digest_changes_with_the_meaning_and_with_nothing_else() {
    let state = State::new();
    let workdir = [("tgsignd.toml", "version = 1")];
    let before = state.digest(&workdir);
    fs::write(state.at("sessions/alice.session"), "key\nanother cache").unwrap();
    fs::write(state.at("sessions/stray"), "x").unwrap();
    assert_eq!(state.digest(&workdir), before);
    fs::write(state.at("sessions/alice.session"), "another key\n").unwrap();
    let changed = state.digest(&workdir);
    fs::write(state.at("sessions/bob.session"), "key").unwrap();
    let added = state.digest(&workdir);
    fs::write(state.at("copy.db"), "Ledger").unwrap();
    let ledger = state.digest(&workdir);
    let moved = [("a.toml", "version = 1")];
    let all = [before, changed, added, ledger, state.digest(&moved), state.digest(&[("tgsignd.toml", "version = 2")])];
    let different: std::collections::BTreeSet<_> = all.into_iter().collect();
    assert_eq!(different.len(), all.len());
}

#[test]
fn nothing_is_sealed_that_would_not_be_unpacked() {
    let state = State::new();
    let workdir: BTreeMap<String, Vec<u8>> =
        (0..MOST_MEMBERS).map(|number| (format!("{number}.toml"), Vec::new())).collect();
    let contents = Contents::core(&state.at("sessions"), &workdir, &state.at("copy.db"), &FirstLines).unwrap();
    let refused = contents.seal(&FirstLines, &recipients(), 6, &state.at("core.age")).unwrap_err();
    assert!(matches!(refused, SealError::TooMany(count) if count > MOST_MEMBERS), "{refused}");
    assert!(!state.at("core.age").exists());
}

#[test]
fn sealing_tells_what_was_written_and_never_writes_over_anything() {
    let state = State::new();
    let contents = state.core(&[("tgsignd.toml", "version = 1")]);
    let part = contents.seal(&FirstLines, &recipients(), 6, &state.at("core.age")).unwrap();
    assert_eq!(digest_of(&state.at("core.age")).unwrap(), (part.size, part.sha256));
    let again = contents.seal(&FirstLines, &recipients(), 6, &state.at("again.age")).unwrap();
    assert_eq!((again.content, again.recipients), (part.content, part.recipients));
    assert_ne!(again.sha256, part.sha256, "every sealing has its own key");
    assert!(contents.seal(&FirstLines, &recipients(), 6, &state.at("core.age")).is_err());
    assert_eq!(digest_of(&state.at("core.age")).unwrap(), (part.size, part.sha256));
    // The copy of the ledger vanished: nothing half is left.
    fs::remove_file(state.at("copy.db")).unwrap();
    assert!(contents.seal(&FirstLines, &recipients(), 6, &state.at("third.age")).is_err());
    assert!(!state.at("third.age").exists());
}
