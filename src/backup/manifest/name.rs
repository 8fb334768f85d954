//! Names of remote objects.
//!
//! Only `[a-z0-9.-]`, because servers disagree about everything else; no name begins with a dot (nginx and copyparty hide
//! those) or ends in `.gz`, `.zip` or `.db` (Yandex.Disk slows those down). Each holds 48 random bits, so that nothing is ever
//! written twice: a torn upload is retried under another name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::backup::digest::{Sha256Digest, from_hex, to_hex};

/// What all names of one backup begin with: 1 to 64 of `[a-z0-9.-]`, the first and the last one a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Stem(String);

/// The text cannot begin names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to 64 of a-z, 0-9, \".\" and \"-\", with a letter or digit at both ends")]
pub struct NameError;

const LONGEST_STEM: usize = 64;

impl Stem {
    /// The stem made of the last part of a remote path, such as `tgsignd` of `My Tgsignd.tar.gz` → `my-tgsignd`.
    pub fn from_file_name(name: &str) -> Self {
        let mut name = name.to_lowercase();
        while let Some(shorter) = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)) {
            name = shorter.to_owned();
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
        let text: String = name.chars().map(|c| if plain(c) { c } else { '-' }).take(LONGEST_STEM).collect();
        text.trim_matches(['.', '-']).parse().unwrap_or_default()
    }
}

const ENDINGS: [&str; 7] = [".gz", ".tgz", ".tar", ".zip", ".age", ".json", ".db"];

impl Default for Stem {
    fn default() -> Self {
        Self("tgsignd".to_owned())
    }
}

impl FromStr for Stem {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let inside = |byte: u8| edge(Some(byte)) || matches!(byte, b'.' | b'-');
        let bytes = text.as_bytes();
        let valid = bytes.len() <= LONGEST_STEM
            && edge(bytes.first().copied())
            && edge(bytes.last().copied())
            && bytes.iter().all(|byte| inside(*byte));
        if valid { Ok(Self(text.to_owned())) } else { Err(NameError) }
    }
}

impl TryFrom<String> for Stem {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Stem> for String {
    fn from(stem: Stem) -> Self {
        stem.0
    }
}

impl fmt::Display for Stem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of a backup, from 1; ten digits at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Generation(u64);

impl Generation {
    /// The first one.
    pub const FIRST: Self = Self(1);
    const LAST: u64 = 9_999_999_999;

    /// Its number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The one after it; `None` when ten digits are used up.
    pub fn next(self) -> Option<Self> {
        Self::try_from(self.0 + 1).ok()
    }
}

impl TryFrom<u64> for Generation {
    type Error = NameError;
    fn try_from(number: u64) -> Result<Self, NameError> {
        if (1..=Self::LAST).contains(&number) { Ok(Self(number)) } else { Err(NameError) }
    }
}

impl From<Generation> for u64 {
    fn from(generation: Generation) -> Self {
        generation.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// 48 random bits that make a name unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce(pub [u8; 6]);

/// One boot of an instance: the one with the higher epoch owns the sessions. Of two boots that took the same number at the
/// same time, the one whose random part is higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Epoch {
    /// Counts boots; from 1.
    pub number: u32,
    /// Tells simultaneous boots apart.
    pub nonce: Nonce,
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}-{}", self.number, to_hex(&self.nonce.0))
    }
}

impl FromStr for Epoch {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let (number, nonce) = text.split_once('-').ok_or(NameError)?;
        let number = u32::try_from(ten_digits(number)?).map_err(|_| NameError)?;
        Ok(Self { number, nonce: Nonce(from_hex(nonce).ok_or(NameError)?) })
    }
}

impl TryFrom<String> for Epoch {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Epoch> for String {
    fn from(epoch: Epoch) -> Self {
        epoch.to_string()
    }
}

/// What a backup is divided into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// What a new host needs to go on: sessions, workdir, recent claims.
    Core,
    /// The whole ledger.
    History,
}

impl Part {
    /// The word in names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::History => "history",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Core, Self::History].into_iter().find(|part| part.as_str() == word)
    }
}

/// A short mark of the instance that wrote an object, so that another one's is never taken for an orphan. No proof: manifests
/// are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner([u8; 4]);

impl Owner {
    /// The mark of an instance.
    pub fn of(instance: &str) -> Self {
        let [a, b, c, d, ..] = *Sha256Digest::of(instance.as_bytes()).as_bytes();
        Self([a, b, c, d])
    }
}

/// What somebody pushes to the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InboxKind {
    /// A workdir.
    Workdir,
    /// The session of one account.
    Session,
}

impl InboxKind {
    /// The word in names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workdir => "workdir",
            Self::Session => "session",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Workdir, Self::Session].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What an object is, as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectName {
    /// `STEM-b-GENERATION-PART-OWNER-CONTENT-NONCE.age`: a sealed archive.
    Part {
        /// The generation it was made for; later ones may refer to it too.
        generation: Generation,
        /// Which part.
        part: Part,
        /// Who made it.
        owner: Owner,
        /// The first half of the digest of the sealed bytes.
        sha256_half: [u8; 16],
        /// Unique.
        nonce: Nonce,
    },
    /// `STEM-m-GENERATION-SHA256-NONCE.json`: a manifest.
    Manifest {
        /// Which generation.
        generation: Generation,
        /// Digest of its bytes, so that the name alone says which content it must have.
        sha256: Sha256Digest,
        /// Unique.
        nonce: Nonce,
    },
    /// `STEM-t-NUMBER-NONCE.json`: a boot takes over.
    Takeover(Epoch),
    /// `STEM-r-NUMBER-NONCE.json`: that boot no longer uses the sessions.
    Release(Epoch),
    /// `STEM-i-KIND-NONCE.age`: something pushed to the daemon.
    Inbox {
        /// What it is.
        kind: InboxKind,
        /// Unique.
        nonce: Nonce,
    },
    /// `STEM-a-NONCE.json`: the daemon's answer to what was pushed with the same nonce.
    Answer {
        /// That of the inbox object.
        nonce: Nonce,
    },
}

impl ObjectName {
    /// The name as text.
    pub fn to_text(&self, stem: &Stem) -> String {
        match self {
            Self::Part { generation, part, owner, sha256_half, nonce } => format!(
                "{stem}-b-{:010}-{}-{}-{}-{}.age",
                generation.0,
                part.as_str(),
                to_hex(&owner.0),
                to_hex(sha256_half),
                to_hex(&nonce.0)
            ),
            Self::Manifest { generation, sha256, nonce } => {
                format!("{stem}-m-{:010}-{sha256}-{}.json", generation.0, to_hex(&nonce.0))
            }
            Self::Takeover(epoch) => format!("{stem}-t-{epoch}.json"),
            Self::Release(epoch) => format!("{stem}-r-{epoch}.json"),
            Self::Inbox { kind, nonce } => format!("{stem}-i-{}-{}.age", kind.as_str(), to_hex(&nonce.0)),
            Self::Answer { nonce } => format!("{stem}-a-{}.json", to_hex(&nonce.0)),
        }
    }

    /// What `text` names. `None` is somebody else's object, which is never touched.
    pub fn parse(stem: &Stem, text: &str) -> Option<Self> {
        let rest = text.strip_prefix(&stem.0)?.strip_prefix('-')?;
        let (kind, rest) = rest.split_once('-')?;
        let ending = if matches!(kind, "b" | "i") { ".age" } else { ".json" };
        let rest = rest.strip_suffix(ending)?;
        let fields: Vec<&str> = rest.split('-').collect();
        let nonce = |text: &str| from_hex(text).map(Nonce);
        match (kind, &fields[..]) {
            ("b", [generation, part, owner, half, random]) => Some(Self::Part {
                generation: parse_generation(generation)?,
                part: Part::from_word(part)?,
                owner: Owner(from_hex(owner)?),
                sha256_half: from_hex(half)?,
                nonce: nonce(random)?,
            }),
            ("m", [generation, sha256, random]) => Some(Self::Manifest {
                generation: parse_generation(generation)?,
                sha256: sha256.parse().ok()?,
                nonce: nonce(random)?,
            }),
            ("t", [_, _]) => rest.parse().ok().map(Self::Takeover),
            ("r", [_, _]) => rest.parse().ok().map(Self::Release),
            ("i", [kind, random]) => Some(Self::Inbox { kind: InboxKind::from_word(kind)?, nonce: nonce(random)? }),
            ("a", [random]) => Some(Self::Answer { nonce: nonce(random)? }),
            _ => None,
        }
    }

    /// The name of a manifest with these bytes.
    pub fn of_manifest(generation: Generation, bytes: &[u8], nonce: Nonce) -> Self {
        Self::Manifest { generation, sha256: Sha256Digest::of(bytes), nonce }
    }

    /// The name of a part whose sealed bytes have this digest.
    pub fn of_part(generation: Generation, part: Part, owner: Owner, sha256: &Sha256Digest, nonce: Nonce) -> Self {
        let mut sha256_half = [0; 16];
        sha256_half.copy_from_slice(&sha256.as_bytes()[..16]);
        Self::Part { generation, part, owner, sha256_half, nonce }
    }
}

fn ten_digits(text: &str) -> Result<u64, NameError> {
    let digits = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().map_err(|_| NameError) } else { Err(NameError) }
}

fn parse_generation(text: &str) -> Option<Generation> {
    Generation::try_from(ten_digits(text).ok()?).ok()
}

#[cfg(test)]
#[path = "name_tests.rs"]
mod tests;
