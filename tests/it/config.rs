//! Whole workdirs, read from disk and loaded: every case is a folder below `tests/cases/config`.
//!
//! `expected.txt` holds the diagnostics, `environment` the variables, a line each. `UPDATE_EXPECTED=1` writes the former.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser as _;
use proptest::prelude::*;
use tgsignd::cli::{Cli, CliError, Command, Exit};
use tgsignd::config::secret::{Secret, SecretRef};
use tgsignd::config::{self, Diagnostic, FileContent, Guard, Listen, Loaded, Severity, Sources, Task};
use tgsignd::daemon::workdir;
use tgsignd::schedule::MissedPolicy;

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
    let mut found = String::new();
    for diagnostic in diagnostics {
        writeln!(found, "{diagnostic}").unwrap();
    }
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
    assert_eq!(cases.len(), 32);
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
    assert_eq!(cases.len(), 6);
}

/// Every configuration that is shipped, and those of the good cases. A `world.toml` configures a simulated data centre.
fn shipped() -> Vec<PathBuf> {
    let mut found = vec![root().join("config.example.toml")];
    let mut folders = vec![root().join("contrib"), root().join("tests/cases/config/ok")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") && !is_of_the_simulation(&path) {
                found.push(path);
            }
        }
    }
    found
}

/// Worlds and bots are configuration of `tgsignd-sim`.
fn is_of_the_simulation(path: &Path) -> bool {
    path.ends_with("world.toml") || path.to_str().is_some_and(|path| path.ends_with(".bot.toml"))
}

/// What the demo puts in place of its placeholders.
const FILLED: [(&str, &str); 2] = [
    ("{time}", "06:00:00"),
    ("{data_centre}", "test_data_centres = [{ id = 2, address = \"127.0.0.1:4430\", key_seed = \"seed\" }]"),
];

fn json(path: &Path) -> serde_json::Value {
    let text = fs::read_to_string(path).unwrap();
    let text = FILLED.into_iter().fold(text, |text, (placeholder, value)| text.replace(placeholder, value));
    serde_json::to_value(toml::from_str::<toml::Table>(text.trim_start_matches('\u{feff}')).unwrap()).unwrap()
}

#[test]
fn the_example_passes_check_without_a_word() {
    let workdir = tempfile::tempdir().unwrap();
    fs::copy(root().join("config.example.toml"), workdir.path().join("tgsignd.toml")).unwrap();
    let loaded = config::load(&workdir::read(workdir.path(), BTreeMap::new()).unwrap()).unwrap();
    assert_eq!(loaded.warnings, []);
    assert_eq!((loaded.snapshot.tasks.len(), loaded.snapshot.accounts.len()), (8, 1));
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
        ["unknown-keys", "wrong-version", "durations", "steps", "settings", "missed-and-retry", "models", "secret-2"];
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
        let files = [("tgsignd.toml".to_owned(), FileContent::Bytes(text.into()))].into();
        let errors = config::load(&Sources { files, environment: BTreeMap::new() }).unwrap_err();
        let named = errors.iter().any(|error| error.message.contains(&format!("unknown key `{key}x`")));
        assert!(named, "the reader knows {path}x: {errors:#?}");
    }
    assert!(paths.len() >= 59, "{}", paths.len());
}

const SECRET: &str = "hunter2-planted";

fn load_text(bytes: Vec<u8>, environment: &[(&str, String)]) -> Result<Loaded, Vec<Diagnostic>> {
    let files = [("tgsignd.toml".to_owned(), FileContent::Bytes(bytes))].into();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    config::load(&Sources { files, environment })
}

/// A configuration that has a secret wherever one can be.
fn with_secrets() -> String {
    let every_key = fs::read_to_string(root().join("tests/cases/config/ok/every-key/tgsignd.toml")).unwrap();
    let replaced = [
        ("{ file = \"/etc/credstore/api-hash\" }", format!("\"{SECRET}\"")),
        ("user:password@", format!("user:{SECRET}@")),
        ("key_seed = \"seed\"", format!("key_seed = \"{SECRET}\"")),
    ];
    replaced.into_iter().fold(every_key, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, &to)
    })
}

/// Takes out some characters at a place and puts something else there.
fn edit(text: &str, (at, gone, new): (usize, usize, &str)) -> String {
    let characters: Vec<char> = text.chars().collect();
    let at = at % (characters.len() + 1);
    let end = (at + gone).min(characters.len());
    characters[..at].iter().copied().chain(new.chars()).chain(characters[end..].iter().copied()).collect()
}

fn fragment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "\n",
        " ",
        "=",
        "\"",
        "'",
        "[",
        "]",
        "{",
        "}",
        ",",
        ".",
        "#",
        "5",
        "-1",
        "true",
        "1979-05-27",
        "x",
        "签",
        "\\",
        "\0",
        "\"\"\"",
        "'''",
        "[[",
        "[tasks.b]\n",
        "/(/",
        "inf",
        "\r",
        "\u{feff}",
        "🀄",
    ])
}

fn assert_sound(result: &Result<Loaded, Vec<Diagnostic>>) {
    let shown = match result {
        Ok(loaded) => format!("{:?} {:?}", loaded.warnings, loaded.snapshot),
        Err(errors) => {
            assert!(errors.iter().any(|error| error.severity == Severity::Error), "refused without a reason");
            let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
            format!("{} {errors:?} {}", lines.join("\n"), serde_json::to_string(errors).unwrap())
        }
    };
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn the_text_with_secrets_is_valid_before_it_is_edited() {
    let result = load_text(with_secrets().into_bytes(), &[]);
    assert!(result.is_ok(), "{result:?}");
    assert_sound(&result);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        assert_sound(&load_text(bytes, &[]));
    }

    #[test]
    fn random_edits_never_panic_and_never_show_a_secret(
        edits in prop::collection::vec((any::<usize>(), 0..12_usize, fragment()), 1..4)
    ) {
        let text = edits.into_iter().fold(with_secrets(), |text, of| edit(&text, of));
        assert_sound(&load_text(text.into_bytes(), &[]));
    }

    #[test]
    fn wrong_variables_never_show_their_value(
        edits in prop::collection::vec((any::<usize>(), 0..4_usize, fragment()), 0..3)
    ) {
        let edited = |text: &str| edits.iter().fold(text.to_owned(), |text, of| edit(&text, *of));
        let secret = |text: &str| format!("{}{SECRET}", edited(text));
        assert_sound(&load_text(b"version = 1\n".to_vec(), &[
            ("TG_API_ID", secret("")),
            ("TG_API_HASH", secret("")),
            ("TG_PROXY", secret("socks5://user:")),
            ("PORT", secret("80")),
            ("TG_SIGNER_WEB_BASIC_AUTH_USERNAME", edited("me:")),
            ("TG_SIGNER_WEB_BASIC_AUTH_PASSWORD", secret("")),
            ("TGSIGND_CONFIG", format!("{}\"{SECRET}\"\n", edited("[telegram]\napi_hash = "))),
        ]));
    }
}

#[test]
fn a_thousand_tasks_load() {
    let mut text = String::from("version = 1\n[accounts.a]\n[defaults]\ntimezone = 'UTC'\nchat = '@some_bot'\n");
    for number in 0..1000 {
        let (minute, hour) = (number % 60, number % 24);
        writeln!(
            text,
            "[tasks.t{number}]\nschedule = '{minute} {hour} * * *'\nsteps = [{{ send = '/checkin' }}, {{ expect = \
             '/积分 \\+\\d+/' }}]\n[tasks.t{number}.outcome]\nsuccess = ['第 {number} 天']",
        )
        .unwrap();
    }
    let loaded = load_text(text.into_bytes(), &[]).unwrap();
    assert_eq!(loaded.snapshot.tasks.len(), 1000);
    let fingerprints: std::collections::BTreeSet<_> =
        loaded.snapshot.tasks.values().map(|task| &task.fingerprint).collect();
    assert_eq!(fingerprints.len(), 1000);
}

fn snapshot(text: &str, environment: &[(&str, &str)]) -> config::Snapshot {
    let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    load_text(text.into(), &environment).unwrap().snapshot
}

#[test]
fn variables_win_over_files() {
    let text = "version = 1\n[telegram]\napi_id = 1\napi_hash = 'a'\nproxy = 'socks5://file:1'\n";
    let of_files = snapshot(text, &[("TG_API_ID", "")]).telegram;
    let won = snapshot(text, &[("TG_API_ID", "2"), ("TG_API_HASH", "b"), ("TG_PROXY", "socks5://variable:1")]).telegram;
    for (telegram, id, hash, proxy) in [(of_files, 1, "a", "socks5://file:1"), (won, 2, "b", "socks5://variable:1")] {
        let api = telegram.api.unwrap();
        assert_eq!(api.id, id);
        assert_eq!(api.hash, SecretRef::Inline(Secret::new(hash.to_owned())));
        assert_eq!(telegram.proxy.unwrap().expose(), proxy);
    }
}

#[test]
fn port_opens_the_listener_and_closes_the_metrics_unless_there_are_credentials() {
    let credentials = [("TG_SIGNER_WEB_BASIC_AUTH_USERNAME", "me"), ("TG_SIGNER_WEB_BASIC_AUTH_PASSWORD", "pass")];
    let basic = Guard::Basic { username: "me".into(), password: Secret::new("pass".into()) };
    let with_port: Vec<_> = credentials.iter().copied().chain([("PORT", "8080")]).collect();
    let file = "version = 1\nhttp.listen = '127.0.0.1:1'";
    for (text, environment, address, guard) in [
        ("version = 1", &[][..], "127.0.0.1:9464", Guard::Proxy),
        ("version = 1", &[("PORT", "8080")], "0.0.0.0:8080", Guard::Closed),
        ("version = 1", &with_port, "0.0.0.0:8080", basic.clone()),
        (file, &[("PORT", "not looked at")], "127.0.0.1:1", Guard::Proxy),
        (file, &credentials, "127.0.0.1:1", basic),
    ] {
        let http = snapshot(text, environment).http;
        assert_eq!(http, config::Http { listen: Listen::Tcp(address.parse().unwrap()), guard }, "{environment:?}");
    }
}

#[test]
fn a_tasks_own_keys_win_over_the_defaults_and_these_over_the_built_in_ones() {
    let text = "version = 1\n[accounts.b]\n[accounts.a]\n[defaults]\naccounts = 'all'\nschedule = '06:00'\n\
        timezone = 'UTC'\nchat = '@some_bot'\njitter = '1m'\nmissed = { policy = 'skip' }\nsteps = [{ send = 'x' }]\n\
        [tasks.plain]\n[tasks.own]\njitter = '2m'\naccounts = ['b', 'a']\nmissed = { within = '1h' }\nchat = -1001\n";
    let loaded = snapshot(text, &[]);
    let names = |task: &Task| task.accounts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (plain, own) = (&loaded.tasks["plain"], &loaded.tasks["own"]);
    assert_eq!(names(plain), ["a", "b"]);
    assert_eq!(names(own), ["b", "a"]);
    assert_eq!((plain.timing.jitter.as_secs(), own.timing.jitter.as_secs()), (60, 120));
    assert_eq!(plain.timing.missed, MissedPolicy::Skip);
    assert_eq!(own.timing.missed, MissedPolicy::RunOnce { within: Duration::from_hours(1) });
    assert_eq!((plain.chat.to_string(), own.chat.to_string()), ("@some_bot".into(), "-1001".into()));
    assert_eq!((plain.timeout, plain.retry.attempts, plain.enabled), (Duration::from_mins(3), 3, true));
    assert_eq!(plain.schedule_fingerprint, own.schedule_fingerprint);
    assert_ne!(plain.fingerprint, own.fingerprint);
}

fn check(workdir: &Path, more: &[&str]) -> Result<Exit, CliError> {
    let words = ["tgsignd", "check", "--workdir", workdir.to_str().unwrap()];
    let cli = Cli::try_parse_from(words.iter().chain(more)).unwrap();
    let Command::Check(arguments) = &cli.command else { panic!("{:?} is not check", cli.command) };
    tgsignd::cli::check::run(&cli, arguments)
}

#[test]
fn check_ends_with_78_on_every_error_and_with_0_else() {
    let workdir = tempfile::tempdir().unwrap();
    let file = workdir.path().join("tgsignd.toml");
    assert_eq!(check(&workdir.path().join("none"), &[]).unwrap_err().exit, Exit::Configuration);
    assert_eq!(check(workdir.path(), &[]).unwrap(), Exit::Configuration);
    fs::write(&file, "version = 1\n[telegram]\napi_id = 1\napi_hash = { file = '/nowhere/api-hash' }\n").unwrap();
    assert_eq!(check(workdir.path(), &["--format", "json"]).unwrap(), Exit::Success);
    assert_eq!(check(workdir.path(), &["--resolve"]).unwrap(), Exit::Configuration);
}
