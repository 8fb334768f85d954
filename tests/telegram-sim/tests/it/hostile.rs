//! What must not bring the simulation down.

use std::net::SocketAddr;

use telegram_sim::{DataCentre, Event};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::Connected;
use crate::world;

/// A small generator with a fixed seed: the test is the same every time.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len() + 12).unwrap().to_le_bytes().to_vec();
    frame.extend(0_u32.to_le_bytes());
    frame.extend(payload);
    let checksum = crc32fast::hash(&frame);
    frame.extend(checksum.to_le_bytes());
    frame
}

/// Sends bytes and reads until the other side closes.
async fn throw(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The other side may hang up before everything is written.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

#[tokio::test]
async fn garbage_only_costs_its_own_connection() {
    let centre = DataCentre::start(world()).await.unwrap();
    let alice = Connected::to(&centre, "alice");
    alice.client.get_me().await.unwrap();
    let key = centre.key_of("alice");
    let key_id = grammers_crypto::AuthKey::from_bytes(key);
    for seed in 1..200 {
        let length = usize::try_from(seed * 7 % 900).unwrap();
        let bytes = noise(seed, length);
        throw(centre.address(), &bytes).await;
        throw(centre.address(), &frame(&bytes)).await;
        // Behind the right key, so that what is decrypted is garbage.
        let mut buffer = grammers_crypto::DequeBuffer::with_capacity(2048, 64);
        let mut plaintext = noise(seed + 1000, 24);
        plaintext.extend(i32::try_from(length).unwrap().to_le_bytes());
        plaintext.extend(noise(seed + 2000, length));
        buffer.extend(plaintext);
        grammers_crypto::encrypt_data_v2(&mut buffer, &key_id);
        throw(centre.address(), &frame(&buffer[..])).await;
    }
    alice.client.get_me().await.unwrap();
    centre
        .wait_for(|entries| {
            entries.iter().filter(|entry| matches!(entry.event, Event::Disconnected { .. })).count() == 199 * 3
        })
        .await;
    assert_eq!(centre.open_connections(), 1);
}

#[tokio::test]
async fn garbage_arguments_get_an_error_each() {
    let centre = DataCentre::start(world()).await.unwrap();
    let alice = Connected::to(&centre, "alice");
    let mut methods: Vec<u32> = Vec::new();
    {
        use grammers_client::tl::{Identifiable, functions as f};
        methods.extend([
            f::messages::SendMessage::CONSTRUCTOR_ID,
            f::messages::GetHistory::CONSTRUCTOR_ID,
            f::messages::GetBotCallbackAnswer::CONSTRUCTOR_ID,
            f::messages::GetDialogs::CONSTRUCTOR_ID,
            f::updates::GetDifference::CONSTRUCTOR_ID,
            f::updates::GetChannelDifference::CONSTRUCTOR_ID,
            f::upload::GetFile::CONSTRUCTOR_ID,
            f::auth::SignIn::CONSTRUCTOR_ID,
            f::auth::CheckPassword::CONSTRUCTOR_ID,
            f::contacts::ResolveUsername::CONSTRUCTOR_ID,
        ]);
    }
    for (seed, method) in (1..).zip(methods.into_iter().cycle().take(300)) {
        let mut body = method.to_le_bytes().to_vec();
        body.extend(noise(seed, usize::try_from(seed % 40).unwrap() * 4));
        let result = alice.client.invoke(&Raw(body)).await;
        assert!(result.is_err());
    }
    alice.client.get_me().await.unwrap();
    assert_eq!(centre.accepted_connections(), 1);
}

/// A query of any bytes.
struct Raw(Vec<u8>);

impl grammers_client::tl::Serializable for Raw {
    fn serialize(&self, buffer: &mut impl Extend<u8>) {
        buffer.extend(self.0.iter().copied());
    }
}

impl grammers_client::tl::RemoteCall for Raw {
    type Return = Nothing;
}

/// An answer that is never understood.
#[derive(Debug)]
struct Nothing;

impl grammers_client::tl::Deserializable for Nothing {
    fn deserialize(_: &mut grammers_client::tl::Cursor<'_>) -> Result<Self, grammers_client::tl::deserialize::Error> {
        Err(grammers_client::tl::deserialize::Error::UnexpectedEof)
    }
}

#[tokio::test]
async fn there_is_a_limit_to_connections_and_only_loopback() {
    let centre = DataCentre::start(world().max_connections(1)).await.unwrap();
    let alice = Connected::to(&centre, "alice");
    alice.client.get_me().await.unwrap();
    assert_eq!(throw(centre.address(), &[]).await, [0_u8; 0]);
    let refused = |entry: &telegram_sim::Entry| matches!(&entry.event, Event::Disconnected { reason } if reason == "too many connections");
    centre.wait_for_entry(refused).await;
    alice.client.get_me().await.unwrap();
    let public = DataCentre::start_on("0.0.0.0:0".parse().unwrap(), world()).await;
    assert_eq!(public.err().unwrap().kind(), std::io::ErrorKind::InvalidInput);
}
