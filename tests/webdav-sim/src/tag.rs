//! Entity tags as each server makes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

use crate::profile::{MadeOf, Profile};
use crate::tree::File;

/// Apache takes a file for fresh so long.
const FRESH: Duration = Duration::from_secs(1);

/// The tag of a file as a header has it. `draw` is different each time.
pub(crate) fn tag(profile: &Profile, file: &File, now: SystemTime, draw: u64) -> String {
    let since = file.modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (size, inode) = (file.bytes.len(), file.inode);
    let opaque = match profile.tag_made_of {
        MadeOf::SizeAndNanoseconds => format!("{:x}{size:x}", since.as_nanos()),
        MadeOf::SizeAndMicroseconds => format!("{size:x}-{:x}", since.as_micros()),
        MadeOf::SizeAndMilliseconds => format!("{}-{size}", since.as_millis()),
        MadeOf::SizeAndSeconds => format!("{:x}-{size:x}", since.as_secs()),
        MadeOf::InodeSizeAndMicroseconds => format!("{inode:x}-{size:x}-{:x}", since.as_micros()),
        MadeOf::InodeSizeAndSeconds => format!("{inode}-{}-{size}", since.as_secs()),
        MadeOf::Serial => format!("{}", 8_000_000_000 + file.serial),
        MadeOf::Content => Sha256::digest(&**file.bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect(),
        MadeOf::Random => format!("{draw:016x}"),
    };
    let fresh = now.duration_since(file.modified).unwrap_or_default() < FRESH;
    let weak = if profile.tag_weak_when_fresh && fresh { "W/" } else { "" };
    format!("{weak}\"{opaque}\"")
}

/// Whether one of the tags of an `If-Match` or `If-None-Match` names the state. Servers compare strongly: a weak tag
/// matches nothing.
pub(crate) fn matches(header: &str, state: Option<&str>) -> bool {
    let Some(state) = state else { return false };
    header.trim() == "*" || (!state.starts_with("W/") && header.split(',').any(|tag| tag.trim() == state))
}

/// The same for reading, where weakness does not count.
pub(crate) fn matches_weakly(header: &str, state: &str) -> bool {
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    header.trim() == "*" || header.split(',').any(|tag| plain(tag) == plain(state))
}
