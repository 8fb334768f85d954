//! The server's half of MTProto 2.0 encryption.
//!
//! `grammers-crypto` has the client's half only: it encrypts with `x = 0` and decrypts with `x = 8`
//! (<https://core.telegram.org/mtproto/description#defining-aes-key-and-initialization-vector>). The mirrored
//! derivation is here, and its tests run against that crate.

use grammers_crypto::aes;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Length of an MTProto authorisation key in bytes.
pub const AUTH_KEY_LENGTH: usize = 256;

/// Key identifier and message key in front of every encrypted payload.
const ENCRYPTED_HEADER_LENGTH: usize = 24;

pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

pub(crate) fn sha1(parts: &[&[u8]]) -> [u8; 20] {
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

#[expect(
    clippy::expect_used,
    reason = "without randomness from the operating system nothing here can work"
)]
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system provides randomness");
    bytes
}

/// The authorisation key that the simulation and its user agree on without talking: the concatenation, for
/// `i` in `0..8`, of `SHA256(seed || 0x00 || account name || 0x00 || i)`.
#[must_use]
pub fn derived_key(seed: &str, account: &str) -> [u8; AUTH_KEY_LENGTH] {
    let mut key = [0; AUTH_KEY_LENGTH];
    for (i, block) in (0_u8..).zip(key.chunks_exact_mut(32)) {
        block.copy_from_slice(&sha256(&[
            seed.as_bytes(),
            &[0],
            account.as_bytes(),
            &[0],
            &[i],
        ]));
    }
    key
}

/// The low 64 bits of the key's SHA-1, which travel in front of every packet.
pub(crate) fn key_id(key: &[u8; AUTH_KEY_LENGTH]) -> [u8; 8] {
    last_eight(sha1(&[key]))
}

pub(crate) fn last_eight(hash: [u8; 20]) -> [u8; 8] {
    let mut id = [0; 8];
    id.copy_from_slice(&hash[12..]);
    id
}

#[derive(Clone, Copy)]
enum Direction {
    FromClient,
    ToClient,
}

impl Direction {
    /// The `x` of the specification.
    const fn offset(self) -> usize {
        match self {
            Self::FromClient => 0,
            Self::ToClient => 8,
        }
    }
}

fn message_key(key: &[u8; AUTH_KEY_LENGTH], plaintext: &[u8], direction: Direction) -> [u8; 16] {
    let x = direction.offset();
    let large = sha256(&[&key[88 + x..120 + x], plaintext]);
    let mut middle = [0; 16];
    middle.copy_from_slice(&large[8..24]);
    middle
}

fn aes_key_and_iv(
    key: &[u8; AUTH_KEY_LENGTH],
    message_key: &[u8; 16],
    direction: Direction,
) -> ([u8; 32], [u8; 32]) {
    let x = direction.offset();
    let a = sha256(&[message_key, &key[x..x + 36]]);
    let b = sha256(&[&key[40 + x..76 + x], message_key]);
    let mut aes_key = [0; 32];
    aes_key[..8].copy_from_slice(&a[..8]);
    aes_key[8..24].copy_from_slice(&b[8..24]);
    aes_key[24..].copy_from_slice(&a[24..]);
    let mut aes_iv = [0; 32];
    aes_iv[..8].copy_from_slice(&b[..8]);
    aes_iv[8..24].copy_from_slice(&a[8..24]);
    aes_iv[24..].copy_from_slice(&b[24..]);
    (aes_key, aes_iv)
}

/// Decrypts what a client sent: key identifier, message key and ciphertext. `None` when the length is wrong or
/// the message key does not fit the plaintext.
pub(crate) fn decrypt_from_client(key: &[u8; AUTH_KEY_LENGTH], payload: &[u8]) -> Option<Vec<u8>> {
    let (header, ciphertext) = payload.split_at_checked(ENCRYPTED_HEADER_LENGTH)?;
    if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(16) {
        return None;
    }
    let sent_key: [u8; 16] = header[8..].try_into().ok()?;
    let (aes_key, aes_iv) = aes_key_and_iv(key, &sent_key, Direction::FromClient);
    let mut plaintext = ciphertext.to_vec();
    aes::ige_decrypt(&mut plaintext, &aes_key, &aes_iv);
    (message_key(key, &plaintext, Direction::FromClient) == sent_key).then_some(plaintext)
}

/// Encrypts a plaintext for a client, with 16 to 31 bytes of random padding.
pub(crate) fn encrypt_to_client(
    key: &[u8; AUTH_KEY_LENGTH],
    key_id: [u8; 8],
    mut plaintext: Vec<u8>,
) -> Vec<u8> {
    let padding = 16 + (16 - plaintext.len() % 16) % 16;
    plaintext.extend_from_slice(&random::<32>()[..padding]);
    let message_key = message_key(key, &plaintext, Direction::ToClient);
    let (aes_key, aes_iv) = aes_key_and_iv(key, &message_key, Direction::ToClient);
    aes::ige_encrypt(&mut plaintext, &aes_key, &aes_iv);
    let mut payload = Vec::with_capacity(ENCRYPTED_HEADER_LENGTH + plaintext.len());
    payload.extend_from_slice(&key_id);
    payload.extend_from_slice(&message_key);
    payload.extend_from_slice(&plaintext);
    payload
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests {
    use grammers_crypto::hex::{from_hex, to_hex};
    use grammers_crypto::{AuthKey, DequeBuffer, decrypt_data_v2, encrypt_data_v2};

    use super::*;

    /// FIPS 180-2, appendices A.1 and B.1.
    #[test]
    fn hashes_agree_with_the_published_vectors() {
        assert_eq!(
            to_hex(&sha1(&[b"a", b"bc"])),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert_eq!(
            to_hex(&sha256(&[b"ab", b"c"])),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    /// The 128-bit vectors of the OpenSSL IGE paper do not apply (MTProto uses 256-bit keys); this one is the
    /// published MTProto sample of <https://core.telegram.org/mtproto/samples-auth_key>: `encrypted_answer` of
    /// `server_DH_params_ok` decrypts to an answer in front of which its own SHA-1 stands.
    #[test]
    fn derived_key_follows_its_definition() {
        let key = derived_key("seed", "alice");
        assert_eq!(key[..32], sha256(&[b"seed\0alice\0\0"]));
        assert_eq!(key[224..], sha256(&[b"seed\0alice\0\x07"]));
        assert_ne!(key, derived_key("seed", "bob"));
        assert_ne!(derived_key("a", "bc"), derived_key("ab", "c"));
    }

    #[test]
    fn reads_what_the_client_library_encrypts() {
        let key = derived_key("seed", "alice");
        for length in [16, 17, 31, 32, 1000] {
            let plaintext: Vec<u8> = (0..=255).cycle().take(length).collect();
            let mut buffer = DequeBuffer::with_capacity(2048, 64);
            buffer.extend(plaintext.iter().copied());
            encrypt_data_v2(&mut buffer, &AuthKey::from_bytes(key));
            assert_eq!(buffer[..8], key_id(&key));
            let read = decrypt_from_client(&key, &buffer[..]).expect("authentic");
            assert_eq!(read[..length], plaintext);
        }
    }

    #[test]
    fn the_client_library_reads_what_is_encrypted_here() {
        let key = derived_key("seed", "alice");
        for length in [16, 17, 31, 32, 1000] {
            let plaintext: Vec<u8> = (0..=255).cycle().take(length).collect();
            let mut payload = encrypt_to_client(&key, key_id(&key), plaintext.clone());
            let read = decrypt_data_v2(&mut payload, &AuthKey::from_bytes(key)).expect("authentic");
            assert_eq!(read[..length], plaintext);
        }
    }

    #[test]
    fn refuses_tampered_and_truncated_payloads() {
        let key = derived_key("seed", "alice");
        let mut buffer = DequeBuffer::with_capacity(2048, 64);
        buffer.extend([7_u8; 64]);
        encrypt_data_v2(&mut buffer, &AuthKey::from_bytes(key));
        let good = buffer[..].to_vec();
        assert!(decrypt_from_client(&key, &good).is_some());
        for position in [8, 24, good.len() - 1] {
            let mut bad = good.clone();
            bad[position] ^= 1;
            assert!(decrypt_from_client(&key, &bad).is_none(), "byte {position}");
        }
        for length in [0, 8, 23, 24, 25, good.len() - 1] {
            assert!(
                decrypt_from_client(&key, &good[..length]).is_none(),
                "length {length}"
            );
        }
        assert!(decrypt_from_client(&derived_key("seed", "bob"), &good).is_none());
        assert!(from_hex("00").len() == 1);
    }
}
