//! The chat of a task: `@name`, a numeric id or a `t.me` link.

use crate::config::keys;
use crate::config::reader::Value;
use crate::config::snapshot::ChatRef;

/// What channels and supergroups have before their own number in a marked id.
const CHANNEL_MARK: i64 = -1_000_000_000_000;

/// Reads the value of `chat`.
pub(super) fn chat(value: Value<'_>) -> Option<ChatRef> {
    if value.is_integer() {
        let id = value.integer()?;
        if id == 0 || id == CHANNEL_MARK {
            value.refuse("`chat` is not an id that Telegram gives out")
        } else {
            Some(ChatRef::Id(id))
        }
    } else {
        parse(value.text()?).map_err(|(message, hint)| value.place().error_with_hint(message, hint.to_owned())).ok()
    }
}

fn parse(text: &str) -> Result<ChatRef, (&'static str, &'static str)> {
    const WHAT_TO_WRITE: &str = "write \"@name\", a numeric id such as -1001234567890, or \"https://t.me/NAME\"";
    if let Some(name) = text.strip_prefix('@') {
        return username(name).ok_or((
            "`chat` is not a user name: those have 4 to 32 letters, digits and _, and begin with a letter",
            WHAT_TO_WRITE,
        ));
    }
    if let Ok(id) = text.parse::<i64>() {
        let known = (keys::LEAST_CHAT..=keys::MOST_CHAT).contains(&id);
        let valid = known && id != 0 && id != CHANNEL_MARK && !text.starts_with('+');
        return if valid {
            Ok(ChatRef::Id(id))
        } else {
            Err(("`chat` is not an id that Telegram gives out", WHAT_TO_WRITE))
        };
    }
    match link_path(text) {
        Some(path) => link(path),
        None if username(text).is_some() => Err(("`chat` is a name without @", "write the @ before the name")),
        None => Err(("`chat` is neither a name, an id nor a t.me link", WHAT_TO_WRITE)),
    }
}

/// What stands behind `t.me/`.
fn link_path(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    ["t.me/", "telegram.me/", "telegram.dog/"].iter().find_map(|host| rest.strip_prefix(host))
}

fn link(path: &str) -> Result<ChatRef, (&'static str, &'static str)> {
    if path.starts_with('+') || path.starts_with("joinchat/") {
        return Err((
            "`chat` is an invite link",
            "join with the account in a Telegram app, then write the numeric id of the group, such as -1001234567890",
        ));
    }
    if path.contains(['?', '#']) {
        return Err((
            "`chat` is a link with a parameter",
            "write the link without it; a start parameter is sent by a step: { send = '/start PARAMETER' }",
        ));
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    let (name, is_id) = path.strip_prefix("c/").map_or((path, false), |id| (id, true));
    if name.contains('/') {
        return Err((
            "`chat` is a link to one message or topic",
            "write the link to the chat alone, and `topic = NUMBER` for a topic of a forum",
        ));
    }
    let chat = if is_id { private_channel(name) } else { username(name) };
    chat.ok_or(("`chat` is a link that names no chat", "write \"https://t.me/NAME\" or \"https://t.me/c/ID\""))
}

fn private_channel(digits: &str) -> Option<ChatRef> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse::<i64>().ok().filter(|number| *number > 0)?;
    let id = CHANNEL_MARK.checked_sub(number)?;
    (id >= keys::LEAST_CHAT).then_some(ChatRef::Id(id))
}

fn username(name: &str) -> Option<ChatRef> {
    let valid = (4..=32).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    valid.then(|| ChatRef::Username(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ids_and_links_are_chats() {
        let name = |name: &str| Ok(ChatRef::Username(name.into()));
        for (text, chat) in [
            ("@some_bot", name("some_bot")),
            ("https://t.me/some_bot", name("some_bot")),
            ("http://telegram.me/some_bot/", name("some_bot")),
            ("t.me/some_bot", name("some_bot")),
            ("t.me/c/1234567890", Ok(ChatRef::Id(-1_001_234_567_890))),
            ("-1001234567890", Ok(ChatRef::Id(-1_001_234_567_890))),
            ("777000", Ok(ChatRef::Id(777_000))),
        ] {
            assert_eq!(parse(text), chat, "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        for (text, reason) in [
            ("https://t.me/+AbCdEf", "invite link"),
            ("t.me/joinchat/AbCdEf", "invite link"),
            ("t.me/some_bot?start=abc", "parameter"),
            ("t.me/some_group/12", "message or topic"),
            ("t.me/c/123/12", "message or topic"),
            ("t.me/c/x", "names no chat"),
            ("t.me/c/99999999999999", "names no chat"),
            ("t.me/", "names no chat"),
            ("some_bot", "without @"),
            ("@a", "user name"),
            ("@1abc", "user name"),
            ("@签到机器人", "user name"),
            ("0", "not an id"),
            ("-1000000000000", "not an id"),
            ("+777000", "not an id"),
            ("9999999999999999", "not an id"),
            ("my bot", "neither"),
        ] {
            let message = parse(text).map_err(|(message, _)| message);
            assert!(matches!(message, Err(message) if message.contains(reason)), "{text}: {message:?}");
        }
    }
}
