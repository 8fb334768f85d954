//! Telegram's messages as the script sees them.
use grammers_tl_types as tl;

/// Id and date of a message, for paging.
pub(super) fn id_and_date(message: &tl::enums::Message) -> Option<(i32, i32)> {
    match message {
        tl::enums::Message::Message(message) => Some((message.id, message.date)),
        tl::enums::Message::Service(message) => Some((message.id, message.date)),
        tl::enums::Message::Empty(_) => None,
    }
}
