//! The rules of scripted bots, as TOML.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::WorldError;
use super::toml::{Located, duration, parsed};
use crate::bot::{BotAction, Effect, Pattern, Period, Rule, ScriptAction, Target, Trigger};
use crate::content::{Button, ButtonAction, Content, Document, Markup, Media, Photo, Poll};
use crate::tl::is_sendable;

/// A rule. Its own actions come before those of `do`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    text: Option<Spanned<String>>,
    button: Option<Spanned<String>>,
    start: Option<Spanned<String>>,
    dice: Option<Spanned<String>>,
    forward: Option<Spanned<String>>,
    vote: Option<Spanned<String>>,
    when: Option<String>,
    once_per: Option<RawPeriod>,
    after: Option<Spanned<String>>,
    popup: Option<String>,
    alert: Option<String>,
    #[serde(default)]
    no_answer: bool,
    edit: Option<RawMessage>,
    send: Option<RawMessage>,
    delete: Option<RawDelete>,
    set_state: Option<String>,
    #[serde(default, rename = "do")]
    steps: Vec<RawStep>,
}

/// What happens together. Several keys are played in the order in which they stand here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    after: Option<Spanned<String>>,
    popup: Option<String>,
    alert: Option<String>,
    #[serde(default)]
    no_answer: bool,
    edit: Option<RawMessage>,
    send: Option<RawMessage>,
    delete: Option<RawDelete>,
    set_state: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawPeriod {
    Day,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMessage {
    #[serde(default)]
    text: String,
    photo: Option<RawPhoto>,
    document: Option<RawDocument>,
    poll: Option<RawPoll>,
    /// The name of the album that a sent message belongs to.
    album: Option<String>,
    #[serde(default)]
    anonymous: bool,
    buttons: Option<Vec<Vec<RawButton>>>,
    keyboard: Option<Vec<Vec<String>>>,
    #[serde(default)]
    remove_keyboard: bool,
    /// Sent messages only.
    #[serde(default)]
    reply: bool,
    /// The name that a sent message gets, or that of the message to edit.
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPhoto {
    file: Option<String>,
    color: Option<String>,
    side: Option<u16>,
}

/// A file beside the world file, a text, or a drawn picture.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDocument {
    name: String,
    mime_type: String,
    file: Option<String>,
    text: Option<String>,
    color: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPoll {
    answers: Vec<String>,
    #[serde(default)]
    closed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawButton {
    text: String,
    data: Option<String>,
    url: Option<String>,
    /// With `url`: offers a login under this number.
    login: Option<i32>,
    mini_app: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawDelete {
    PressedOrLast(bool),
    Named(String),
}

/// Makes a trigger of the pattern behind its key.
type Make = fn(Pattern) -> Trigger;

/// Turns rules into behaviour, with pictures from a directory.
pub(super) struct Reader<'a> {
    directory: &'a Path,
}

impl<'a> Reader<'a> {
    pub(super) fn new(directory: &'a Path) -> Self {
        Self { directory }
    }

    pub(super) fn rule(&self, raw: Spanned<RawRule>, path: &str) -> Result<Rule, Located> {
        let span = raw.span();
        let wrong = |message: String| (WorldError::new(path, message), span.clone());
        let raw = raw.into_inner();
        let pattern = |written: &Spanned<String>| parsed(written, path, Pattern::parse);
        let triggers: [(&Option<Spanned<String>>, Make); 6] = [
            (&raw.text, Trigger::Text),
            (&raw.button, Trigger::Button),
            (&raw.start, Trigger::Start),
            (&raw.dice, Trigger::Dice),
            (&raw.forward, Trigger::Forward),
            (&raw.vote, Trigger::Vote),
        ];
        let mut written = triggers.into_iter().filter_map(|(text, make)| Some((text.as_ref()?, make)));
        let (Some((text, make)), None) = (written.next(), written.next()) else {
            let message = "a rule needs exactly one of text, button, start, dice, forward and vote";
            return Err(wrong(message.to_owned()));
        };
        let trigger = make(pattern(text)?);
        let own = RawStep {
            after: raw.after,
            popup: raw.popup,
            alert: raw.alert,
            no_answer: raw.no_answer,
            edit: raw.edit,
            send: raw.send,
            delete: raw.delete,
            set_state: raw.set_state,
        };
        let mut actions = Vec::new();
        for step in std::iter::once(own).chain(raw.steps) {
            let wait = step.after.as_ref().map(|after| parsed(after, path, duration)).transpose()?;
            self.step(step, wait.unwrap_or_default(), &mut actions).map_err(&wrong)?;
        }
        if actions.is_empty() {
            return Err(wrong("the rule does nothing".to_owned()));
        }
        let answers = |action: &ScriptAction| {
            matches!(action, ScriptAction::Bot(BotAction { effect: Effect::Answer { .. } | Effect::NoAnswer, .. }))
        };
        if !matches!(trigger, Trigger::Button(_)) && actions.iter().any(answers) {
            return Err(wrong("only a pressed button can be answered by popup, alert and no_answer".to_owned()));
        }
        let once_per = raw.once_per.map(|RawPeriod::Day| Period::Day);
        Ok(Rule { trigger, when: raw.when, once_per, actions })
    }

    fn step(&self, step: RawStep, wait: Duration, actions: &mut Vec<ScriptAction>) -> Result<(), String> {
        let mut effects = Vec::new();
        if let Some(text) = step.popup {
            effects.push(Effect::Answer { text, alert: false });
        }
        if let Some(text) = step.alert {
            effects.push(Effect::Answer { text, alert: true });
        }
        if step.no_answer {
            effects.push(Effect::NoAnswer);
        }
        if let Some(message) = step.edit {
            let target = message.name.clone().map_or(Target::Pressed, Target::Named);
            effects.push(Effect::Edit { target, content: self.content(message, "edit")? });
        }
        if let Some(message) = step.send {
            let (reply, name) = (message.reply, message.name.clone());
            effects.push(Effect::Send { content: self.content(message, "send")?, reply, name });
        }
        match step.delete {
            Some(RawDelete::PressedOrLast(true)) => effects.push(Effect::Delete { target: Target::Pressed }),
            Some(RawDelete::Named(name)) => effects.push(Effect::Delete { target: Target::Named(name) }),
            Some(RawDelete::PressedOrLast(false)) | None => {}
        }
        // The wait comes before the first of them.
        let waits = std::iter::once(wait).chain(std::iter::repeat(Duration::ZERO));
        let played = effects.into_iter().zip(waits).map(|(effect, after)| BotAction { after, effect });
        actions.extend(played.map(ScriptAction::Bot));
        actions.extend(step.set_state.map(ScriptAction::SetState));
        Ok(())
    }

    fn content(&self, raw: RawMessage, kind: &str) -> Result<Content, String> {
        let markups = [raw.buttons.is_some(), raw.keyboard.is_some(), raw.remove_keyboard];
        if markups.into_iter().filter(|is_set| *is_set).count() > 1 {
            return Err(format!("{kind} can have only one of buttons, keyboard and remove_keyboard"));
        }
        if kind == "edit" && (raw.keyboard.is_some() || raw.remove_keyboard || raw.reply) {
            return Err("edit cannot have keyboard, remove_keyboard or reply; Telegram allows them only in send".into());
        }
        let inline = raw.buttons.map(|rows| rows.into_iter().map(button_row).collect::<Result<_, _>>()).transpose()?;
        let markup = inline
            .map(Markup::Inline)
            .or(raw.keyboard.map(Markup::Keyboard))
            .or(raw.remove_keyboard.then_some(Markup::RemoveKeyboard));
        if usize::from(raw.photo.is_some()) + usize::from(raw.document.is_some()) + usize::from(raw.poll.is_some()) > 1
        {
            return Err(format!("{kind} can have only one of photo, document and poll"));
        }
        let photo = raw.photo.map(|photo| self.photo(photo)).transpose()?.map(Media::Photo);
        let document = raw.document.map(|document| self.document(document)).transpose()?.map(Media::Document);
        let poll = raw.poll.map(|RawPoll { answers, closed }| Media::Poll(Poll { answers, closed }));
        let media = photo.or(document).or(poll);
        let (album, anonymous) = (raw.album, raw.anonymous);
        let content = Content { text: raw.text, media, markup, album, anonymous, forwarded: false };
        // The edited message may have a picture, and then needs no text.
        let keeps_picture = kind == "edit" && content.text.is_empty();
        if !is_sendable(&content) && !keeps_picture {
            return Err(format!("the message of {kind} is empty or longer than 4096 characters"));
        }
        Ok(content)
    }

    fn document(&self, raw: RawDocument) -> Result<Arc<Document>, String> {
        let bytes = match (raw.file, raw.text, raw.color) {
            (Some(file), None, None) => {
                std::fs::read(self.directory.join(&file)).map_err(|error| format!("{file}: {error}"))?
            }
            (None, Some(text), None) => text.into_bytes(),
            (None, None, Some(color)) => Photo::solid(rgb(&color)?, 64).bytes().to_vec(),
            _ => return Err("document needs one of file, text and color".to_owned()),
        };
        Ok(Arc::new(Document::new(raw.name, raw.mime_type, bytes)))
    }

    fn photo(&self, raw: RawPhoto) -> Result<Arc<Photo>, String> {
        let photo = match (raw.file, raw.color) {
            (Some(file), None) => {
                let bytes = std::fs::read(self.directory.join(&file)).map_err(|error| format!("{file}: {error}"))?;
                Photo::from_bytes(bytes).map_err(|error| format!("{file}: {error}"))?
            }
            (None, Some(color)) => Photo::solid(rgb(&color)?, raw.side.unwrap_or(64)),
            _ => return Err("photo needs either file or color".to_owned()),
        };
        Ok(Arc::new(photo))
    }
}

fn button_row(row: Vec<RawButton>) -> Result<Vec<Button>, String> {
    row.into_iter()
        .map(|button| match (button.data, button.url, button.login, button.mini_app) {
            (Some(data), None, None, None) if data.len() <= 64 => Ok(Button::callback(button.text, data)),
            (Some(_), None, None, None) => Err(format!("the data of button {:?} is longer than 64 bytes", button.text)),
            (None, Some(url), None, None) => Ok(Button::url(button.text, url)),
            (None, Some(url), Some(id), None) => {
                Ok(Button { text: button.text, action: ButtonAction::Login { url, id } })
            }
            (None, None, None, Some(url)) => Ok(Button { text: button.text, action: ButtonAction::MiniApp(url) }),
            _ => Err(format!("button {:?} needs either data or url, with or without login, or mini_app", button.text)),
        })
        .collect()
}

/// `#rrggbb`.
fn rgb(color: &str) -> Result<[u8; 3], String> {
    let number = color.strip_prefix('#').filter(|digits| digits.len() == 6);
    let number = number.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let [_, rgb @ ..] = number.ok_or_else(|| format!("{color:?} is not a colour such as \"#cc0000\""))?.to_be_bytes();
    Ok(rgb)
}
