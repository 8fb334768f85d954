//! Arrows between modules point one way, and pure modules name nothing impure: what `clippy.toml` cannot see.

use std::fs;
use std::path::{Path, PathBuf};

/// Each module and what it may import from this crate, in the order of the map in `src/lib.rs`.
const LAYERS: &[(&str, &[&str])] = &[
    ("names", &[]),
    ("schedule", &["names"]),
    ("script", &["names"]),
    ("config", &["names", "schedule", "script"]),
    ("kernel", &["names", "schedule", "script", "config"]),
    ("telegram", &["names", "schedule", "script", "config", "kernel"]),
    ("ai", &["names", "schedule", "script", "config", "kernel"]),
    ("ledger", &["names", "schedule", "script", "config", "kernel"]),
    ("backup", &["names", "schedule", "script", "config", "kernel"]),
    ("http", &["names", "schedule", "script", "config", "kernel"]),
    ("daemon", &["names", "schedule", "script", "config", "kernel", "telegram", "ai", "ledger", "backup", "http"]),
    (
        "cli",
        &["names", "schedule", "script", "config", "kernel", "telegram", "ai", "ledger", "backup", "http", "daemon"],
    ),
];

/// Modules, and the parts of shells that only decide.
const PURE: &[&str] = &[
    "names",
    "schedule",
    "script",
    "config",
    "kernel",
    "backup/digest",
    "backup/keys",
    "backup/manifest",
    "backup/log",
    "backup/member",
    "backup/formats",
    "backup/held",
];

/// Crates that do input and output, read the clock or draw random numbers.
const IMPURE: &[&str] = &[
    "tokio",
    "hyper",
    "rusqlite",
    "notify",
    "grammers_client",
    "grammers_session",
    "grammers_mtsender",
    "getrandom",
    "rustix",
    "uuid",
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::process",
    "std::thread",
    "std::env",
    "SystemTime",
    "Instant::now",
];

fn sources(module: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.join(module)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.extend(Some(root.join(format!("{module}.rs"))).filter(|file| file.exists()));
    assert!(!found.is_empty(), "module {module} has no files");
    found
}

/// The code of a file without its tests and comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Whether `code` has `path` as a whole: `notify` is no part of `inotify`.
fn names(code: &str, path: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(path).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + path.len()..]);
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

#[test]
fn a_name_counts_as_a_whole_only() {
    assert!(names("use notify::Watcher;", "notify") && names("let at = Instant::now();", "Instant::now"));
    assert!(
        !names("Self::Inotify => \"inotify\", notify_all()", "notify") && !names("Instant::nowhere", "Instant::now")
    );
}

#[test]
fn modules_import_only_what_stands_left_of_them() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for (module, allowed) in LAYERS {
        for path in sources(module) {
            checked += 1;
            for rest in code(&path).split("crate::").skip(1) {
                let target: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let known = LAYERS.iter().any(|(name, _)| *name == target);
                if known && target != *module && !allowed.contains(&target.as_str()) {
                    wrong.push(format!("{}: {module} imports {target}", path.display()));
                }
            }
        }
    }
    assert!(checked >= 40, "only {checked} files were looked at");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_modules_name_nothing_impure() {
    let mut wrong = Vec::new();
    for path in PURE.iter().flat_map(|module| sources(module)) {
        let code = code(&path);
        wrong.extend(IMPURE.iter().filter(|name| names(&code, name)).map(|name| format!("{}: {name}", path.display())));
        if code.contains("disallowed_methods") || code.contains("disallowed_types") {
            wrong.push(format!("{}: lifts the ban that guards it", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_readable() {
    let modules = LAYERS.iter().map(|(module, _)| *module);
    let long: Vec<String> = modules
        .flat_map(sources)
        .filter_map(|path| {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            (lines > 450).then(|| format!("{}: {lines} lines", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "split these:\n{}", long.join("\n"));
}
