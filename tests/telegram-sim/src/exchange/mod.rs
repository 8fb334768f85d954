//! The server's half of the key exchange (<https://core.telegram.org/mtproto/auth_key>): three questions in the clear, after
//! which both sides know a new authorisation key that belongs to nobody yet.

mod rsa;

use grammers_crypto::{aes, generate_key_data_from_nonce};
use grammers_tl_types::{Cursor, Deserializable, Identifiable, Serializable, enums, functions, types};
use num_bigint::BigUint;
use thiserror::Error;

pub use rsa::{ExchangeKey, exchange_key};

use crate::crypto::{AUTH_KEY_LENGTH, random, sha1};
use crate::srp::{GENERATOR, PRIME, padded};

/// Two primes whose product the client has to factorise; Telegram's are of the same size.
const P: u32 = 1_000_000_007;
const Q: u32 = 1_000_000_009;

/// What a client did wrong.
#[derive(Debug, Error)]
pub(crate) enum ExchangeError {
    #[error("malformed: {0}")]
    Malformed(#[from] grammers_tl_types::deserialize::Error),
    #[error("a question that does not come now: {0}")]
    OutOfOrder(&'static str),
    #[error("another exchange's nonce")]
    Nonce,
    #[error("not the factors of the number")]
    Factors,
    #[error("encrypted with another key, or damaged")]
    Encryption,
}

/// An answer, and the new key after the last one.
pub(crate) struct Reply {
    pub(crate) answer: Vec<u8>,
    pub(crate) finished: Option<Finished>,
}

/// What both sides know at the end.
pub(crate) struct Finished {
    pub(crate) key: [u8; AUTH_KEY_LENGTH],
    pub(crate) salt: i64,
}

/// Where the exchange of one connection stands.
#[derive(Default)]
pub(crate) enum Exchange {
    #[default]
    Idle,
    Asked(Nonces),
    Offered {
        nonces: Nonces,
        new_nonce: [u8; 32],
        secret: BigUint,
    },
}

/// Random numbers of both sides that tie the messages of one exchange together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nonces {
    client: [u8; 16],
    server: [u8; 16],
}

impl Nonces {
    fn check(self, client: [u8; 16], server: [u8; 16]) -> Result<Self, ExchangeError> {
        if self == (Self { client, server }) { Ok(self) } else { Err(ExchangeError::Nonce) }
    }
}

/// The TL name of a question.
pub(crate) fn question(request: &[u8]) -> Result<&'static str, ExchangeError> {
    Ok(grammers_tl_types::name_for_id(u32::from_bytes(request)?))
}

impl Exchange {
    /// Answers one question. After an error the exchange has to begin anew.
    pub(crate) fn answer(&mut self, request: &[u8]) -> Result<Reply, ExchangeError> {
        let constructor = u32::from_bytes(request)?;
        let arguments = &request[4..];
        match (constructor, std::mem::take(self)) {
            (functions::ReqPqMulti::CONSTRUCTOR_ID, _) => self.begin(arguments),
            (functions::ReqDhParams::CONSTRUCTOR_ID, Self::Asked(nonces)) => self.offer(nonces, arguments),
            (functions::SetClientDhParams::CONSTRUCTOR_ID, Self::Offered { nonces, new_nonce, secret }) => {
                finish(nonces, new_nonce, &secret, arguments)
            }
            _ => Err(ExchangeError::OutOfOrder(question(request)?)),
        }
    }

    fn begin(&mut self, arguments: &[u8]) -> Result<Reply, ExchangeError> {
        let nonces = Nonces { client: functions::ReqPqMulti::from_bytes(arguments)?.nonce, server: random() };
        *self = Self::Asked(nonces);
        let answer: enums::ResPq = types::ResPq {
            nonce: nonces.client,
            server_nonce: nonces.server,
            pq: (u64::from(P) * u64::from(Q)).to_be_bytes().to_vec(),
            server_public_key_fingerprints: vec![rsa::fingerprint()],
        }
        .into();
        Ok(Reply { answer: answer.to_bytes(), finished: None })
    }

    fn offer(&mut self, nonces: Nonces, arguments: &[u8]) -> Result<Reply, ExchangeError> {
        let request = functions::ReqDhParams::from_bytes(arguments)?;
        nonces.check(request.nonce, request.server_nonce)?;
        if request.p != P.to_be_bytes() || request.q != Q.to_be_bytes() {
            return Err(ExchangeError::Factors);
        }
        let inner = rsa::decrypt(&request.encrypted_data).ok_or(ExchangeError::Encryption)?;
        let enums::PQInnerData::Data(inner) = enums::PQInnerData::from_bytes(&inner)? else {
            return Err(ExchangeError::OutOfOrder("another kind of p_q_inner_data"));
        };
        nonces.check(inner.nonce, inner.server_nonce)?;

        let secret = BigUint::from_bytes_be(&random::<256>());
        let inner_answer: enums::ServerDhInnerData = types::ServerDhInnerData {
            nonce: nonces.client,
            server_nonce: nonces.server,
            g: i32::from(GENERATOR),
            dh_prime: padded(&PRIME).to_vec(),
            g_a: padded(&BigUint::from(GENERATOR).modpow(&secret, &PRIME)).to_vec(),
            server_time: i32::try_from(chrono::Utc::now().timestamp()).unwrap_or(0),
        }
        .into();
        let answer: enums::ServerDhParams = types::ServerDhParamsOk {
            nonce: nonces.client,
            server_nonce: nonces.server,
            encrypted_answer: encrypt(&inner_answer.to_bytes(), nonces, &inner.new_nonce),
        }
        .into();
        *self = Self::Offered { nonces, new_nonce: inner.new_nonce, secret };
        Ok(Reply { answer: answer.to_bytes(), finished: None })
    }
}

fn finish(nonces: Nonces, new_nonce: [u8; 32], secret: &BigUint, arguments: &[u8]) -> Result<Reply, ExchangeError> {
    let request = functions::SetClientDhParams::from_bytes(arguments)?;
    nonces.check(request.nonce, request.server_nonce)?;
    let enums::ClientDhInnerData::Data(inner) = decrypt(request.encrypted_data, nonces, &new_nonce)?;
    nonces.check(inner.nonce, inner.server_nonce)?;
    let key = padded(&BigUint::from_bytes_be(&inner.g_b).modpow(secret, &PRIME));
    let answer: enums::SetClientDhParamsAnswer = types::DhGenOk {
        nonce: nonces.client,
        server_nonce: nonces.server,
        new_nonce_hash1: new_nonce_hash(&key, &new_nonce),
    }
    .into();
    let mut salt = [0; 8];
    for ((byte, new), server) in salt.iter_mut().zip(new_nonce).zip(nonces.server) {
        *byte = new ^ server;
    }
    let finished = Some(Finished { key, salt: i64::from_le_bytes(salt) });
    Ok(Reply { answer: answer.to_bytes(), finished })
}

/// SHA-1, the data and padding up to whole blocks.
fn encrypt(data: &[u8], nonces: Nonces, new_nonce: &[u8; 32]) -> Vec<u8> {
    let mut plain = sha1(&[data]).to_vec();
    plain.extend_from_slice(data);
    let whole = plain.len().next_multiple_of(16);
    plain.extend_from_slice(&random::<16>()[..whole - plain.len()]);
    let (key, iv) = generate_key_data_from_nonce(&nonces.server, new_nonce);
    aes::ige_encrypt(&mut plain, &key, &iv);
    plain
}

fn decrypt<T: Deserializable>(
    mut encrypted: Vec<u8>,
    nonces: Nonces,
    new_nonce: &[u8; 32],
) -> Result<T, ExchangeError> {
    if encrypted.len() < 32 || !encrypted.len().is_multiple_of(16) {
        return Err(ExchangeError::Encryption);
    }
    let (key, iv) = generate_key_data_from_nonce(&nonces.server, new_nonce);
    aes::ige_decrypt(&mut encrypted, &key, &iv);
    let (hash, data) = encrypted.split_at(20);
    let mut cursor = Cursor::from_slice(data);
    let value = T::deserialize(&mut cursor)?;
    if sha1(&[&data[..cursor.pos()]]) == *hash { Ok(value) } else { Err(ExchangeError::Encryption) }
}

/// `new_nonce_hash1`: proof that both sides have the same key.
fn new_nonce_hash(key: &[u8; AUTH_KEY_LENGTH], new_nonce: &[u8; 32]) -> [u8; 16] {
    let digest = sha1(&[new_nonce, &[1], &sha1(&[key])[..8]]);
    let mut hash = [0; 16];
    hash.copy_from_slice(&digest[4..]);
    hash
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_the_client_librarys() {
        let key = crate::derived_key("seed", "alice");
        let expected = grammers_crypto::AuthKey::from_bytes(key).calc_new_nonce_hash(&[5; 32], 1);
        assert_eq!(new_nonce_hash(&key, &[5; 32]), expected);
    }

    #[test]
    fn what_is_encrypted_is_read_again_and_damage_is_noticed() {
        let nonces = Nonces { client: [1; 16], server: [2; 16] };
        let told: enums::ClientDhInnerData =
            types::ClientDhInnerData { nonce: [1; 16], server_nonce: [2; 16], retry_id: 0, g_b: vec![9; 256] }.into();
        let encrypted = encrypt(&told.to_bytes(), nonces, &[3; 32]);
        assert_eq!(decrypt::<enums::ClientDhInnerData>(encrypted.clone(), nonces, &[3; 32]).unwrap(), told);
        assert!(decrypt::<enums::ClientDhInnerData>(encrypted.clone(), nonces, &[4; 32]).is_err());
        assert!(decrypt::<enums::ClientDhInnerData>(encrypted[..16].to_vec(), nonces, &[3; 32]).is_err());
    }

    #[test]
    fn questions_have_their_order() {
        let mut exchange = Exchange::default();
        let begin = functions::ReqPqMulti { nonce: [1; 16] }.to_bytes();
        let last = functions::SetClientDhParams { nonce: [1; 16], server_nonce: [0; 16], encrypted_data: vec![0; 32] };
        assert!(exchange.answer(&begin).is_ok());
        let order = exchange.answer(&last.to_bytes()).err().unwrap().to_string();
        assert!(order.contains("does not come now"), "{order}");
        assert!(exchange.answer(&begin).is_ok(), "it begins anew");
        for length in 0..begin.len() {
            assert!(Exchange::default().answer(&begin[..length]).is_err(), "{length}");
        }
    }
}
