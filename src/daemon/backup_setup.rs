//! From the configuration to an engine of the backup: for the daemon and for commands.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::backup_formats::OwnFormats;
use super::secrets::{self, SecretError};
use crate::backup::sync::{Access, Engine, History, Inputs, Keys, Places, Secrets, SyncError, destination};
use crate::config::secret::{Secret, SecretRef};
use crate::config::{Backup, BackupKeys, FileContent, Sources};
use crate::kernel::record::Instance;

/// A certificate bundle of all authorities there are has a quarter of it.
const LARGEST_CA: u64 = 1024 * 1024;

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A secret.
    #[error("[backup] {key}: {error}")]
    Secret {
        /// Which key names it.
        key: &'static str,
        /// Why it cannot be read.
        error: SecretError,
    },
    /// The file of certificates.
    #[error("[backup] ca: {}: {error}", path.display())]
    Ca {
        /// Which.
        path: PathBuf,
        /// In the words of the operating system.
        error: std::io::Error,
    },
    /// Settings, keys, or the position.
    #[error(transparent)]
    Sync(#[from] SyncError),
}

/// Reads what the configuration refers to.
pub fn secrets(settings: &Backup) -> Result<Secrets, SetupError> {
    let password = settings.credentials.as_ref().map(|credentials| resolve("password", &credentials.password));
    let key = match &settings.keys {
        BackupKeys::Age { identity, .. } => identity.as_ref().map(|identity| resolve("identity", identity)),
        BackupKeys::Derived(key) => Some(resolve("encryption_key", key)),
    };
    let certificates = settings.ca.as_deref().map(certificates).transpose()?;
    Ok(Secrets { password: password.transpose()?, key: key.transpose()?, certificates })
}

/// Reads and tries what the configuration refers to, for nothing but its errors: keys that do not fit together, certificates that
/// are none.
///
/// # Errors
/// The first thing that an engine could not be opened with.
pub fn try_out(settings: &Backup) -> Result<(), SetupError> {
    let secrets = secrets(settings)?;
    Keys::new(settings, secrets.key.as_ref(), None).map_err(SyncError::from)?;
    destination(settings, &secrets).map(drop).map_err(SetupError::from)
}

/// An engine, ready to work; see [`Engine::open`].
pub fn open(
    settings: &Backup,
    places: Places,
    access: Access,
    instance: Option<&Instance>,
) -> Result<Engine, SetupError> {
    let secrets = secrets(settings)?;
    Ok(Engine::open(settings, secrets, places, access, instance, Arc::new(OwnFormats))?)
}

/// What a commit takes along besides sessions and ledger. `window` is the longest of any task.
///
/// The ledger's version is left open: who has the ledger open sets it.
///
/// Claims are taken from the beginning of a day (UTC), so that what is too old leaves once a day and not at every look.
pub fn inputs(sources: &Sources, window: Duration, history: History, now: DateTime<Utc>) -> Inputs {
    let workdir = sources.files.iter().filter_map(|(name, content)| match content {
        FileContent::Bytes(bytes) => Some((name.clone(), bytes.clone())),
        FileContent::Unreadable(_) | FileContent::Irregular => None,
    });
    let oldest = TimeDelta::from_std(window).ok().and_then(|window| now.checked_sub_signed(window)).unwrap_or(now);
    let since = oldest.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    Inputs { workdir: workdir.collect(), since, history, ledger: None }
}

fn resolve(key: &'static str, secret: &SecretRef) -> Result<Secret<String>, SetupError> {
    secrets::resolve(secret).map_err(|error| SetupError::Secret { key, error })
}

fn certificates(path: &Path) -> Result<Vec<u8>, SetupError> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LARGEST_CA).read_to_end(&mut bytes))
        .map_err(|error| SetupError::Ca { path: path.to_owned(), error })?;
    Ok(bytes)
}
