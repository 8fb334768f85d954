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
    assert_eq!(cases.len(), 30);
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

/// Every configuration that is shipped, and those of the good cases.
fn shipped() -> Vec<PathBuf> {
    let mut found = vec![root().join("config.example.toml")];
    let mut folders = vec![root().join("contrib"), root().join("tests/cases/config/ok")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                found.push(path);
            }
        }
    }
    found
}

fn json(path: &Path) -> serde_json::Value {
    let text = fs::read_to_string(path).unwrap();
    serde_json::to_value(toml::from_str::<toml::Table>(text.trim_start_matches('\u{feff}')).unwrap()).unwrap()
}

#[test]
fn the_example_passes_check_without_a_word() {
    let workdir = tempfile::tempdir().unwrap();
    fs::copy(root().join("config.example.toml"), workdir.path().join("tgsignd.toml")).unwrap();
    let loaded = config::load(&workdir::read(workdir.path(), BTreeMap::new()).unwrap()).unwrap();
    assert_eq!(loaded.warnings, []);
    assert_eq!((loaded.snapshot.tasks.len(), loaded.snapshot.accounts.len()), (3, 1));
}

#[test]
fn the_schema_accepts_every_shipped_configuration() {
    let validator = jsonschema::validator_for(&config::schema::schema()).unwrap();
    let shipped = shipped();
    for path in &shipped {
        let errors: Vec<_> = validator.iter_errors(&json(path)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
    assert!(shipped.len() >= 8, "{}", shipped.len());
}

#[test]
fn the_schema_is_one_and_refuses_what_has_the_wrong_shape() {
    let schema = config::schema::schema();
    assert!(jsonschema::meta::is_valid(&schema));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let refused =
        ["unknown-keys", "wrong-version", "durations", "steps", "settings", "missed-and-retry", "later", "secret-2"];
    for case in refused {
        let path = root().join("tests/cases/config/bad").join(case).join("tgsignd.toml");
        assert!(!validator.is_valid(&json(&path)), "{case}");
    }
}

/// The places of all keys of a table, outermost first.
fn key_paths(value: &serde_json::Value, path: &str, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(table) => {
            for (key, value) in table {
                let path = format!("{path}/{key}");
                key_paths(value, &path, found);
                found.push(path);
            }
        }
        serde_json::Value::Array(entries) => {
            for (index, value) in entries.iter().enumerate() {
                key_paths(value, &format!("{path}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn the_schema_and_the_reader_agree_on_every_key() {
    let validator = jsonschema::validator_for(&config::schema::schema()).unwrap();
    let folder = root().join("tests/cases/config/ok/every-key");
    let full = json(&folder.join("tgsignd.toml"));
    let mut paths = Vec::new();
    key_paths(&full, "", &mut paths);
    for path in &paths {
        let (parent, key) = path.rsplit_once('/').unwrap();
        if ["/accounts", "/tasks"].contains(&parent) {
            continue; // a name, not a key
        }
        let mut renamed = full.clone();
        let table = renamed.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        let value = table.remove(key).unwrap();
        table.insert(format!("{key}x"), value);
        assert!(!validator.is_valid(&renamed), "the schema knows {path}x");
        let text = toml::to_string(&renamed).unwrap();
        let files = [("tgsignd.toml".to_owned(), config::FileContent::Bytes(text.into()))].into();
        let errors = config::load(&config::Sources { files, environment: BTreeMap::new() }).unwrap_err();
        let named = errors.iter().any(|error| error.message.contains(&format!("unknown key `{key}x`")));
        assert!(named, "the reader knows {path}x: {errors:#?}");
    }
    assert!(paths.len() > 60, "{}", paths.len());
}
