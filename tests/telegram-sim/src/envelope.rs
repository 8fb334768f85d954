//! `MTProto` messages: taking packets apart and putting them together
//! (<https://core.telegram.org/mtproto/description>, <https://core.telegram.org/mtproto/service_messages>).

use std::borrow::Cow;
use std::io::{Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use grammers_tl_types::deserialize::{Error, Result};
use grammers_tl_types::{Cursor, Deserializable, Identifiable, RawVec, Serializable, enums, functions, types};

use crate::log::Device;
use crate::rpc::RpcResult;

const MSG_CONTAINER: u32 = 0x73f1_f8dc;
const GZIP_PACKED: u32 = 0x3072_cfa1;
const RPC_RESULT: u32 = 0xf35c_6d01;

/// The protocol's own limit.
const MAX_CONTAINER_LENGTH: i32 = 1020;

/// No query is larger than this after decompression.
const MAX_UNPACKED_LENGTH: u64 = 4 * 1024 * 1024;

/// Answers shorter than this are not worth compressing.
const MIN_COMPRESSED_LENGTH: usize = 512;

/// A message of either side.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub(crate) id: i64,
    pub(crate) sequence: i32,
    pub(crate) body: Cow<'a, [u8]>,
}

/// A decrypted packet of a client.
pub(crate) struct Packet<'a> {
    pub(crate) salt: i64,
    pub(crate) session: i64,
    pub(crate) message: Message<'a>,
}

impl<'a> Packet<'a> {
    pub(crate) fn parse(plaintext: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::from_slice(plaintext);
        let salt = i64::deserialize(&mut cursor)?;
        let session = i64::deserialize(&mut cursor)?;
        let message = parse_message(plaintext, &mut cursor)?;
        Ok(Self { salt, session, message })
    }
}

fn parse_message<'a>(buffer: &'a [u8], cursor: &mut Cursor<'_>) -> Result<Message<'a>> {
    let id = i64::deserialize(cursor)?;
    let sequence = i32::deserialize(cursor)?;
    let length = usize::try_from(i32::deserialize(cursor)?).map_err(|_| Error::UnexpectedEof)?;
    let start = cursor.pos();
    let body = buffer.get(start..).and_then(|rest| rest.get(..length)).ok_or(Error::UnexpectedEof)?;
    Ok(Message { id, sequence, body: Cow::Borrowed(body) })
}

/// The messages of a container, or the message itself.
pub(crate) fn unpack(message: Message<'_>) -> Result<Vec<Message<'_>>> {
    if u32::from_bytes(&message.body)? != MSG_CONTAINER {
        return Ok(vec![message]);
    }
    let Cow::Borrowed(body) = message.body else {
        return Err(Error::UnexpectedEof);
    };
    let mut rest = &body[4..];
    let count = i32::from_bytes(rest)?;
    rest = &rest[4..];
    if !(0..=MAX_CONTAINER_LENGTH).contains(&count) {
        return Err(Error::UnexpectedEof);
    }
    let mut messages = Vec::new();
    for _ in 0..count {
        let mut cursor = Cursor::from_slice(rest);
        let message = parse_message(rest, &mut cursor)?;
        rest = &rest[cursor.pos() + message.body.len()..];
        messages.push(message);
    }
    Ok(messages)
}

/// Undoes `gzip_packed`.
pub(crate) fn ungzip(body: Cow<'_, [u8]>) -> Result<Cow<'_, [u8]>> {
    if u32::from_bytes(&body)? != GZIP_PACKED {
        return Ok(body);
    }
    let packed = Vec::<u8>::from_bytes(&body[4..])?;
    let mut unpacked = Vec::new();
    let decoder = GzDecoder::new(packed.as_slice());
    decoder.take(MAX_UNPACKED_LENGTH).read_to_end(&mut unpacked).map_err(|_| Error::UnexpectedEof)?;
    Ok(Cow::Owned(unpacked))
}

/// A query without what is wrapped around it.
pub(crate) struct Query {
    pub(crate) body: Vec<u8>,
    pub(crate) device: Option<Device>,
    pub(crate) wants_updates: bool,
}

/// "Everything that is left": the inner query of a wrapper.
struct Rest(Vec<u8>);

impl Deserializable for Rest {
    fn deserialize(cursor: &mut Cursor<'_>) -> Result<Self> {
        let mut rest = Vec::new();
        cursor.read_to_end(&mut rest)?;
        Ok(Self(rest))
    }
}

/// Takes `invokeWithLayer`, `initConnection` and `invokeWithoutUpdates` off.
pub(crate) fn unwrap_query(body: &[u8]) -> Result<Query> {
    let mut query = body.to_vec();
    let (mut device, mut wants_updates) = (None, true);
    // Each wrapper once, in any order.
    for _ in 0..3 {
        let arguments = query.get(4..).unwrap_or_default();
        query = match u32::from_bytes(&query)? {
            functions::InvokeWithLayer::<Rest>::CONSTRUCTOR_ID => {
                functions::InvokeWithLayer::<Rest>::from_bytes(arguments)?.query.0
            }
            functions::InitConnection::<Rest>::CONSTRUCTOR_ID => {
                let init = functions::InitConnection::<Rest>::from_bytes(arguments)?;
                device = Some(Device {
                    api_id: init.api_id,
                    device_model: init.device_model,
                    system_version: init.system_version,
                    app_version: init.app_version,
                    system_lang_code: init.system_lang_code,
                    lang_code: init.lang_code,
                });
                init.query.0
            }
            functions::InvokeWithoutUpdates::<Rest>::CONSTRUCTOR_ID => {
                wants_updates = false;
                functions::InvokeWithoutUpdates::<Rest>::from_bytes(arguments)?.query.0
            }
            _ => break,
        };
    }
    u32::from_bytes(&query)?;
    Ok(Query { body: query, device, wants_updates })
}

/// The code of `bad_msg_notification` for a message identifier that a client must not use.
pub(crate) fn message_id_error(id: i64) -> Option<i32> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let age = i64::try_from(now).unwrap_or(0) - (id >> 32);
    match age {
        301.. => Some(16),
        ..-30 => Some(17),
        _ if id & 3 != 0 => Some(18),
        _ => None,
    }
}

/// Two salts with the same value: the simulation changes salts only when a fault says so.
pub(crate) fn future_salts(req_msg_id: i64, salt: i64) -> enums::FutureSalts {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i32::try_from(seconds).unwrap_or(0);
    let salts = vec![
        types::FutureSalt { valid_since: now - 10, valid_until: now + 1800, salt },
        types::FutureSalt { valid_since: now + 1500, valid_until: now + 3600, salt },
    ];
    types::FutureSalts { req_msg_id, now, salts: RawVec(salts) }.into()
}

/// The body of an unencrypted message: no key, an identifier that nobody looks at, a length.
pub(crate) fn plain_body(payload: &[u8]) -> Result<&[u8]> {
    let mut cursor = Cursor::from_slice(payload);
    let (_no_key, _id) = (i64::deserialize(&mut cursor)?, i64::deserialize(&mut cursor)?);
    let length = usize::try_from(i32::deserialize(&mut cursor)?).map_err(|_| Error::UnexpectedEof)?;
    payload[cursor.pos()..].get(..length).ok_or(Error::UnexpectedEof)
}

/// An unencrypted message of the server.
pub(crate) fn plain_payload(id: i64, body: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(20 + body.len());
    0_i64.serialize(&mut payload);
    id.serialize(&mut payload);
    i32::try_from(body.len()).unwrap_or(i32::MAX).serialize(&mut payload);
    payload.extend_from_slice(body);
    payload
}

/// The answer to a call.
pub(crate) fn rpc_result(request: i64, result: &RpcResult, compress: bool) -> Vec<u8> {
    let mut body = Vec::new();
    RPC_RESULT.serialize(&mut body);
    request.serialize(&mut body);
    match result {
        Ok(answer) if compress && answer.len() >= MIN_COMPRESSED_LENGTH => {
            GZIP_PACKED.serialize(&mut body);
            gzip(answer).serialize(&mut body);
        }
        Ok(answer) => body.extend_from_slice(answer),
        Err(error) => {
            let error: enums::RpcError =
                types::RpcError { error_code: error.code, error_message: error.name.clone() }.into();
            error.serialize(&mut body);
        }
    }
    body
}

#[expect(clippy::expect_used, reason = "writing to memory cannot fail")]
fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// A message as it is encrypted.
pub(crate) fn plaintext(salt: i64, session: i64, message: &Message<'_>) -> Vec<u8> {
    let mut plaintext = Vec::with_capacity(32 + message.body.len() + 32);
    salt.serialize(&mut plaintext);
    session.serialize(&mut plaintext);
    message.id.serialize(&mut plaintext);
    message.sequence.serialize(&mut plaintext);
    i32::try_from(message.body.len()).unwrap_or(i32::MAX).serialize(&mut plaintext);
    plaintext.extend_from_slice(&message.body);
    plaintext
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn message(body: &[u8]) -> Message<'_> {
        Message { id: 8, sequence: 1, body: Cow::Borrowed(body) }
    }

    #[test]
    fn plain_messages_come_back() {
        let payload = plain_payload(5, b"body");
        assert_eq!(plain_body(&payload).unwrap(), b"body");
        for length in 0..payload.len() {
            assert!(plain_body(&payload[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_container_comes_apart() {
        let mut body = MSG_CONTAINER.to_le_bytes().to_vec();
        2_i32.serialize(&mut body);
        for id in [4_i64, 12] {
            id.serialize(&mut body);
            1_i32.serialize(&mut body);
            4_i32.serialize(&mut body);
            body.extend(*b"abcd");
        }
        let ids: Vec<i64> = unpack(message(&body)).unwrap().iter().map(|message| message.id).collect();
        assert_eq!(ids, [4, 12]);
        for length in 4..body.len() {
            assert!(unpack(message(&body[..length])).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        for length in [i32::MIN, -1, 5, i32::MAX] {
            let mut plaintext = [0; 28].to_vec();
            length.serialize(&mut plaintext);
            plaintext.extend([0; 4]);
            assert!(Packet::parse(&plaintext).is_err(), "{length}");
        }
        let mut many = MSG_CONTAINER.to_le_bytes().to_vec();
        i32::MAX.serialize(&mut many);
        assert!(unpack(message(&many)).is_err());
    }

    #[test]
    fn compressed_queries_are_unpacked_up_to_a_limit() {
        let packed = |data: &[u8]| {
            let mut body = GZIP_PACKED.to_le_bytes().to_vec();
            gzip(data).serialize(&mut body);
            body
        };
        assert_eq!(*ungzip(Cow::Owned(packed(b"query"))).unwrap(), *b"query");
        let bomb = ungzip(Cow::Owned(packed(&vec![0; 8 * 1024 * 1024]))).unwrap();
        assert_eq!(u64::try_from(bomb.len()).unwrap(), MAX_UNPACKED_LENGTH);
        assert!(ungzip(Cow::Borrowed(&GZIP_PACKED.to_le_bytes())).is_err());
    }

    #[test]
    fn message_identifiers_must_be_of_now_and_of_a_client() {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
        assert_eq!(message_id_error(now << 32), None);
        assert_eq!(message_id_error((now - 400) << 32), Some(16));
        assert_eq!(message_id_error((now + 100) << 32), Some(17));
        assert_eq!(message_id_error((now << 32) | 1), Some(18));
        assert_eq!(message_id_error(i64::MIN), Some(16));
    }
}
