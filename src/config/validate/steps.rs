//! The steps and the outcome rules of a task.

use super::pattern::Patterns;
use crate::config::document::Place;
use crate::config::reader::{TableReader, Value};
use crate::script::{OutcomeRules, Step, Verb};

/// Longest text of a message that Telegram takes, in UTF-16 units.
const LONGEST_MESSAGE: usize = 4096;

/// A step and where it stands.
#[derive(Clone)]
pub(super) struct PlacedStep<'a> {
    pub(super) step: Step,
    pub(super) place: Place<'a>,
}

/// The list of steps.
pub(super) fn steps<'a>(value: Value<'a>, patterns: &Patterns) -> Option<Vec<PlacedStep<'a>>> {
    let read: Vec<_> = value
        .list()?
        .into_iter()
        .map(|value| {
            let place = value.place();
            Some(PlacedStep { step: step(value.table()?, patterns)?, place })
        })
        .collect();
    let steps: Vec<_> = read.into_iter().collect::<Option<_>>()?;
    let first_wait = steps.iter().position(|step| matches!(step.step.verb, Verb::Click(_) | Verb::Expect(_)));
    let first_send = steps.iter().position(|step| matches!(step.step.verb, Verb::Send(_)));
    match (first_send, first_wait) {
        (None, None) => value.refuse("the steps send nothing"),
        (Some(send), Some(wait)) if send < wait => Some(steps),
        (Some(_), None) => Some(steps),
        (_, Some(wait)) => {
            let message = "this step waits for an answer, but nothing has been sent before it";
            let hint = "begin with { send = '…' }: only what comes after an own message counts as an answer";
            steps[wait].place.error_with_hint(message, hint.to_owned());
            None
        }
    }
}

fn step(mut table: TableReader<'_>, patterns: &Patterns) -> Option<Step> {
    let send = table.take("send").and_then(send);
    let click = table.take("click").and_then(|value| patterns.several(value)).and_then(|of| Some(Verb::Click(of)));
    let expect = table.take("expect").and_then(|value| patterns.one(value)).and_then(|of| Some(Verb::Expect(of)));
    let wait = table.take("wait").and_then(Value::duration).and_then(|time| Some(Verb::Wait(time)));
    let within = table.take("within").and_then(|value| Some((value.key_place(), value.duration()?)));
    let sound = table.is_sound();
    table.finish();
    let verb = send.or(click).or(expect).or(wait).optional()??;
    let within = within.optional()?;
    let needless = match &verb {
        Verb::Send(_) => Some("a `send` waits for nothing: `within` belongs to the `click` or `expect` after it"),
        Verb::Wait(_) => Some("`wait` says itself how long it takes, without `within`"),
        Verb::Click(_) | Verb::Expect(_) => None,
    };
    if let (Some(message), Some((place, _))) = (needless, within) {
        place.error(message);
        return None;
    }
    sound.then_some(Step { verb, within: within.map(|(_, time)| time) })
}

fn send(value: Value<'_>) -> Option<Verb> {
    let text = value.text()?;
    let units = text.encode_utf16().count();
    if text.trim().is_empty() {
        value.refuse("`send` has no visible text, Telegram would refuse it")
    } else if units > LONGEST_MESSAGE {
        value.refuse(format!("`send` has {units} UTF-16 units, Telegram takes {LONGEST_MESSAGE}"))
    } else {
        Some(Verb::Send(text.to_owned()))
    }
}

/// The table `outcome`.
pub(super) fn outcome(value: Value<'_>, patterns: &Patterns) -> Option<OutcomeRules> {
    let mut table = value.table()?;
    let mut rules = |name: &str| table.take(name).and_then(|value| patterns.several(value)).or_default(Vec::new());
    let (success, already, failure) = (rules("success"), rules("already"), rules("failure"));
    let sound = table.is_sound();
    table.finish();
    sound.then_some(OutcomeRules { success: success?, already: already?, failure: failure? })
}
