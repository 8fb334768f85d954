//! Shell: encrypted generations of the state on a WebDAV server, and the way back.
//!
//! | module | kind | what it owns |
//! |---|---|---|
//! | [`digest`] | pure | SHA-256 as text |
//! | [`keys`] | pure | whom a backup is sealed to, who signs it, whose signature counts |
//! | [`manifest`] | pure | names of remote objects, the signed manifest of a generation, takeover and release records |
//! | [`log`] | pure | what a listing means and what may be done next: commit, retention, takeover, resolving |
//! | [`member`] | pure | what may be in an archive |
//! | [`formats`] | pure | what the backup has to be told about files that other modules own |
//! | [`applied`] | pure | what was applied from the inbox |
//! | [`held`] | pure | what the newest generation is known to hold |
//! | [`position`] | shell | `state/backup.json`: where this data directory stands in the log |
//! | [`remote`] | shell | one directory on a WebDAV server: everything that is said to it |
//! | [`archive`] | shell | contents → tar → gzip → age |
//! | [`place`] | shell | age → gzip → tar → staging → verified → in place |
//! | [`sync`] | shell | server and log together: commit, restore, verify, take over, the inbox |
//!
//! A commit is a conversation: [`log::Commit`] says what to ask the server for, and is told the answer.

pub mod applied;
pub mod archive;
pub mod digest;
pub mod formats;
pub mod held;
pub mod keys;
pub mod log;
pub mod manifest;
pub mod member;
pub mod place;
pub mod position;
pub mod remote;
pub mod sync;
