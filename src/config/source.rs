//! What a configuration is read from.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// The file that holds `version = 1` and the settings.
pub const SETTINGS_FILE: &str = "tgsignd.toml";

/// The variable whose text counts as one more file.
pub(super) const CONFIG_VARIABLE: &str = "TGSIGND_CONFIG";

/// What diagnostics call that file.
pub(super) const VARIABLE_AS_FILE: &str = "$TGSIGND_CONFIG";

/// Every environment variable that is part of the configuration; others are only read where a file says
/// `{ env = "…" }`. An empty value counts as unset.
pub const ENVIRONMENT: [&str; 16] = [
    CONFIG_VARIABLE,
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_MODEL",
    "PORT",
    "TG_API_HASH",
    "TG_API_ID",
    "TG_PROXY",
    "TG_SIGNER_BACKUP_ENCRYPTION_KEY",
    "TG_SIGNER_BACKUP_INTERVAL_SECONDS",
    "TG_SIGNER_BACKUP_REMOTE_PATH",
    "TG_SIGNER_BACKUP_WEBDAV_PASSWORD",
    "TG_SIGNER_BACKUP_WEBDAV_URL",
    "TG_SIGNER_BACKUP_WEBDAV_USERNAME",
    "TG_SIGNER_WEB_BASIC_AUTH_PASSWORD",
    "TG_SIGNER_WEB_BASIC_AUTH_USERNAME",
];

/// One reading of the workdir and the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// By path relative to the workdir, with `/` between folder and file.
    pub files: BTreeMap<String, FileContent>,
    /// By name; names that are not in [`ENVIRONMENT`] have no effect.
    pub environment: BTreeMap<String, String>,
}

/// What was found under the name of a file.
#[derive(Clone, PartialEq, Eq)]
pub enum FileContent {
    /// Its bytes.
    Bytes(Vec<u8>),
    /// It could not be read, and why; the text becomes part of a diagnostic.
    Unreadable(String),
    /// A FIFO, a socket, a device or a folder.
    Irregular,
}

impl std::fmt::Debug for FileContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Unreadable(reason) => f.debug_tuple("Unreadable").field(reason).finish(),
            Self::Irregular => f.write_str("Irregular"),
        }
    }
}

impl Sources {
    /// The value of a variable of [`ENVIRONMENT`].
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        debug_assert!(ENVIRONMENT.contains(&name), "{name} is missing in ENVIRONMENT");
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// SHA-256 over names and contents, in lower-case hexadecimal. Every part is preceded by its length, so that no text
    /// can move from one part to its neighbour unseen.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        for (name, content) in &self.files {
            part(name.as_bytes());
            match content {
                FileContent::Bytes(bytes) => {
                    part(b"bytes");
                    part(bytes);
                }
                FileContent::Unreadable(reason) => {
                    part(b"unreadable");
                    part(reason.as_bytes());
                }
                FileContent::Irregular => part(b"irregular"),
            }
        }
        part(b"environment");
        for name in ENVIRONMENT {
            if let Some(value) = self.variable(name) {
                part(name.as_bytes());
                part(value.as_bytes());
            }
        }
        hexadecimal(&hash.finalize())
    }
}

/// Lower-case hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Sources {
        Sources {
            files: files.iter().map(|(name, text)| ((*name).into(), FileContent::Bytes((*text).into()))).collect(),
            environment: environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        }
    }

    #[test]
    fn the_digest_tells_names_contents_and_variables_apart() {
        let all = [
            sources(&[], &[]),
            sources(&[("a", "bc")], &[]),
            sources(&[("ab", "c")], &[]),
            sources(&[("a", "b"), ("c", "")], &[]),
            sources(&[("a", "bc")], &[("PORT", "80")]),
            sources(&[("a", "bc")], &[("PORT", "8080")]),
        ];
        let digests: std::collections::BTreeSet<_> = all.iter().map(Sources::digest).collect();
        assert_eq!(digests.len(), all.len());
        assert!(digests.iter().all(|digest| digest.len() == 64));
    }

    #[test]
    fn variables_without_meaning_do_not_change_the_digest() {
        let plain = sources(&[("a", "b")], &[]).digest();
        assert_eq!(sources(&[("a", "b")], &[("HOME", "/root"), ("PORT", "")]).digest(), plain);
    }

    #[test]
    fn debug_output_shows_no_content() {
        assert!(!format!("{:?}", FileContent::Bytes(b"api_hash".to_vec())).contains("api"));
    }
}
