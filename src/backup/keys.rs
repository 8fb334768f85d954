//! Whom a backup is sealed to, who signs it and whose signature counts.
//!
//! Sealing is age's X25519, so that `age -d` opens an archive without us. Manifests and records are signed with Ed25519: a
//! recipient is public, and sealing alone would let anybody who can write to the server forge a backup.
//!
//! All keys can come from one text, `TG_SIGNER_BACKUP_ENCRYPTION_KEY`: either an age identity, or at least 32 bytes that no one
//! can guess. Nothing stretches a short passphrase, because that costs hundreds of megabytes of memory at every start.

use std::fmt;
use std::str::FromStr;

use age::secrecy::ExposeSecret;
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use bech32::{ToBase32, Variant};
use ed25519_dalek::{Signature, Signer, VerifyingKey};
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::digest::Sha256Digest;
use crate::config::secret::Secret;

/// The least length of a text that keys are derived from, in bytes.
pub const LEAST_KEY_BYTES: usize = 32;

/// The labels keep the derived keys apart; they are part of the format and never change.
const LABEL_IDENTITY: &[u8] = b"tgsignd backup v1 age identity";
const LABEL_SIGNING: &[u8] = b"tgsignd backup v1 ed25519 signing key";
const LABEL_INSTANCE: &[u8] = b"tgsignd instance v1 ed25519 signing key";

const IDENTITY_PREFIX: &str = "age-secret-key-";
const PUBLIC_PREFIX: &str = "ed25519:";

/// Why a text is no key. None of the messages holds any of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not an X25519 recipient.
    #[error("this is no age recipient: expected age1… (X25519), as `age-keygen` prints after \"public key\"")]
    Recipient,
    /// Not an X25519 identity.
    #[error("this is no age identity: expected one line AGE-SECRET-KEY-1…, as `age-keygen` writes it")]
    Identity,
    /// Too short to derive keys from.
    #[error(
        "the encryption key is too short: give an AGE-SECRET-KEY-1… (`age-keygen`) or at least {LEAST_KEY_BYTES} random bytes \
         (`openssl rand -hex 32`)"
    )]
    TooShort,
    /// Not a public signing key.
    #[error(
        "this is no public signing key: expected {PUBLIC_PREFIX} and 43 characters, as `tgsignd backup key` prints it"
    )]
    Public,
    /// An identity that is no recipient.
    #[error(
        "identity opens nothing that is sealed to these recipients: add its own, {0}, to recipients, or give the identity that \
         belongs to one of them"
    )]
    OpensNothing(String),
    /// Nobody could ever open the backup.
    #[error("a backup needs at least one recipient: set recipients in [backup], or TG_SIGNER_BACKUP_ENCRYPTION_KEY")]
    NoRecipients,
}

/// Someone who can open the backup.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient(age::x25519::Recipient);

impl FromStr for Recipient {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        text.trim().parse().map(Self).map_err(|_| KeyError::Recipient)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Everybody who can open the backup: at least one, in the order of their text, none twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipients(Vec<Recipient>);

impl Recipients {
    /// These recipients. To rotate a key, add the new one, and drop the old one when no generation needs it any more.
    pub fn new(recipients: impl IntoIterator<Item = Recipient>) -> Result<Self, KeyError> {
        let mut recipients: Vec<_> = recipients.into_iter().collect();
        recipients.sort_by_cached_key(ToString::to_string);
        recipients.dedup();
        if recipients.is_empty() { Err(KeyError::NoRecipients) } else { Ok(Self(recipients)) }
    }

    /// Whether `identity` opens what is sealed to them.
    pub fn include(&self, identity: &Identity) -> bool {
        self.0.contains(&identity.recipient())
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Recipient> {
        self.0.iter()
    }

    /// What age seals to.
    pub fn for_age(&self) -> impl Iterator<Item = &dyn age::Recipient> {
        self.0.iter().map(|recipient| &recipient.0 as &dyn age::Recipient)
    }

    /// Differs when the set differs: an archive that is sealed to others is another archive.
    pub fn fingerprint(&self) -> Sha256Digest {
        let lines: String = self.0.iter().map(|recipient| format!("{recipient}\n")).collect();
        Sha256Digest::of(lines.as_bytes())
    }
}

/// What opens a backup.
#[derive(Clone)]
pub struct Identity(age::x25519::Identity);

impl Identity {
    /// The identity with this secret, of which every 32 bytes are one.
    pub fn from_secret(secret: &[u8; 32]) -> Result<Self, KeyError> {
        let mut text =
            bech32::encode(IDENTITY_PREFIX, secret.to_base32(), Variant::Bech32).map_err(|_| KeyError::Identity)?;
        let identity = text.parse().map(Self).map_err(|_| KeyError::Identity);
        text.zeroize();
        identity
    }

    /// The identity as `age -d -i` reads it: a secret, for `backup key` only.
    pub fn to_text(&self) -> Secret<String> {
        Secret::new(self.0.to_string().expose_secret().to_owned())
    }

    /// Who can be sealed to so that this identity opens it.
    pub fn recipient(&self) -> Recipient {
        Recipient(self.0.to_public())
    }

    /// What age opens with.
    pub fn for_age(&self) -> &dyn age::Identity {
        &self.0
    }
}

impl FromStr for Identity {
    type Err = KeyError;
    /// Reads one identity; lines that begin with `#` are comments, as in the files of `age-keygen`.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (Some(line), None) = (lines.next(), lines.next()) else { return Err(KeyError::Identity) };
        line.parse().map(Self).map_err(|_| KeyError::Identity)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.recipient())
    }
}

/// The key that an instance signs manifests and records with.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// The key of an instance, from the secret that its ledger drew and that travels in the backup.
    pub fn of_instance(secret: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&derive(secret, LABEL_INSTANCE)))
    }

    /// What others verify with.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public())
    }
}

/// What verifies a signature, written as `ed25519:` and base64 without padding. The bytes are those of a point on the curve.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let key = VerifyingKey::from_bytes(&self.0);
        key.is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let encoded = text.trim().strip_prefix(PUBLIC_PREFIX).ok_or(KeyError::Public)?;
        let bytes = BASE64_STANDARD_NO_PAD.decode(encoded).map_err(|_| KeyError::Public)?;
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| KeyError::Public)?;
        let usable = VerifyingKey::from_bytes(&bytes).is_ok_and(|key| !key.is_weak());
        if usable { Ok(Self(bytes)) } else { Err(KeyError::Public) }
    }
}

impl TryFrom<String> for PublicKey {
    type Error = KeyError;
    fn try_from(text: String) -> Result<Self, KeyError> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC_PREFIX}{}", BASE64_STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whose signatures count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedKeys(Vec<PublicKey>);

impl TrustedKeys {
    /// Trusts these keys and no other.
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// Whether a signature of `key` counts.
    pub fn contains(&self, key: &PublicKey) -> bool {
        self.0.contains(key)
    }
}

/// Everything that one secret text gives.
#[derive(Debug, Clone)]
pub struct DerivedKeys {
    /// Opens the backups.
    pub identity: Identity,
    /// Signs them; its public half is what a new host with the same text trusts.
    pub signing: SigningKey,
}

impl DerivedKeys {
    /// The keys of `TG_SIGNER_BACKUP_ENCRYPTION_KEY`: an age identity, also a whole file of `age-keygen`, stays the identity it
    /// is, any other text goes through HKDF-SHA256. White space around the text does not count.
    pub fn from_text(text: &Secret<String>) -> Result<Self, KeyError> {
        let trimmed = text.expose().trim();
        if trimmed.lines().any(is_identity) {
            Self::from_identity(text)
        } else if trimmed.len() < LEAST_KEY_BYTES {
            Err(KeyError::TooShort)
        } else {
            Identity::from_secret(&derive(trimmed.as_bytes(), LABEL_IDENTITY)).map(Self::of)
        }
    }

    /// The keys of `identity`, a file of `age-keygen`: of any other text nobody would know the recipient.
    pub fn from_identity(text: &Secret<String>) -> Result<Self, KeyError> {
        text.expose().parse().map(Self::of)
    }

    fn of(identity: Identity) -> Self {
        // An identity may be written in either case; the key must not depend on it.
        let canonical = Zeroizing::new(identity.to_text().expose().clone());
        let signing = SigningKey(ed25519_dalek::SigningKey::from_bytes(&derive(canonical.as_bytes(), LABEL_SIGNING)));
        Self { identity, signing }
    }
}

fn is_identity(line: &str) -> bool {
    line.trim_start().get(..IDENTITY_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(IDENTITY_PREFIX))
}

fn derive(secret: &[u8], label: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    // Only lengths over 8160 bytes are refused.
    let _ = Hkdf::<Sha256>::new(None, secret).expand(label, &mut *key);
    key
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const TEXT: &str = "0123456789abcdef0123456789abcdef";

    fn keys(text: &str) -> DerivedKeys {
        DerivedKeys::from_text(&Secret::new(text.to_owned())).unwrap()
    }

    #[test]
    fn what_is_derived_never_changes() {
        // Backups that were made with a text must open with it for ever: these values are the format.
        let keys = keys(TEXT);
        assert_eq!(keys.identity.recipient().to_string(), RECIPIENT);
        assert_eq!(keys.signing.public().to_string(), PUBLIC);
    }
    const RECIPIENT: &str = "age1w7kavv2ej78pvtg0h97c70nspzqqsg8w09vd5r3qxhevcl6r5djqj5js4u";
    const PUBLIC: &str = "ed25519:rg3r8noM4sFUuqcNJT0JL0ocSXcCmkg0a+xdwaiPJNA";

    #[test]
    fn an_identity_stays_itself_in_either_case() {
        let text = keys(TEXT).identity.to_text().expose().clone();
        assert!(text.starts_with("AGE-SECRET-KEY-1"), "the prefix only");
        for written in [text.clone(), format!(" {text}\n"), text.to_lowercase()] {
            let again = keys(&written);
            assert_eq!(again.identity.recipient(), keys(TEXT).identity.recipient());
            assert_eq!(again.signing.public(), keys(TEXT).signing.public());
        }
        let file = format!("# created: today\n# public key: age1…\n{text}\n");
        assert_eq!(file.parse::<Identity>().unwrap().recipient(), keys(TEXT).identity.recipient());
        assert_eq!(keys(&file).identity.recipient(), keys(TEXT).identity.recipient());
    }

    #[test]
    fn one_other_byte_is_all_other_keys() {
        let (a, b) = (keys(TEXT), keys(&TEXT.replace('0', "1")));
        assert_ne!(a.identity.recipient(), b.identity.recipient());
        assert_ne!(a.signing.public(), b.signing.public());
    }

    #[test]
    fn short_and_broken_keys_are_refused_without_showing_them() {
        let refused = |text: &str| DerivedKeys::from_text(&Secret::new(text.to_owned())).unwrap_err();
        assert_eq!(refused("hunter2"), KeyError::TooShort);
        let broken = "AGE-SECRET-KEY-1NOTREALLYAKEYATALLBUTLONGENOUGHTOBEONE";
        assert_eq!(refused(broken), KeyError::Identity);
        assert!(!refused(broken).to_string().contains("NOTREALLY"));
        assert_eq!("age1xyz".parse::<Recipient>(), Err(KeyError::Recipient));
        assert!("".parse::<Identity>().is_err());
        assert_eq!(DerivedKeys::from_identity(&Secret::new(TEXT.to_owned())).unwrap_err(), KeyError::Identity);
        assert_eq!("ed25519:AAAA".parse::<PublicKey>(), Err(KeyError::Public));
    }

    #[test]
    fn nothing_secret_is_shown() {
        let keys = keys(TEXT);
        let secret = keys.identity.to_text();
        let shown = format!("{keys:?} {secret:?}");
        assert!(!shown.contains("SECRET-KEY") && !shown.contains(TEXT), "{shown}");
    }

    #[test]
    fn the_set_of_recipients_has_no_order() {
        let one = |text: &str| keys(text).identity.recipient();
        let (a, b) = (one(TEXT), one(&TEXT.repeat(2)));
        let ab = Recipients::new([a.clone(), b.clone(), a.clone()]).unwrap();
        assert_eq!(ab, Recipients::new([b, a.clone()]).unwrap());
        assert_ne!(ab.fingerprint(), Recipients::new([a]).unwrap().fingerprint());
        assert_eq!(Recipients::new([]), Err(KeyError::NoRecipients));
    }

    #[test]
    fn signatures_hold_for_what_was_signed() {
        let key = SigningKey::of_instance(&[7; 32]);
        let signature = key.sign(b"this");
        assert!(key.public().verifies(b"this", &signature) && !key.public().verifies(b"that", &signature));
        assert!(!SigningKey::of_instance(&[8; 32]).public().verifies(b"this", &signature));
        assert_eq!(key.public().to_string().parse(), Ok(key.public()));
    }
}
