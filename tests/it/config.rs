//! Whole workdirs, read from disk and loaded: every case is a folder below `tests/cases/config`.
//!
//! `expected.txt` holds the diagnostics, `environment` the variables, a line each. `UPDATE_EXPECTED=1` writes the former.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tgsignd::config::{self, Diagnostic, Loaded};
use tgsignd::daemon::workdir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn cases(kind: &str) -> Vec<PathBuf> {
    let folder = root().join("tests/cases/config").join(kind);
    let mut cases: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

fn load(case: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    let environment = fs::read_to_string(case.join("environment")).unwrap_or_default();
    let environment: BTreeMap<String, String> = environment
        .lines()
        .map(|line| line.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.replace("\\n", "\n")))
        .collect();
    config::load(&workdir::read(case, environment).unwrap())
}

fn compare(case: &Path, diagnostics: &[Diagnostic]) {
    let found: String = diagnostics.iter().map(|diagnostic| format!("{diagnostic}\n")).collect();
    let path = case.join("expected.txt");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{}", case.display());
}

#[test]
fn bad_workdirs_are_refused_with_every_error_at_its_place() {
    let cases = cases("bad");
    for case in &cases {
        match load(case) {
            Ok(_) => panic!("{} is accepted", case.display()),
            Err(diagnostics) => compare(case, &diagnostics),
        }
    }
    assert_eq!(cases.len(), 18);
}

#[test]
fn good_workdirs_load_with_the_expected_warnings() {
    let cases = cases("ok");
    for case in &cases {
        match load(case) {
            Ok(loaded) => compare(case, &loaded.warnings),
            Err(diagnostics) => panic!("{}: {diagnostics:#?}", case.display()),
        }
    }
    assert_eq!(cases.len(), 5);
}
