//! What changed between two valid configurations.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::snapshot::{Account, Snapshot, Task};
use crate::names::{AccountName, TaskName};

/// Names that came, went or mean something else now; each list is sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes<N> {
    /// Only in the new configuration.
    pub added: Vec<N>,
    /// Only in the old configuration.
    pub removed: Vec<N>,
    /// In both, with another meaning.
    pub changed: Vec<N>,
}

impl<N: Ord + Clone> Changes<N> {
    fn between<T>(old: &BTreeMap<N, Arc<T>>, new: &BTreeMap<N, Arc<T>>, same: impl Fn(&T, &T) -> bool) -> Self {
        let (mut added, mut removed, mut changed) = (Vec::new(), Vec::new(), Vec::new());
        let mut before = old.iter().peekable();
        // Both are in the order of their names.
        for (name, value) in new {
            while let Some((gone, _)) = before.next_if(|(known, _)| *known < name) {
                removed.push(gone.clone());
            }
            match before.next_if(|(known, _)| *known == name) {
                None => added.push(name.clone()),
                Some((_, known)) if Arc::ptr_eq(known, value) || same(known, value) => {}
                Some(_) => changed.push(name.clone()),
            }
        }
        removed.extend(before.map(|(gone, _)| gone.clone()));
        Self { added, removed, changed }
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

impl Changes<TaskName> {
    /// Tasks, by their fingerprints. What the two configurations share is not looked into.
    pub fn of_tasks(old: &BTreeMap<TaskName, Arc<Task>>, new: &BTreeMap<TaskName, Arc<Task>>) -> Self {
        Self::between(old, new, |old: &Task, new| old.fingerprint == new.fingerprint)
    }
}

/// What changed. Its display has one line a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// Tasks, by their fingerprints.
    pub tasks: Changes<TaskName>,
    /// Accounts.
    pub accounts: Changes<AccountName>,
    /// Settings that apply at once.
    pub settings: Vec<&'static str>,
    /// Settings that apply at the next start.
    pub restart_needed: Vec<&'static str>,
}

impl Diff {
    /// The way from `old` to `new`.
    pub fn between(old: &Snapshot, new: &Snapshot) -> Self {
        Self {
            tasks: Changes::of_tasks(&old.tasks, &new.tasks),
            accounts: Changes::between(&old.accounts, &new.accounts, |old: &Account, new| old == new),
            settings: changed(&[
                ("[telegram] api_id and api_hash", old.telegram.api != new.telegram.api),
                ("[telegram] proxy", old.telegram.proxy != new.telegram.proxy),
                ("[telegram] connect", old.telegram.connect != new.telegram.connect),
                ("[log] level", old.log.level != new.log.level),
                ("[history]", old.history != new.history),
                ("[ai]", old.ai != new.ai),
            ]),
            restart_needed: Self::restart_needed(old, new),
        }
    }

    /// Settings that differ and apply at the next start.
    pub fn restart_needed(old: &Snapshot, new: &Snapshot) -> Vec<&'static str> {
        changed(&[
            ("[telegram] test_data_centres", old.telegram.test_data_centres != new.telegram.test_data_centres),
            ("[http] listen", old.http.listen != new.http.listen),
            ("the credentials of the listener", old.http.guard != new.http.guard),
            ("[log] format", old.log.format != new.log.format),
            ("[backup]", old.backup != new.backup),
        ])
    }

    /// Whether both configurations mean the same.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.accounts.is_empty() && self.settings.is_empty() && self.restart_needed.is_empty()
    }
}

fn changed(candidates: &[(&'static str, bool)]) -> Vec<&'static str> {
    candidates.iter().filter(|(_, changed)| *changed).map(|(name, _)| *name).collect()
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn named<N: fmt::Display>(kind: &str, changes: &Changes<N>, lines: &mut Vec<String>) {
            let Changes { added, removed, changed } = changes;
            for (names, verb) in [(added, "added"), (removed, "removed"), (changed, "changed")] {
                lines.extend(names.iter().map(|name| format!("{kind} {name} {verb}")));
            }
        }
        let mut lines = Vec::new();
        named("account", &self.accounts, &mut lines);
        named("task", &self.tasks, &mut lines);
        lines.extend(self.settings.iter().map(|name| format!("{name} changed")));
        lines.extend(self.restart_needed.iter().map(|name| format!("{name} changed: restart to apply it")));
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::config::{FileContent, Sources, load};

    const BASE: &str = r#"
        version = 1
        [accounts.a]
        [tasks.t]
        schedule = "06:00"
        timezone = "UTC"
        chat = "@some_bot"
        steps = [{ send = "/checkin" }]
    "#;

    fn snapshot(text: &str) -> Snapshot {
        let files = BTreeMap::from([("tgsignd.toml".to_owned(), FileContent::Bytes(text.into()))]);
        load(&Sources { files, environment: BTreeMap::new() }).unwrap().snapshot
    }

    #[test]
    fn each_edit_is_one_line() {
        let cases: &[(&str, &str, &str)] = &[
            ("version = 1", "version = 1 # a comment", ""),
            ("\"06:00\"", "[\"06:00\"]", ""),
            ("\"06:00\"", "\"07:00\"", "task t changed"),
            ("@some_bot", "@other_bot", "task t changed"),
            ("[tasks.t]", "[tasks.t]\nenabled = false", "task t changed"),
            ("[tasks.t]", "[tasks.t]\nproof = 'bot'", ""),
            ("[tasks.t]", "[tasks.u]", "task u added\ntask t removed"),
            ("[accounts.a]", "[accounts.a]\nphone = '+8613800000000'", "account a changed"),
            ("[accounts.a]", "[accounts.b]", "account b added\naccount a removed\ntask t changed"),
            ("version = 1", "version = 1\n[history]\nruns = '500d'", "[history] changed"),
            ("version = 1", "version = 1\n[telegram]\nproxy = 'socks5://h:1'", "[telegram] proxy changed"),
            (
                "version = 1",
                "version = 1\n[http]\nlisten = '127.0.0.1:1'\n[log]\nformat = 'json'",
                "[http] listen changed: restart to apply it\n[log] format changed: restart to apply it",
            ),
        ];
        for (from, to, expected) in cases {
            let diff = Diff::between(&snapshot(BASE), &snapshot(&BASE.replacen(from, to, 1)));
            assert_eq!(diff.to_string(), *expected, "{to}");
            assert_eq!(diff.is_empty(), expected.is_empty(), "{to}");
        }
        assert_eq!(cases.len(), 12);
    }
}
