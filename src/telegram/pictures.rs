//! Pictures of messages.

use grammers_tl_types as tl;

use super::connection::Connection;
use super::error::CallError;
use super::peer::Peer;

/// Largest picture that is fetched, in bytes; Telegram's own photos are smaller.
const LARGEST: usize = 2 * 1024 * 1024;

/// Bytes of one request; a divisor of 1 MiB, as Telegram demands (<https://core.telegram.org/api/files>).
const PART: i32 = 512 * 1024;

/// Longest side that is worth fetching, in pixels: models look at no more.
const LONGEST_SIDE: i32 = 1280;

/// The photo of a message, if it has one that can be fetched.
pub async fn fetch(connection: &Connection, peer: Peer, message_id: i32) -> Result<Option<Vec<u8>>, CallError> {
    let Some((photo, size)) = find(connection, peer, message_id).await? else { return Ok(None) };
    let location = tl::types::InputPhotoFileLocation {
        id: photo.id,
        access_hash: photo.access_hash,
        file_reference: photo.file_reference.clone(),
        thumb_size: size,
    };
    let mut bytes = Vec::new();
    while bytes.len() < LARGEST {
        let request = tl::functions::upload::GetFile {
            precise: false,
            cdn_supported: false,
            location: location.clone().into(),
            offset: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            limit: PART,
        };
        let tl::enums::upload::File::File(part) = connection.call(&request).await? else { return Ok(None) };
        bytes.extend_from_slice(&part.bytes);
        if part.bytes.len() < usize::try_from(PART).unwrap_or_default() {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

async fn find(
    connection: &Connection,
    peer: Peer,
    message_id: i32,
) -> Result<Option<(tl::types::Photo, String)>, CallError> {
    let id = vec![tl::types::InputMessageId { id: message_id }.into()];
    let answer = match peer.input_channel() {
        Some(channel) => connection.call(&tl::functions::channels::GetMessages { channel, id }).await?,
        None => connection.call(&tl::functions::messages::GetMessages { id }).await?,
    };
    let messages = match answer {
        tl::enums::messages::Messages::Messages(all) => all.messages,
        tl::enums::messages::Messages::Slice(part) => part.messages,
        tl::enums::messages::Messages::ChannelMessages(part) => part.messages,
        tl::enums::messages::Messages::NotModified(_) => Vec::new(),
    };
    let photo = messages.into_iter().find_map(|message| match message {
        tl::enums::Message::Message(tl::types::Message {
            id,
            media: Some(tl::enums::MessageMedia::Photo(media)),
            peer_id,
            ..
        }) if id == message_id && peer.is(&peer_id) => match media.photo {
            Some(tl::enums::Photo::Photo(photo)) => Some(photo),
            _ => None,
        },
        _ => None,
    });
    Ok(photo.and_then(|photo| size(&photo).map(|size| (photo, size))))
}

/// The largest size that is not larger than needed, else the smallest.
fn size(photo: &tl::types::Photo) -> Option<String> {
    let sizes = photo.sizes.iter().filter_map(|size| match size {
        tl::enums::PhotoSize::Size(size) => Some((size.w.max(size.h), &size.r#type)),
        tl::enums::PhotoSize::Progressive(size) => Some((size.w.max(size.h), &size.r#type)),
        _ => None,
    });
    let best = sizes.max_by_key(|(side, _)| if *side <= LONGEST_SIDE { *side } else { -side });
    best.map(|(_, kind)| kind.clone())
}
