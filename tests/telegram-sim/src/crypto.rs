//! The server's half of `MTProto` 2.0 encryption.
//!
//! `grammers-crypto` has the client's half only: it encrypts with `x = 0` and decrypts with `x = 8`
//! (<https://core.telegram.org/mtproto/description#defining-aes-key-and-initialization-vector>). The mirrored
//! derivation is here, and its tests run against that crate.

use grammers_crypto::aes;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Length of an `MTProto` authorisation key in bytes.
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

#[expect(clippy::expect_used, reason = "without randomness from the operating system nothing here can work")]
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
        block.copy_from_slice(&sha256(&[seed.as_bytes(), &[0], account.as_bytes(), &[0], &[i]]));
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

fn aes_key_and_iv(key: &[u8; AUTH_KEY_LENGTH], message_key: &[u8; 16], direction: Direction) -> ([u8; 32], [u8; 32]) {
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
pub(crate) fn encrypt_to_client(key: &[u8; AUTH_KEY_LENGTH], key_id: [u8; 8], mut plaintext: Vec<u8>) -> Vec<u8> {
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
        assert_eq!(to_hex(&sha1(&[b"a", b"bc"])), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(to_hex(&sha256(&[b"ab", b"c"])), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    /// The key exchange that Telegram published as a sample
    /// (<https://core.telegram.org/mtproto/samples-auth_key>): the encrypted answer decrypts to one in front of
    /// which its own SHA-1 stands.
    #[test]
    fn aes_ige_agrees_with_the_published_vector() {
        let key = from_hex("F011280887C7BB01DF0FC4E17830E0B91FBB8BE4B2267CB985AE25F33B527253");
        let iv = from_hex("3212D579EE35452ED23E0D0C92841AA7D31B2E9BDEF2151E80D15860311C85DB");
        let encrypted = from_hex(ENCRYPTED_ANSWER);
        let (key, iv): ([u8; 32], [u8; 32]) = (key.try_into().unwrap(), iv.try_into().unwrap());
        let mut answer = encrypted.clone();
        aes::ige_decrypt(&mut answer, &key, &iv);
        assert_eq!(answer[20..24], 0xb589_0dba_u32.to_le_bytes(), "server_DH_inner_data");
        // The answer is 564 bytes long; the rest is padding.
        assert_eq!(answer[..20], sha1(&[&answer[20..584]]));
        aes::ige_encrypt(&mut answer, &key, &iv);
        assert_eq!(answer, encrypted);
    }

    const ENCRYPTED_ANSWER: &str = "28A92FE20173B347A8BB324B5FAB2667C9A8BBCE6468D5B509A4CBDDC186240AC912CF7006AF8926DE606A2E74C0493CAA57741E6C82451F54D3E068F5CCC49B4444124B9666FFB405AAB564A3D01E67F6E912867C8D20D9882707DC330B17B4E0DD57CB53BFAAFA9EF5BE76AE6C1B9B6C51E2D6502A47C883095C46C81E3BE25F62427B585488BB3BF239213BF48EB8FE34C9A026CC8413934043974DB03556633038392CECB51F94824E140B98637730A4BE79A8F9DAFA39BAE81E1095849EA4C83467C92A3A17D997817C8A7AC61C3FF414DA37B7D66E949C0AEC858F048224210FCC61F11C3A910B431CCBD104CCCC8DC6D29D4A5D133BE639A4C32BBFF153E63ACA3AC52F2E4709B8AE01844B142C1EE89D075D64F69A399FEB04E656FE3675A6F8F412078F3D0B58DA15311C1A9F8E53B3CD6BB5572C294904B726D0BE337E2E21977DA26DD6E33270251C2CA29DFCC70227F0755F84CFDA9AC4B8DD5F84F1D1EB36BA45CDDC70444D8C213E4BD8F63B8AB95A2D0B4180DC91283DC063ACFB92D6A4E407CDE7C8C69689F77A007441D4A6A8384B666502D9B77FC68B5B43CC607E60A146223E110FCB43BC3C942EF981930CDC4A1D310C0B64D5E55D308D863251AB90502C3E46CC599E886A927CDA963B9EB16CE62603B68529EE98F9F5206419E03FB458EC4BD9454AA8F6BA777573CC54B328895B1DF25EAD9FB4CD5198EE022B2B81F388D281D5E5BC580107CA01A50665C32B552715F335FD76264FAD00DDD5AE45B94832AC79CE7C511D194BC42B70EFA850BB15C2012C5215CABFE97CE66B8D8734D0EE759A638AF013";

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
            assert!(decrypt_from_client(&key, &good[..length]).is_none(), "length {length}");
        }
        assert!(decrypt_from_client(&derived_key("seed", "bob"), &good).is_none());
    }
}
