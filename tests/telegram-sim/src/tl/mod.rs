//! The world in Telegram's types, as one account sees it.
//!
//! | module | what it holds |
//! |---|---|
//! | `templates` | types with dozens of optional fields, with none of them set |
//! | `markup` | buttons and replies |
//! | `view` | users, groups, messages and updates through the eyes of one account |

mod markup;
mod templates;
mod view;

use grammers_tl_types::{enums, types};

use crate::content::Content;
use crate::crypto::sha256;

pub(crate) use templates::{config, notify_settings, user_full};
pub(crate) use view::{Cast, View};

/// The data centre that the simulation is, and the only one.
pub(crate) const DC_ID: i32 = 2;

/// The general topic of every forum.
pub(crate) const GENERAL_TOPIC: i32 = 1;

/// Telegram compares phone numbers by their digits.
pub(crate) fn normalised_phone(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}

pub(crate) fn user_peer(user_id: i64) -> enums::Peer {
    types::PeerUser { user_id }.into()
}

/// What an access hash is for.
#[derive(Clone, Copy)]
pub(crate) enum Guarded {
    User,
    Supergroup,
    Photo,
    Document,
}

/// The access hash that `viewer` needs for a thing. As on Telegram, another account's hash is of no use.
pub(crate) fn access_hash(viewer: i64, kind: Guarded, id: i64) -> i64 {
    let hash = sha256(&[&viewer.to_le_bytes(), &[kind as u8], &id.to_le_bytes()]);
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    // Zero is how clients write "none".
    i64::from_le_bytes(first) | 1
}

/// The only size a photo comes in: "y", Telegram's name for up to 1280 pixels.
pub(crate) const PHOTO_SIZE: &str = "y";

/// Telegram's first topic colour.
pub(crate) const TOPIC_COLOUR: i32 = 0x6f_b9f0;

/// References are bound to an account, as on Telegram, but do not expire.
pub(crate) fn file_reference(viewer: i64, photo: i64) -> Vec<u8> {
    sha256(&[b"file reference", &viewer.to_le_bytes(), &photo.to_le_bytes()])[..16].to_vec()
}

/// The longest text of a message, in characters.
pub(crate) const MAX_TEXT_LENGTH: usize = 4096;

/// Whether Telegram would take this as a message.
pub(crate) fn is_sendable(content: &Content) -> bool {
    (!content.text.is_empty() || content.media.is_some()) && content.text.chars().count() <= MAX_TEXT_LENGTH
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn access_hashes_differ_by_viewer_kind_and_thing() {
        let hashes = [
            access_hash(1, Guarded::User, 2),
            access_hash(3, Guarded::User, 2),
            access_hash(1, Guarded::Supergroup, 2),
            access_hash(1, Guarded::User, 4),
        ];
        assert_eq!(hashes.iter().collect::<BTreeSet<_>>().len(), hashes.len());
        assert!(!hashes.contains(&0));
    }
}
