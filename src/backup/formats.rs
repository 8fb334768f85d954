//! What the backup has to be told about files whose formats other modules own.

use std::path::Path;

/// Knows sessions and ledgers. Errors say what is wrong and hold no secrets.
pub trait Formats: Send + Sync {
    /// What a session file means: its bytes without what changes and can be asked for again. An error when it is no session.
    fn session_meaning(&self, bytes: &[u8]) -> Result<Vec<u8>, String>;

    /// Checks a whole database, which nobody else has open.
    fn check_ledger(&self, file: &Path) -> Result<(), String>;

    /// Brings `whole` up to date with `recent`, a later copy of the same ledger that holds its newest claims only.
    fn merge_ledgers(&self, whole: &Path, recent: &Path) -> Result<(), String>;
}
