//! Sessions and ledgers, for the backup, which may not know their formats itself.

use std::path::Path;

use chrono::{DateTime, Utc};

use crate::backup::formats::Formats;
use crate::backup::sync::Files;
use crate::ledger::SqliteLedger;
use crate::telegram::session;

/// The formats of this program.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnFormats;

impl Formats for OwnFormats {
    fn session_meaning(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        session::meaning(bytes).map_err(str::to_owned)
    }

    fn check_ledger(&self, file: &Path) -> Result<(), String> {
        SqliteLedger::check(file).map_err(|error| error.to_string())
    }

    fn merge_ledgers(&self, whole: &Path, recent: &Path) -> Result<(), String> {
        SqliteLedger::merge(whole, recent).map_err(|error| error.to_string())
    }
}

impl Files for OwnFormats {
    fn copy_ledger(&self, source: &Path, target: &Path) -> Result<(), String> {
        SqliteLedger::copy_into(source, target).map_err(|error| error.to_string())
    }

    fn copy_recent(&self, source: &Path, target: &Path, since: DateTime<Utc>) -> Result<(), String> {
        SqliteLedger::copy_recent_into(source, target, since).map_err(|error| error.to_string())
    }
}
