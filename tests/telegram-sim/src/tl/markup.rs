//! Buttons and replies in Telegram's types.

use grammers_tl_types::{enums, types};

use super::GENERAL_TOPIC;
use crate::content::{Button, ButtonAction, Markup};
use crate::state::Stored;

pub(super) fn reply_header(message: &Stored) -> Option<enums::MessageReplyHeader> {
    let in_topic = message.topic.is_some_and(|topic| topic != GENERAL_TOPIC);
    let topic = message.topic.filter(|_| in_topic);
    let reply_to = message.reply_to.or(topic)?;
    Some(
        types::MessageReplyHeader {
            reply_to_scheduled: false,
            forum_topic: in_topic,
            quote: false,
            reply_to_ephemeral: false,
            reply_to_msg_id: Some(reply_to),
            reply_to_peer_id: None,
            reply_from: None,
            reply_media: None,
            reply_to_top_id: topic.filter(|_| message.reply_to.is_some()),
            quote_text: None,
            quote_entities: None,
            quote_offset: None,
            todo_item_id: None,
            poll_option: None,
        }
        .into(),
    )
}

pub(super) fn markup(markup: &Markup) -> enums::ReplyMarkup {
    match markup {
        Markup::Inline(rows) => types::ReplyInlineMarkup {
            force_reply: false,
            rows: rows
                .iter()
                .map(|row| types::KeyboardInlineButtonRow { buttons: row.iter().map(inline_button).collect() }.into())
                .collect(),
        }
        .into(),
        Markup::Keyboard(rows) => types::ReplyKeyboardMarkup {
            resize: true,
            single_use: false,
            selective: false,
            persistent: false,
            force_reply: false,
            rows: rows
                .iter()
                .map(|row| {
                    let key = |text: &String| {
                        types::KeyboardButton { style: None, text: text.clone(), r#type: enums::ButtonType::Default }
                            .into()
                    };
                    types::KeyboardButtonRow { buttons: row.iter().map(key).collect() }.into()
                })
                .collect(),
            placeholder: None,
        }
        .into(),
        Markup::RemoveKeyboard => types::ReplyKeyboardHide { selective: false }.into(),
    }
}

fn inline_button(button: &Button) -> enums::KeyboardInlineButton {
    let kind = match &button.action {
        ButtonAction::Callback(data) => {
            types::InlineButtonTypeCallback { requires_password: false, data: data.clone() }.into()
        }
        ButtonAction::Url(url) => types::InlineButtonTypeUrl { url: url.clone() }.into(),
    };
    types::KeyboardInlineButton { style: None, text: button.text.clone(), r#type: kind }.into()
}
