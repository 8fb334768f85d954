//! Values that never appear in logs, metrics, errors or `Debug` output, and references to where they are kept.

use std::path::PathBuf;

/// A value whose `Debug` shows nothing; it has no `Display`, `Deref` or `Serialize` by design.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Hides `value`.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one place that needs it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> std::fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Where a secret is kept; reading it is a shell's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// The value itself, from the file or the environment.
    Inline(Secret<String>),
    /// `{ file = "…" }`; a trailing line break is not part of the secret.
    File(PathBuf),
    /// `{ env = "…" }`
    Env(String),
    /// `{ credential = "…" }`: a file in systemd's `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}
