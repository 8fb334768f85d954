//! What the steps of a task say.

use std::collections::BTreeSet;

use super::chat;
use crate::config::document::Place;
use crate::config::reader::{TableReader, Value};
use crate::names::ChatRef;
use crate::script::{Alphabet, Host, PartKind, Template, TemplateError, Verb};

/// Longest text of a message that Telegram takes, in UTF-16 units.
const LONGEST_MESSAGE: usize = 4096;

/// The emoji that Telegram animates with a random value (<https://core.telegram.org/api/dice>).
const DICE: [&str; 6] = ["🎲", "🎯", "🏀", "⚽", "🎳", "🎰"];

/// A text, `{ text = '…' }`, or a list of them; `captured` may stand in braces.
pub(super) fn texts(value: Value<'_>, captured: &BTreeSet<String>) -> Option<Vec<Template>> {
    let read: Vec<_> = value.one_or_more()?.into_iter().map(|value| text(value, captured)).collect();
    read.into_iter().collect()
}

fn text(value: Value<'_>, captured: &BTreeSet<String>) -> Option<Template> {
    if value.is_table() {
        let mut table = value.table()?;
        let literal = table.take("text").and_then(|value| Some(Template::literal(sendable(value)?)));
        let sound = table.is_sound();
        table.finish();
        return literal.optional()?.filter(|_| sound);
    }
    let text = sendable(value)?;
    Template::parse(text, captured)
        .inspect_err(|error| {
            let hint = match error {
                TemplateError::Unknown(name) => format!(
                    "capture it with {{ expect = '/(?<{name}>\\d+)/' }}, or write {{ text = '…' }} when the braces are meant"
                ),
                TemplateError::InCommand(_) => "write the command out, and a space before what is captured".to_owned(),
            };
            value.place().error_with_hint(error.to_string(), hint);
        })
        .ok()
}

fn sendable(value: Value<'_>) -> Option<&str> {
    let text = value.text()?;
    let units = text.encode_utf16().count();
    if text.trim().is_empty() {
        value.refuse("`send` has no visible text, Telegram would refuse it")
    } else if units > LONGEST_MESSAGE {
        value.refuse(format!("`send` has {units} UTF-16 units, Telegram takes {LONGEST_MESSAGE}"))
    } else {
        Some(text)
    }
}

/// The parameter of a bot's start, alone or as a link.
pub(super) fn start(value: Value<'_>) -> Option<String> {
    let text = value.text()?;
    let parameter = match text.split_once("?start=") {
        Some((_, parameter)) => parameter,
        None => text,
    };
    // https://core.telegram.org/api/links#bot-links
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !parameter.is_empty() && parameter.len() <= 64 && parameter.chars().all(fits) {
        return Some(parameter.to_owned());
    }
    value.refuse("`start` must be a parameter of at most 64 letters, digits, _ and -, or a link with ?start=")
}

pub(super) fn dice(value: Value<'_>) -> Option<String> {
    value.word(|word| DICE.contains(&word.trim_end_matches('\u{FE0F}')).then(|| word.to_owned()))
}

/// `true`: the step is there to be done.
pub(super) fn yes(value: Value<'_>) -> Option<bool> {
    if value.flag()? { Some(true) } else { value.refuse("this step is done or left out: write true, or remove it") }
}

/// What a step tells about the picture, with the places of the keys.
pub(super) struct Reading<'a> {
    length: Option<(usize, Place<'a>)>,
    alphabet: Option<(Alphabet, Place<'a>)>,
    prompt: Option<(String, Place<'a>)>,
}

pub(super) fn reading<'a>(table: &mut TableReader<'a>) -> Option<Reading<'a>> {
    let length =
        table.take("length").and_then(|value| Some((usize::try_from(value.integer()?).ok()?, value.key_place())));
    let alphabet = table.take("alphabet").and_then(|value| {
        let alphabet = value.word(|word| match word {
            "digits" => Some(Alphabet::Digits),
            "letters" => Some(Alphabet::Letters),
            "letters-and-digits" => Some(Alphabet::LettersAndDigits),
            "chinese" => Some(Alphabet::Chinese),
            _ => None,
        });
        Some((alphabet?, value.key_place()))
    });
    let prompt = table.take("prompt").and_then(|value| Some((value.text()?.to_owned(), value.key_place())));
    Some(Reading { length: length.optional()?, alphabet: alphabet.optional()?, prompt: prompt.optional()? })
}

pub(super) fn add_reading(kind: &mut PartKind, reading: Reading<'_>) -> Option<()> {
    let Reading { length, alphabet, prompt } = reading;
    let misplaced = match kind {
        PartKind::Step(Verb::Read { word, prompt: told }) => {
            word.length = length.map(|(length, _)| length);
            word.alphabet = alphabet.map(|(alphabet, _)| alphabet).unwrap_or_default();
            *told = prompt.map(|(prompt, _)| prompt);
            None
        }
        PartKind::Step(Verb::ChooseByPicture(told)) => {
            *told = prompt.map(|(prompt, _)| prompt);
            length.map(|(_, place)| place).or(alphabet.map(|(_, place)| place))
        }
        _ => length.map(|(_, place)| place).or(alphabet.map(|(_, place)| place)).or(prompt.map(|(_, place)| place)),
    };
    let Some(place) = misplaced else { return Some(()) };
    place.error("`length` and `alphabet` belong to `read`, and `prompt` to `read` or `choose = 'image'`");
    None
}

/// What a step tells about the page it opens, or where it forwards from, with the places of the keys.
pub(super) struct Reach<'a> {
    hosts: Option<(Vec<Host>, Place<'a>)>,
    authorise: Option<(bool, Place<'a>)>,
    from: Option<(ChatRef, Place<'a>)>,
}

pub(super) fn reach<'a>(table: &mut TableReader<'a>) -> Option<Reach<'a>> {
    let hosts = table.take("hosts").and_then(|value| {
        let hosts: Vec<_> = value.list()?.into_iter().map(host).collect();
        Some((hosts.into_iter().collect::<Option<Vec<_>>>()?, value.key_place()))
    });
    let authorise = table.take("authorise").and_then(|value| Some((value.flag()?, value.key_place())));
    let from = table.take("from").and_then(|value| Some((chat::chat(value)?, value.key_place())));
    Some(Reach { hosts: hosts.optional()?, authorise: authorise.optional()?, from: from.optional()? })
}

fn host(value: Value<'_>) -> Option<Host> {
    value.text()?.parse().map_err(|error: crate::script::NoHost| value.place().error(error.to_string())).ok()
}

pub(super) fn add_reach(kind: &mut PartKind, reach: Reach<'_>, step: Value<'_>) -> Option<()> {
    let Reach { hosts, authorise, from } = reach;
    let (hosts_place, authorise_place) = (hosts.as_ref().map(|(_, at)| *at), authorise.map(|(_, at)| at));
    let from_place = from.as_ref().map(|(_, at)| *at);
    let misplaced = match kind {
        PartKind::Step(Verb::Open(_, page)) => {
            let Some((hosts, _)) = hosts else {
                let hint = "write the host that the button leads to, as in hosts = [\"sign.example.com\"]";
                step.place().error_with_hint("`open` needs `hosts`: a bot could lead anywhere", hint.to_owned());
                return None;
            };
            page.hosts = hosts;
            page.authorise = authorise.is_some_and(|(authorise, _)| authorise);
            from_place
        }
        PartKind::Step(Verb::Forward { from: slot, .. }) => {
            *slot = from.map(|(chat, _)| chat);
            hosts_place.or(authorise_place)
        }
        _ => hosts_place.or(authorise_place).or(from_place),
    };
    let Some(place) = misplaced else { return Some(()) };
    place.error("`hosts` and `authorise` belong to `open`, and `from` to `forward`");
    None
}
