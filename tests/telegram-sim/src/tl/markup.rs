//! Buttons, replies, forwards, albums and polls in Telegram's types.

use grammers_tl_types::{enums, types};

use super::GENERAL_TOPIC;
use crate::content::{Button, ButtonAction, Markup, Poll};
use crate::crypto::sha256;
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
        ButtonAction::Login { url, id } => {
            types::InlineButtonTypeUrlAuth { fwd_text: None, url: url.clone(), button_id: *id }.into()
        }
        ButtonAction::MiniApp(url) => types::InlineButtonTypeWebView { url: url.clone() }.into(),
    };
    types::KeyboardInlineButton { style: None, text: button.text.clone(), r#type: kind }.into()
}

/// The common number of an album's messages.
pub(super) fn album_id(name: &str) -> i64 {
    let mut id = [0; 8];
    id.copy_from_slice(&sha256(&[b"album", name.as_bytes()])[..8]);
    i64::from_le_bytes(id) & i64::MAX
}

/// From somebody who does not say who.
pub(super) fn forward_header(date: i32) -> enums::MessageFwdHeader {
    types::MessageFwdHeader {
        imported: false,
        saved_out: false,
        from_id: None,
        from_name: Some("somebody".to_owned()),
        date,
        channel_post: None,
        post_author: None,
        saved_from_peer: None,
        saved_from_msg_id: None,
        saved_from_id: None,
        saved_from_name: None,
        saved_date: None,
        psa_type: None,
    }
    .into()
}

pub(super) fn poll_of(poll: &Poll, question: &str, id: i32) -> enums::Poll {
    let text = |text: &str| types::TextWithEntities { text: text.to_owned(), entities: Vec::new() }.into();
    let answer = |(index, answer): (usize, &String)| {
        types::PollAnswer {
            text: text(answer),
            option: index.to_string().into_bytes(),
            media: None,
            added_by: None,
            date: None,
        }
        .into()
    };
    types::Poll {
        id: id.into(),
        closed: poll.closed,
        public_voters: false,
        multiple_choice: false,
        quiz: false,
        open_answers: false,
        revoting_disabled: false,
        shuffle_answers: false,
        hide_results_until_close: false,
        creator: false,
        subscribers_only: false,
        question: text(question),
        answers: poll.answers.iter().enumerate().map(answer).collect(),
        close_period: None,
        close_date: None,
        countries_iso2: None,
        hash: 0,
    }
    .into()
}

/// Nobody counts the votes here.
pub(super) fn no_results() -> enums::PollResults {
    types::PollResults {
        min: true,
        has_unread_votes: false,
        can_view_stats: false,
        results: None,
        total_voters: None,
        recent_voters: None,
        solution: None,
        solution_entities: None,
        solution_media: None,
    }
    .into()
}
