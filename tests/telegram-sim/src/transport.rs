//! The "full" TCP transport (<https://core.telegram.org/mtproto/mtproto-transports#full>), the only one that
//! grammers uses: length, sequence number, payload and CRC-32.

use thiserror::Error;

/// Length, sequence number and checksum.
const OVERHEAD: usize = 12;

/// Larger than anything a client may send (1 MiB containers plus headers).
pub(crate) const MAX_FRAME_LENGTH: usize = 1024 * 1024 + 64 * 1024;

#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum TransportError {
    #[error("a frame announces {0} bytes: not the full transport, or too large")]
    Length(u32),
    #[error("frame number {received} came where {expected} was due")]
    Sequence { expected: u32, received: u32 },
    #[error("the checksum of a frame is wrong")]
    Checksum,
}

/// Cuts a byte stream into payloads.
#[derive(Default)]
pub(crate) struct Decoder {
    next_sequence: u32,
}

impl Decoder {
    /// The length of the first frame of `buffer` and its payload, or `None` when more bytes are needed.
    pub(crate) fn decode<'a>(&mut self, buffer: &'a [u8]) -> Result<Option<(usize, &'a [u8])>, TransportError> {
        let Some(announced) = read_u32(buffer, 0) else {
            return Ok(None);
        };
        let length = usize::try_from(announced).unwrap_or(usize::MAX);
        if !(OVERHEAD..=MAX_FRAME_LENGTH).contains(&length) {
            return Err(TransportError::Length(announced));
        }
        let (Some(frame), Some(received), Some(checksum)) =
            (buffer.get(..length), read_u32(buffer, 4), read_u32(buffer, length - 4))
        else {
            return Ok(None);
        };
        if checksum != crc32fast::hash(&frame[..length - 4]) {
            return Err(TransportError::Checksum);
        }
        if received != self.next_sequence {
            return Err(TransportError::Sequence { expected: self.next_sequence, received });
        }
        self.next_sequence = self.next_sequence.wrapping_add(1);
        Ok(Some((length, &frame[8..length - 4])))
    }
}

/// Wraps payloads into frames.
#[derive(Default)]
pub(crate) struct Encoder {
    next_sequence: u32,
}

impl Encoder {
    pub(crate) fn encode(&mut self, payload: &[u8]) -> Vec<u8> {
        let length = payload.len() + OVERHEAD;
        let mut frame = Vec::with_capacity(length);
        frame.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        frame.extend_from_slice(&self.next_sequence.to_le_bytes());
        frame.extend_from_slice(payload);
        let checksum = crc32fast::hash(&frame);
        frame.extend_from_slice(&checksum.to_le_bytes());
        self.next_sequence = self.next_sequence.wrapping_add(1);
        frame
    }
}

fn read_u32(buffer: &[u8], at: usize) -> Option<u32> {
    let bytes = buffer.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_the_round_trip_byte_by_byte() {
        let mut encoder = Encoder::default();
        let mut stream = encoder.encode(b"first...");
        stream.extend(encoder.encode(b""));
        let mut decoder = Decoder::default();
        for end in 0..stream.len() - 12 {
            if end < 20 {
                assert_eq!(decoder.decode(&stream[..end]), Ok(None));
            }
        }
        assert_eq!(decoder.decode(&stream), Ok(Some((20, &b"first..."[..]))));
        assert_eq!(decoder.decode(&stream[20..]), Ok(Some((12, &b""[..]))));
    }

    #[test]
    fn damage_is_noticed() {
        let frame = Encoder::default().encode(b"payload!");
        for position in 4..frame.len() {
            let mut bad = frame.clone();
            bad[position] ^= 0x40;
            assert_eq!(Decoder::default().decode(&bad), Err(TransportError::Checksum), "byte {position}");
        }
        let mut decoder = Decoder::default();
        decoder.decode(&frame).unwrap();
        assert_eq!(decoder.decode(&frame), Err(TransportError::Sequence { expected: 1, received: 0 }));
    }

    #[test]
    fn lengths_out_of_range_are_refused_before_anything_is_buffered() {
        for length in [0_u32, 11, 2 * 1024 * 1024, u32::MAX] {
            assert_eq!(Decoder::default().decode(&length.to_le_bytes()), Err(TransportError::Length(length)));
        }
    }
}
