//! Pictures of messages.

use grammers_tl_types as tl;

use super::connection::Connection;
use super::error::CallError;
use super::messages;
use super::peer::Peer;

/// Largest picture that is fetched, in bytes; Telegram's own photos are smaller.
const LARGEST: usize = 2 * 1024 * 1024;

/// Bytes of one request; a divisor of 1 MiB, as Telegram demands (<https://core.telegram.org/api/files>).
const PART: i32 = 512 * 1024;

/// Longest side that is worth fetching, in pixels: models look at no more.
const LONGEST_SIDE: i32 = 1280;

/// The picture of a message, a photo or a file, if it has one that can be fetched.
pub async fn fetch(connection: &Connection, peer: Peer, message_id: i32) -> Result<Option<Vec<u8>>, CallError> {
    let media = find(connection, peer, message_id).await?;
    let Some(location) = media.as_ref().and_then(location) else { return Ok(None) };
    let mut bytes = Vec::new();
    while bytes.len() < LARGEST {
        let request = tl::functions::upload::GetFile {
            precise: false,
            cdn_supported: false,
            location: location.clone(),
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
) -> Result<Option<tl::enums::MessageMedia>, CallError> {
    let id = vec![tl::types::InputMessageId { id: message_id }.into()];
    let answer = match peer.input_channel() {
        Some(channel) => connection.call(&tl::functions::channels::GetMessages { channel, id }).await?,
        None => connection.call(&tl::functions::messages::GetMessages { id }).await?,
    };
    let found = match answer {
        tl::enums::messages::Messages::Messages(all) => all.messages,
        tl::enums::messages::Messages::Slice(part) => part.messages,
        tl::enums::messages::Messages::ChannelMessages(part) => part.messages,
        tl::enums::messages::Messages::NotModified(_) => Vec::new(),
    };
    Ok(found.into_iter().find_map(|message| match message {
        tl::enums::Message::Message(message) if message.id == message_id && peer.is(&message.peer_id) => message.media,
        _ => None,
    }))
}

fn location(media: &tl::enums::MessageMedia) -> Option<tl::enums::InputFileLocation> {
    match media {
        tl::enums::MessageMedia::Photo(tl::types::MessageMediaPhoto {
            photo: Some(tl::enums::Photo::Photo(photo)),
            ..
        }) => Some(
            tl::types::InputPhotoFileLocation {
                id: photo.id,
                access_hash: photo.access_hash,
                file_reference: photo.file_reference.clone(),
                thumb_size: size(photo)?,
            }
            .into(),
        ),
        tl::enums::MessageMedia::Document(media) => {
            let document = messages::picture(media)?;
            Some(
                tl::types::InputDocumentFileLocation {
                    id: document.id,
                    access_hash: document.access_hash,
                    file_reference: document.file_reference.clone(),
                    thumb_size: String::new(),
                }
                .into(),
            )
        }
        _ => None,
    }
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
