//! What may be in an archive: nothing but sessions, the ledger, what was applied from the inbox and a workdir, at the places a data directory has for them.

use std::fmt;

use crate::names::AccountName;

/// One file of an archive. Paths are relative, so that `age -d | tar xz` makes a data directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// `sessions/ACCOUNT.session`
    Session(AccountName),
    /// `state/state.db`
    Ledger,
    /// `state/inbox.json`
    Inbox,
    /// `workdir/FILE.toml` or `workdir/FOLDER/FILE.toml`
    Workdir(String),
}

/// Most members of an archive: what is sealed has to be accepted when it is unpacked.
pub const MOST_MEMBERS: usize = 100_000;

const SESSIONS: &str = "sessions/";
const SESSION_ENDING: &str = ".session";
const LEDGER: &str = "state/state.db";
const INBOX: &str = "state/inbox.json";
const WORKDIR: &str = "workdir/";
const LONGEST_NAME: usize = 255;

impl Member {
    /// The member at `path`; `None` for every path that an archive of ours does not have.
    pub fn parse(path: &str) -> Option<Self> {
        if path == LEDGER {
            return Some(Self::Ledger);
        }
        if path == INBOX {
            return Some(Self::Inbox);
        }
        if let Some(name) = path.strip_prefix(SESSIONS) {
            return Some(Self::Session(name.strip_suffix(SESSION_ENDING)?.parse().ok()?));
        }
        Self::workdir(path.strip_prefix(WORKDIR)?)
    }

    /// The workdir's file at `path`, if the daemon reads such files.
    pub fn workdir(path: &str) -> Option<Self> {
        let visible = |name: &str| {
            !name.is_empty()
                && name.len() <= LONGEST_NAME
                && !name.starts_with('.')
                && !name.chars().any(|c| c.is_control() || c == '\\')
        };
        let (folder, file) = path.split_once('/').map_or((None, path), |(folder, file)| (Some(folder), file));
        let plain =
            folder.is_none_or(visible) && visible(file) && !file.contains('/') && file.strip_suffix(".toml").is_some();
        plain.then(|| Self::Workdir(path.to_owned()))
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(account) => write!(f, "{SESSIONS}{account}{SESSION_ENDING}"),
            Self::Ledger => f.write_str(LEDGER),
            Self::Inbox => f.write_str(INBOX),
            Self::Workdir(path) => write!(f, "{WORKDIR}{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_leads_anywhere_else() {
        for path in [
            "state/state.db",
            "state/inbox.json",
            "sessions/签到.session",
            "workdir/tgsignd.toml",
            "workdir/a/b c.toml",
        ] {
            assert_eq!(Member::parse(path).unwrap().to_string(), path);
        }
        for path in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "sessions/../x.session",
            "sessions/.session",
            "sessions/a/b.session",
            "state/backup.json",
            "state/state.db-wal",
            "./state/state.db",
            "state//state.db",
            "workdir/../a.toml",
            "workdir/a/../b.toml",
            "workdir//a.toml",
            "workdir/a/b/c.toml",
            "workdir/.a.toml",
            "workdir/.b/a.toml",
            "workdir/a.toml/",
            "workdir/a\0.toml",
            "workdir/a.sh",
            "workdir/a\\b.toml",
            "Sessions/a.session",
            "workdir/",
        ] {
            assert_eq!(Member::parse(path), None, "{path:?}");
        }
    }

    proptest! {
        #[test]
        fn one_member_has_one_path(path in "(sessions/|workdir/|state/)?[a-z./\\\\]{0,12}(\\.toml|\\.session|state\\.db|inbox\\.json)?") {
            if let Some(member) = Member::parse(&path) {
                prop_assert_eq!(member.to_string(), path.clone());
                prop_assert!(!path.split('/').any(|name| name.is_empty() || name == ".." || name == "."));
            }
        }
    }
}
