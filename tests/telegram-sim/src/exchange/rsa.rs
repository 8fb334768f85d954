//! The key pair with which clients begin a key exchange. Telegram's clients know Telegram's public keys only, so a client of
//! this data centre has to be told about [`exchange_key`].

use std::sync::LazyLock;

use grammers_crypto::aes;
use grammers_tl_types::Serializable;
use num_bigint::BigUint;

use crate::crypto::{last_eight, sha1, sha256};
use crate::srp::padded;

const EXPONENT: u32 = 65537;

/// Made for this simulation, which listens on loopback addresses only: no secret.
const MODULUS: &[u8] =
    b"c8146577a6b258527658180d971a4b20d40c201a89df4328d98ba4773c3f436a1e03daa906fe1e25205cf67776762079\
7dadf45b9742a124c77c2ef47436414bb26b9d578d044c27804df0ccfabeb1987e63f9dd3df6d3e5cb9fc4713ad39150\
a5a43d45a15126e6485ba537523357c04f46ca0e3d2244a55d0b093ca8b5a609603c1b0103da1f8acca21cfcae367d6b\
7d6220e2fdacb579163af61cf7b8c045e48b49f9b0cbc7a34cebbb9bfc7b09fc297873af6429629cc8736ce164cd2b9d\
d9175bf74e3e9759606d88dc213d3d15b61567cba3bad8e4b07eaec780d13d991076e58735221b06452b7329f29221a5\
a7cd261897afda8d484ed46a02cd20cf";

const PRIVATE_EXPONENT: &[u8] =
    b"43988b24a96f878cbf3ec94c38c896a938a55568a1e6894cbbc804808ec7862c768786d04ef47b956a21a8d878c5354e\
2bba76dbf0212aa0150ff78279e0a5496b0b6b2a5bbcca9dc32891e4d95ca3a8deca98180f09dcfd1340f44a97929d7d\
9ef8a6056842d5343d2df930d4d753c63d025adc04a617306706db7ab58f93d04281f910256aa1dafd7426e25c270a2e\
c2be8eb6a70ddd82a67d36b766c8ed302259437b7265dff530494a0f59029de8edd258d3098c082d17842beacb9e2dc7\
11796403f0bfa99b9add6017434d008a8fc08cdd459efc19cf4c267266f5c6e4f0f4d91d3ef3fe5210eaa020a02337b7\
cf746528de75fd30ae29dbdb2c6260d";

static KEY: LazyLock<KeyPair> = LazyLock::new(|| {
    let number = |digits| BigUint::parse_bytes(digits, 16).unwrap_or_default();
    KeyPair { modulus: number(MODULUS), private_exponent: number(PRIVATE_EXPONENT) }
});

struct KeyPair {
    modulus: BigUint,
    private_exponent: BigUint,
}

/// What a client has to know to exchange keys with a simulated data centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeKey {
    /// The low 64 bits of the key's SHA-1.
    pub fingerprint: i64,
    /// In decimal digits.
    pub modulus: String,
    /// In decimal digits.
    pub exponent: String,
}

/// The public key of every simulated data centre.
#[must_use]
pub fn exchange_key() -> ExchangeKey {
    ExchangeKey { fingerprint: fingerprint(), modulus: KEY.modulus.to_string(), exponent: EXPONENT.to_string() }
}

/// As <https://core.telegram.org/mtproto/auth_key#dh-exchange-initiation> defines it: over both numbers as TL bytes.
pub(super) fn fingerprint() -> i64 {
    let mut bytes = Vec::new();
    KEY.modulus.to_bytes_be().serialize(&mut bytes);
    BigUint::from(EXPONENT).to_bytes_be().serialize(&mut bytes);
    i64::from_le_bytes(last_eight(sha1(&[&bytes])))
}

/// Undoes `RSA_PAD` (<https://core.telegram.org/mtproto/auth_key#41-rsa-paddata-server-public-key-explained>): what the client
/// encrypted, with its random padding. `None` when it is not what that makes.
pub(super) fn decrypt(encrypted: &[u8]) -> Option<Vec<u8>> {
    let number = BigUint::from_bytes_be(encrypted);
    if encrypted.len() != 256 || number >= KEY.modulus {
        return None;
    }
    let plain = padded(&number.modpow(&KEY.private_exponent, &KEY.modulus));
    let (masked_key, ciphertext) = plain.split_at(32);
    let mut key = [0; 32];
    for ((byte, masked), mask) in key.iter_mut().zip(masked_key).zip(sha256(&[ciphertext])) {
        *byte = masked ^ mask;
    }
    let mut data = ciphertext.to_vec();
    aes::ige_decrypt(&mut data, &key, &[0; 32]);
    let hash = data.split_off(192);
    data.reverse();
    (sha256(&[&key, &data]) == *hash).then_some(data)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_client_library_encrypts_and_nothing_else() {
        let ExchangeKey { modulus, exponent, .. } = exchange_key();
        let key = grammers_crypto::rsa::Key::new(&modulus, &exponent).unwrap();
        let encrypted = grammers_crypto::rsa::encrypt_hashed(b"what is told", &key, &[7; 224]);
        assert_eq!(decrypt(&encrypted).unwrap()[..12], *b"what is told");
        let mut damaged = encrypted.clone();
        damaged[200] ^= 1;
        for wrong in [damaged, encrypted[1..].to_vec(), vec![0xff; 256], Vec::new()] {
            assert_eq!(decrypt(&wrong), None);
        }
    }
}
