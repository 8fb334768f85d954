//! What the configuration only refers to.

use std::path::PathBuf;

use crate::backup::sync::Secrets;
use crate::config::{Backup, BackupKeys};
use crate::daemon::secrets::{SecretError, resolve};

/// Why a secret of the backup cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BackupSecretError {
    /// A password or a key.
    #[error("[backup] {key}: {error}")]
    Secret {
        /// Which.
        key: &'static str,
        /// Why.
        error: SecretError,
    },
    /// The certificates.
    #[error("[backup] ca: {path}: {error}")]
    Certificates {
        /// The file.
        path: PathBuf,
        /// In the words of the operating system.
        error: std::io::Error,
    },
}

/// Reads the password, the key and the certificates of `settings`.
pub fn read(settings: &Backup) -> Result<Secrets, BackupSecretError> {
    let secret = |key, reference| resolve(reference).map_err(|error| BackupSecretError::Secret { key, error });
    let password = settings.credentials.as_ref().map(|credentials| secret("password", &credentials.password));
    let key = match &settings.keys {
        BackupKeys::Age { identity, .. } => identity.as_ref().map(|identity| secret("identity", identity)),
        BackupKeys::Derived(key) => Some(secret("encryption_key", key)),
    };
    let certificates = settings
        .ca
        .as_ref()
        .map(|path| std::fs::read(path).map_err(|error| BackupSecretError::Certificates { path: path.clone(), error }));
    Ok(Secrets { password: password.transpose()?, key: key.transpose()?, certificates: certificates.transpose()? })
}
