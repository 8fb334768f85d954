//! The server's half of two-step verification: SRP-6a as Telegram defines it
//! (<https://core.telegram.org/api/srp>), with the 2048-bit group that Telegram's servers announce.

use std::sync::LazyLock;

use hmac::Hmac;
use num_bigint::BigUint;
use sha2::Sha512;

use crate::crypto::{random, sha256};

/// The generator announced with [`PRIME`].
pub(crate) const GENERATOR: u8 = 3;

const PBKDF2_ROUNDS: u32 = 100_000;

const PRIME_HEX: &[u8] = b"C71CAEB9C6B1C9048E6C522F70F13F73980D40238E3E21C14934D037563D930F\
48198A0AA7C14058229493D22530F4DBFA336F6E0AC925139543AED44CCE7C37\
20FD51F69458705AC68CD4FE6B6B13ABDC9746512969328454F18FAF8C595F64\
2477FE96BB2A941D5BCD1D4AC8CC49880708FA9B378E3C4F3A9060BEE67CF9A4\
A4A695811051907E162753B56B0F6B410DBA74D8A84B2A14B3144E0EF1284754\
FD17ED950D5965B4B9DD46582DB1178D169C6BC465B0D6FF9CA3928FEF5B9AE4\
E418FC15E83EBEA0F87FA9FF5EED70050DED2849F47BF959D956850CE929851F\
0D8115F635B105EE2E4E15D04B2454BF6F4FADF034B10403119CD8E3B92FCC5B";

/// The safe prime of Telegram's servers; also the one of their key exchange.
pub(crate) static PRIME: LazyLock<BigUint> = LazyLock::new(|| BigUint::parse_bytes(PRIME_HEX, 16).unwrap_or_default());

/// Big-endian, padded to 256 bytes as every number of the protocol is. Larger numbers are cut to their low bytes;
/// everything here is reduced modulo [`PRIME`] before.
pub(crate) fn padded(number: &BigUint) -> [u8; 256] {
    let bytes = number.to_bytes_be();
    let bytes = &bytes[bytes.len().saturating_sub(256)..];
    let mut out = [0; 256];
    out[256 - bytes.len()..].copy_from_slice(bytes);
    out
}

/// What a server keeps instead of a password.
pub(crate) struct Verifier {
    pub(crate) salt1: [u8; 16],
    pub(crate) salt2: [u8; 16],
    v: BigUint,
}

impl Verifier {
    /// Costs 100 000 rounds of PBKDF2: call it outside of any lock, and not more than once per password.
    pub(crate) fn new(password: &str, salt1: [u8; 16], salt2: [u8; 16]) -> Self {
        let x = BigUint::from_bytes_be(&password_hash(password.as_bytes(), &salt1, &salt2));
        Self { salt1, salt2, v: generator().modpow(&x, &PRIME) }
    }
}

/// One attempt: valid for one answer, since every attempt needs a fresh secret exponent.
pub(crate) struct Challenge {
    pub(crate) id: i64,
    pub(crate) public: [u8; 256],
    secret: BigUint,
}

impl Challenge {
    pub(crate) fn new(verifier: &Verifier) -> Self {
        let secret = BigUint::from_bytes_be(&random::<256>());
        let k = BigUint::from_bytes_be(&sha256(&[&padded(&PRIME), &padded(&generator())]));
        let public = (k * &verifier.v + generator().modpow(&secret, &PRIME)) % &*PRIME;
        Self { id: i64::from_le_bytes(random()), public: padded(&public), secret }
    }

    /// Whether `proof` (M1) shows that the client which chose `client_public` (A) knows the password.
    pub(crate) fn accepts(&self, verifier: &Verifier, client_public: &[u8], proof: &[u8]) -> bool {
        let a = BigUint::from_bytes_be(client_public);
        // A ≡ 0 would make the shared secret 0 whatever the password is.
        if a == BigUint::ZERO || a >= *PRIME {
            return false;
        }
        let u = BigUint::from_bytes_be(&sha256(&[&padded(&a), &self.public]));
        let shared = (&a * verifier.v.modpow(&u, &PRIME) % &*PRIME).modpow(&self.secret, &PRIME);
        let hash_p = sha256(&[&padded(&PRIME)]);
        let hash_g = sha256(&[&padded(&generator())]);
        let mut group = [0; 32];
        for (out, (p, g)) in group.iter_mut().zip(hash_p.iter().zip(hash_g)) {
            *out = p ^ g;
        }
        let expected = sha256(&[
            &group,
            &sha256(&[&verifier.salt1]),
            &sha256(&[&verifier.salt2]),
            &padded(&a),
            &self.public,
            &sha256(&[&padded(&shared)]),
        ]);
        expected[..] == *proof
    }
}

fn generator() -> BigUint {
    BigUint::from(GENERATOR)
}

/// `PH2` of the specification.
fn password_hash(password: &[u8], salt1: &[u8], salt2: &[u8]) -> [u8; 32] {
    let salted = |data: &[u8], salt: &[u8]| sha256(&[salt, data, salt]);
    let first = salted(&salted(password, salt1), salt2);
    salted(&pbkdf2_sha512(&first, salt1, PBKDF2_ROUNDS), salt2)
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn pbkdf2_sha512(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 64] {
    let mut derived = [0; 64];
    pbkdf2::pbkdf2::<Hmac<Sha512>>(password, salt, rounds, &mut derived).expect("valid key length");
    derived
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests {
    use grammers_crypto::hex::to_hex;
    use grammers_crypto::two_factor_auth::{calculate_2fa, check_p_and_g};

    use super::*;

    fn client_answer(verifier: &Verifier, challenge: &Challenge, password: &str) -> ([u8; 32], [u8; 256]) {
        calculate_2fa(
            &verifier.salt1,
            &verifier.salt2,
            &padded(&PRIME),
            &i32::from(GENERATOR),
            challenge.public.to_vec(),
            random::<256>().to_vec(),
            password,
        )
    }

    /// The widely used PBKDF2-HMAC-SHA-512 counterparts of the RFC 6070 vectors.
    #[test]
    fn pbkdf2_agrees_with_the_published_vectors() {
        let cases = [
            (
                1,
                "867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce",
            ),
            (
                2,
                "e1d9c16aa681708a45f5c7c4e215ceb66e011a2e9f0040713f18aefdb866d53cf76cab2868a39b9f7840edce4fef5a82be67335c77a6068e04112754f27ccf4e",
            ),
            (
                4096,
                "d197b1b33db0143e018b12f3d1d1479e6cdebdcc97c5c0f87f6902e072f457b5143f30602641b3d55cd335988cb36b84376060ecd532e039b742a239434af2d5",
            ),
        ];
        for (rounds, expected) in cases {
            assert_eq!(to_hex(&pbkdf2_sha512(b"password", b"salt", rounds)), expected, "{rounds} rounds");
        }
    }

    #[test]
    fn the_client_library_accepts_the_group() {
        assert!(check_p_and_g(&padded(&PRIME), &i32::from(GENERATOR)));
    }

    #[test]
    fn accepts_the_right_password_of_the_client_library_and_no_other() {
        let verifier = Verifier::new("correct horse", random(), random());
        let challenge = Challenge::new(&verifier);
        let (proof, public) = client_answer(&verifier, &challenge, "correct horse");
        assert!(challenge.accepts(&verifier, &public, &proof));
        let (proof, public) = client_answer(&verifier, &challenge, "wrong");
        assert!(!challenge.accepts(&verifier, &public, &proof));
    }

    #[test]
    fn refuses_a_degenerate_client_number() {
        let verifier = Verifier::new("password", random(), random());
        let challenge = Challenge::new(&verifier);
        for public in [vec![], vec![0; 256], padded(&PRIME).to_vec(), vec![0xff; 4096]] {
            assert!(!challenge.accepts(&verifier, &public, &[0; 32]));
        }
    }
}
