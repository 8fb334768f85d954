//! Types with dozens of optional fields, with none of them set.

use std::sync::LazyLock;

use grammers_tl_types::{Deserializable, Serializable, enums, types};

use super::{DC_ID, user_peer};

/// A value of a type with dozens of optional fields, read from its mandatory ones with no flag set.
#[expect(clippy::expect_used, reason = "the bytes are constant; a test reads every template")]
fn template<T: Deserializable>(mandatory: &[&[u8]]) -> T {
    T::from_bytes(&mandatory.concat()).expect("the template follows the schema")
}

const NO_FLAGS: &[u8] = &[0; 4];
const ZERO_INT: &[u8] = &[0; 4];
const ZERO_LONG: &[u8] = &[0; 8];
const EMPTY_STRING: &[u8] = &[0; 4];

pub(super) static USER: LazyLock<types::User> = LazyLock::new(|| template(&[NO_FLAGS, NO_FLAGS, ZERO_LONG]));

pub(super) static MESSAGE: LazyLock<types::Message> = LazyLock::new(|| {
    let peer = user_peer(0).to_bytes();
    template(&[NO_FLAGS, NO_FLAGS, ZERO_INT, &peer, ZERO_INT, EMPTY_STRING])
});

pub(super) static CHANNEL: LazyLock<types::Channel> = LazyLock::new(|| {
    let photo = enums::ChatPhoto::Empty.to_bytes();
    template(&[NO_FLAGS, NO_FLAGS, ZERO_LONG, EMPTY_STRING, &photo, ZERO_INT])
});

pub(super) static CHAT: LazyLock<types::Chat> = LazyLock::new(|| {
    let photo = enums::ChatPhoto::Empty.to_bytes();
    template(&[NO_FLAGS, ZERO_LONG, EMPTY_STRING, &photo, ZERO_INT, ZERO_INT, ZERO_INT])
});

pub(super) static USER_FULL: LazyLock<types::UserFull> = LazyLock::new(|| {
    let settings = peer_settings().to_bytes();
    let notify = notify_settings().to_bytes();
    template(&[NO_FLAGS, NO_FLAGS, ZERO_LONG, &settings, &notify, ZERO_INT])
});

/// The client configuration, with no addresses: advertised ones would replace those of the session.
pub(crate) fn config(date: i32) -> enums::Config {
    let mut bytes = NO_FLAGS.to_vec();
    date.serialize(&mut bytes);
    date.saturating_add(3600).serialize(&mut bytes);
    false.serialize(&mut bytes);
    DC_ID.serialize(&mut bytes);
    Vec::<enums::DcOption>::new().serialize(&mut bytes);
    // Numbers and strings that no client of this simulation uses.
    let mut config: types::Config = template(&[&bytes, &[0; 256]]);
    config.chat_size_max = 200;
    config.megagroup_size_max = 200_000;
    config.caption_length_max = 1024;
    config.message_length_max = 4096;
    config.edit_time_limit = 172_800;
    config.into()
}

pub(crate) fn user_full(id: i64) -> types::UserFull {
    types::UserFull { id, ..USER_FULL.clone() }
}

pub(crate) fn notify_settings() -> enums::PeerNotifySettings {
    template(&[&0x9962_2c0c_u32.to_le_bytes(), NO_FLAGS])
}

fn peer_settings() -> enums::PeerSettings {
    template(&[&0xf477_41f7_u32.to_le_bytes(), NO_FLAGS])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_follows_the_schema() {
        LazyLock::force(&USER);
        LazyLock::force(&MESSAGE);
        LazyLock::force(&CHANNEL);
        LazyLock::force(&CHAT);
        LazyLock::force(&USER_FULL);
        let enums::Config::Config(config) = config(7);
        assert_eq!((config.date, config.expires, config.this_dc), (7, 3607, DC_ID));
        assert_eq!(config.dc_options, []);
    }
}
