//! Downloading pictures and files.

use grammers_tl_types::{enums, functions as f, types};

use super::{Call, RpcError, RpcResult, answer};
use crate::tl::{Guarded, PHOTO_SIZE, access_hash, file_reference};

/// Offset and length must be multiples of this (<https://core.telegram.org/api/files#downloading-files>).
const BLOCK: i64 = 4096;

/// The most that one call may fetch.
const MAX_LIMIT: i32 = 1024 * 1024;

pub(super) fn get_file(call: &Call<'_>, account: usize) -> RpcResult {
    let request: f::upload::GetFile = call.read()?;
    let block = if request.precise { 1024 } else { BLOCK };
    if !(1..=MAX_LIMIT).contains(&request.limit) || i64::from(request.limit) % block != 0 {
        return Err(RpcError::bad_request("LIMIT_INVALID"));
    }
    let offset = usize::try_from(request.offset).ok().filter(|_| request.offset % block == 0);
    let offset = offset.ok_or_else(|| RpcError::bad_request("OFFSET_INVALID"))?;
    let state = call.state();
    let own = state.accounts[account].user_id;
    let invalid = || RpcError::bad_request("LOCATION_INVALID");
    let (bytes, kind, id, reference) = match &request.location {
        enums::InputFileLocation::InputPhotoFileLocation(location) => {
            let guarded = location.access_hash == access_hash(own, Guarded::Photo, location.id);
            let photo = state.photos.get(&location.id).filter(|_| guarded && location.thumb_size == PHOTO_SIZE);
            let photo = photo.ok_or_else(invalid)?;
            let kind =
                if photo.is_png() { enums::storage::FileType::FilePng } else { enums::storage::FileType::FileJpeg };
            (photo.bytes(), kind, location.id, &location.file_reference)
        }
        enums::InputFileLocation::InputDocumentFileLocation(location) => {
            let guarded = location.access_hash == access_hash(own, Guarded::Document, location.id);
            let document = state.documents.get(&location.id).filter(|_| guarded && location.thumb_size.is_empty());
            let document = document.ok_or_else(invalid)?;
            (document.bytes(), enums::storage::FileType::FileUnknown, location.id, &location.file_reference)
        }
        _ => return Err(RpcError::bad_request("LOCATION_NOT_SIMULATED")),
    };
    if *reference != file_reference(own, id) {
        return Err(RpcError::bad_request("FILE_REFERENCE_INVALID"));
    }
    let start = offset.min(bytes.len());
    let end = start.saturating_add(usize::try_from(request.limit).unwrap_or(0)).min(bytes.len());
    answer::<f::upload::GetFile>(types::upload::File { r#type: kind, mtime: 0, bytes: bytes[start..end].to_vec() })
}
