//! Reads secrets from where the configuration says they are kept. Errors name the place, never the value.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::config::secret::{Secret, SecretRef};
use crate::config::{BackupKeys, Snapshot};

/// Largest secret that is read, in bytes.
const LARGEST: u64 = 64 * 1024;

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file or the credential could not be opened or read.
    #[error("{place} cannot be read: {source}")]
    Unreadable {
        /// What was asked for.
        place: Place,
        /// Why.
        source: io::Error,
    },
    /// Others than the owner can read the file.
    #[error("{0} can be read by others than its owner; run chmod 600 on it")]
    Exposed(Place),
    /// It is a FIFO, a device, a folder, or too large to be a secret.
    #[error("{0} is not a regular file of at most 64 KiB")]
    Irregular(Place),
    /// It is not text.
    #[error("{0} is not UTF-8 text")]
    NotText(Place),
    /// There is nothing in it.
    #[error("{0} is empty")]
    Empty(Place),
    /// The environment variable does not exist.
    #[error("{0} is not set")]
    Unset(Place),
    /// There is no `$CREDENTIALS_DIRECTORY`.
    #[error(
        "{0} cannot be read: $CREDENTIALS_DIRECTORY is not set, so this process was given no credentials; add LoadCredential= to the unit"
    )]
    NoCredentials(Place),
}

/// Where a secret is kept, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the configuration itself.
    Inline,
    /// In a file.
    File(PathBuf),
    /// In an environment variable.
    Env(String),
    /// In a systemd credential.
    Credential(String),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Inline => f.write_str("the secret"),
            Self::File(path) => write!(f, "the secret file {}", path.display()),
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::Credential(name) => write!(f, "the credential {name}"),
        }
    }
}

/// Reads a secret, with the variables and the credentials directory of this process.
pub fn resolve(secret: &SecretRef) -> Result<Secret<String>, SecretError> {
    resolve_with(secret, |name| std::env::var_os(name))
}

/// Reads every secret that the configuration refers to, for nothing but its errors; each comes with the key it is for.
pub fn try_all(snapshot: &Snapshot) -> Vec<(&'static str, SecretError)> {
    let hash = snapshot.telegram.api.as_ref().map(|api| ("[telegram] api_hash", &api.hash));
    let models = snapshot.ai.iter().flat_map(|ai| &ai.endpoints);
    let keys = models.filter_map(|endpoint| Some(("[ai] api_key", endpoint.key.as_ref()?)));
    let backup = snapshot.backup.iter().flat_map(|backup| {
        let password = backup.credentials.as_ref().map(|credentials| ("[backup] password", &credentials.password));
        let key = match &backup.keys {
            BackupKeys::Age { identity, .. } => identity.as_ref().map(|identity| ("[backup] identity", identity)),
            BackupKeys::Derived(key) => Some(("[backup] encryption_key", key)),
        };
        password.into_iter().chain(key)
    });
    hash.into_iter().chain(keys).chain(backup).filter_map(|(key, secret)| Some((key, resolve(secret).err()?))).collect()
}

fn resolve_with(
    secret: &SecretRef,
    variable: impl Fn(&str) -> Option<std::ffi::OsString>,
) -> Result<Secret<String>, SecretError> {
    match secret {
        SecretRef::Inline(secret) => Ok(secret.clone()),
        SecretRef::Env(name) => {
            let place = Place::Env(name.clone());
            let value = variable(name).ok_or_else(|| SecretError::Unset(place.clone()))?;
            text(place, value.into_encoded_bytes())
        }
        SecretRef::File(path) => read(path, Place::File(path.clone()), true),
        SecretRef::Credential(name) => {
            let place = Place::Credential(name.clone());
            let Some(directory) = variable("CREDENTIALS_DIRECTORY") else {
                return Err(SecretError::NoCredentials(place));
            };
            // systemd guards the directory, and gives its files modes of its own.
            read(&Path::new(&directory).join(name), place, false)
        }
    }
}

fn read(path: &Path, place: Place, must_be_private: bool) -> Result<Secret<String>, SecretError> {
    let unreadable = |source| SecretError::Unreadable { place: place.clone(), source };
    // Without waiting: to open a FIFO would block until somebody writes.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(SecretError::Irregular(place));
    }
    if must_be_private && metadata.permissions().mode() & 0o077 != 0 {
        return Err(SecretError::Exposed(place));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).map_err(unreadable)?;
    text(place, bytes)
}

fn text(place: Place, bytes: Vec<u8>) -> Result<Secret<String>, SecretError> {
    let Ok(mut text) = String::from_utf8(bytes) else { return Err(SecretError::NotText(place)) };
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() { Err(SecretError::Empty(place)) } else { Ok(Secret::new(text)) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;

    use super::*;

    fn with_mode(directory: &Path, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        let path = directory.join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn of_file(path: PathBuf) -> Result<Secret<String>, SecretError> {
        resolve_with(&SecretRef::File(path), |_| None)
    }

    #[test]
    fn one_line_break_at_the_end_of_a_file_is_not_part_of_the_secret() {
        let directory = tempfile::tempdir().unwrap();
        for (bytes, secret) in [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a ")] {
            let path = with_mode(directory.path(), "secret", bytes.as_bytes(), 0o600);
            assert_eq!(of_file(path).unwrap().expose(), secret, "{bytes:?}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for (mode, refused) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o644, true)] {
            let path = with_mode(directory.path(), "secret", b"hunter2", mode);
            assert_eq!(matches!(of_file(path.clone()), Err(SecretError::Exposed(_))), refused, "{mode:o}");
            fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn credentials_come_from_their_directory_and_variables_from_the_environment() {
        let directory = tempfile::tempdir().unwrap();
        with_mode(directory.path(), "api-hash", b"hunter2\n", 0o440);
        let variable = |name: &str| match name {
            "CREDENTIALS_DIRECTORY" => Some(directory.path().into()),
            "HASH" => Some("hunter3".into()),
            "EMPTY" => Some("".into()),
            _ => None,
        };
        let get = |secret| resolve_with(&secret, variable);
        assert_eq!(get(SecretRef::Credential("api-hash".into())).unwrap().expose(), "hunter2");
        assert_eq!(get(SecretRef::Env("HASH".into())).unwrap().expose(), "hunter3");
        assert!(matches!(get(SecretRef::Env("EMPTY".into())), Err(SecretError::Empty(_))));
        assert!(matches!(get(SecretRef::Env("NONE".into())), Err(SecretError::Unset(_))));
        let none = resolve_with(&SecretRef::Credential("x".into()), |_| None);
        assert!(matches!(none, Err(SecretError::NoCredentials(_))));
    }

    #[test]
    fn errors_name_the_place_and_not_the_value() {
        let directory = tempfile::tempdir().unwrap();
        let exposed = of_file(with_mode(directory.path(), "a", b"hunter2", 0o644));
        let not_text = of_file(with_mode(directory.path(), "b", b"hunter2\xff", 0o600));
        let missing = of_file(directory.path().join("c"));
        let folder = of_file(directory.path().to_owned());
        for (result, name) in [(exposed, "/a"), (not_text, "/b"), (missing, "/c"), (folder, "not a regular file")] {
            let error = result.unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(name) && !shown.contains("hunter2"), "{shown}");
        }
    }
}
