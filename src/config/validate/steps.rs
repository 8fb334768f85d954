//! The steps and the outcome rules of a task.

use std::collections::BTreeSet;
use std::time::Duration;

use super::pattern::Patterns;
use super::words;
use crate::config::document::Place;
use crate::config::reader::{Field, TableReader, Value};
use crate::script::{OutcomeRules, Page, Part, PartKind, Pattern, Quiet, Step, Target, Verb, Word, unroll};

/// The steps as one list, with those that name a time.
#[derive(Clone)]
pub(super) struct PlacedSteps<'a> {
    pub(super) steps: Vec<Step>,
    pub(super) waits: Vec<(Duration, Place<'a>)>,
}

/// Reads steps in the order they are performed in.
struct Reader<'a, 'p> {
    patterns: &'p Patterns,
    /// What the patterns so far capture.
    captured: BTreeSet<String>,
    waits: Vec<(Duration, Place<'a>)>,
    /// Whether something was done whose answer can be waited for.
    acted: bool,
    sends: bool,
}

/// The list of steps.
pub(super) fn steps<'a>(value: Value<'a>, patterns: &Patterns) -> Option<PlacedSteps<'a>> {
    let mut reader = Reader { patterns, captured: BTreeSet::new(), waits: Vec::new(), acted: false, sends: false };
    let parts = reader.parts(value)?;
    if !reader.sends {
        return value.refuse("the steps send nothing");
    }
    match unroll(&parts) {
        Ok(steps) => Some(PlacedSteps { steps, waits: reader.waits }),
        Err(error) => value.refuse(error.to_string()),
    }
}

impl<'a> Reader<'a, '_> {
    fn parts(&mut self, value: Value<'a>) -> Option<Vec<Part>> {
        let read: Vec<_> = value.list()?.into_iter().map(|value| self.part(value)).collect();
        read.into_iter().collect()
    }

    fn part(&mut self, value: Value<'a>) -> Option<Part> {
        let mut table = value.table()?;
        let kind = self.kind(&mut table);
        let until = table.take("until").and_then(|value| Some((self.patterns.one(value)?, value.key_place())));
        let to = table.take("to").and_then(|value| Some((self.patterns.one(value)?, value.key_place())));
        let reading = words::reading(&mut table);
        let reach = words::reach(&mut table);
        let within = table.take("within").and_then(|value| Some((value.duration()?, value.key_place())));
        let optional = table.take("optional").and_then(|value| Some((value.flag()?, value.key_place())));
        let before = self.captured.clone();
        let instead = table.take("else").and_then(|value| Some((self.parts(value)?, value.key_place())));
        // Behind a step with `else` only what both ways captured is known.
        let captured_instead = std::mem::replace(&mut self.captured, before);
        let steps = table.take("steps").and_then(|value| Some((self.parts(value)?, value.key_place())));
        let sound = table.is_sound();
        table.finish();
        let mut kind = kind.optional()??;
        let (until, to, steps) = (until.optional()?, to.optional()?, steps.optional()?);
        let (within, optional, instead) = (within.optional()?, optional.optional()?, instead.optional()?);
        words::add_reading(&mut kind, reading?)?;
        words::add_reach(&mut kind, reach?, value)?;
        let misplaced = |place: Place<'_>, message: &str| {
            place.error(message.to_owned());
            None
        };
        match (&mut kind, to) {
            (PartKind::Step(Verb::Reply { to: slot, .. }), Some((pattern, _))) => *slot = Some(pattern),
            (_, Some((_, place))) => return misplaced(place, "`to` says what a `reply` answers"),
            (_, None) => {}
        }
        match (&mut kind, steps, until) {
            (PartKind::Repeat { parts, until: slot, .. }, Some((steps, _)), until) => {
                *parts = steps;
                if let Some((pattern, _)) = until {
                    self.learn(&pattern);
                    *slot = Some(pattern);
                }
            }
            (PartKind::Repeat { .. }, None, _) => {
                return value.refuse("a `repeat` needs the `steps` that are repeated");
            }
            (_, Some((_, place)), _) => {
                return misplaced(place, "`steps` belongs to `repeat` and to the branches of `when`");
            }
            (_, _, Some((_, place))) => return misplaced(place, "`until` says when a `repeat` is over"),
            (_, None, None) => {}
        }
        if let (Some(message), Some((_, place))) = (needless_within(&kind), within) {
            return misplaced(place, message);
        }
        if let (Some(message), Some((_, place))) = (needless_optional(&kind), optional) {
            return misplaced(place, message);
        }
        if let Some((_, place)) = &instead
            && (optional.is_some() || needless_optional(&kind).is_some())
        {
            return misplaced(*place, "`else` is for a step that can fail, and stands in place of `optional`");
        }
        self.order(&kind, value)?;
        if instead.is_some() {
            self.captured = &self.captured & &captured_instead;
        }
        self.waits.extend(within);
        let part = Part {
            kind,
            within: within.map(|(time, _)| time),
            optional: optional.is_some_and(|(optional, _)| optional),
            instead: instead.map(|(parts, _)| parts).unwrap_or_default(),
        };
        sound.then_some(part)
    }

    fn kind(&mut self, table: &mut TableReader<'a>) -> Field<PartKind> {
        let patterns = self.patterns;
        let step = PartKind::Step;
        let quiet = |table: &mut TableReader<'a>, name: &str, quiet: Quiet| {
            let field = table.take(name).and_then(|value| words::yes(value)?.then_some(()));
            field.and_then(|()| Some(step(Verb::Quiet(quiet))))
        };
        let send = table
            .take("send")
            .and_then(|value| words::texts(value, &self.captured))
            .and_then(|of| Some(step(Verb::Send(of))));
        let reply = table
            .take("reply")
            .and_then(|value| words::texts(value, &self.captured))
            .and_then(|texts| Some(step(Verb::Reply { texts, to: None })));
        let start = table.take("start").and_then(words::start).and_then(|of| Some(step(Verb::Start(of))));
        let dice = table.take("dice").and_then(words::dice).and_then(|of| Some(step(Verb::Dice(of))));
        let buttons = |value| patterns.buttons(value);
        let click = table.take("click").and_then(buttons).and_then(|of| Some(step(Verb::Click(of))));
        let page = Page { hosts: Vec::new(), authorise: false };
        let open = table.take("open").and_then(buttons).and_then(|of| Some(step(Verb::Open(of, page))));
        let vote = table.take("vote").and_then(|value| {
            let answers = patterns.several(value)?.into_iter().map(Target::Label).collect();
            Some(step(Verb::Vote(answers)))
        });
        let forward = table.take("forward").and_then(|value| patterns.one(value));
        let forward = forward.and_then(|pattern| Some(step(Verb::Forward { pattern, from: None })));
        let choose = table.take("choose").and_then(|value| {
            value.word(|word| match word {
                "question" => Some(Verb::Choose),
                "image" => Some(Verb::ChooseByPicture(None)),
                _ => None,
            })
        });
        let choose = choose.and_then(|of| Some(step(of)));
        let read_image = table.take("read").and_then(|value| value.word(|word| (word == "image").then_some(())));
        let read_image = read_image.and_then(|()| Some(step(Verb::Read { word: Word::default(), prompt: None })));
        let solve = table.take("solve").and_then(|value| value.word(|word| (word == "arithmetic").then_some(())));
        let solve = solve.and_then(|()| Some(step(Verb::Solve)));
        let expect =
            table.take("expect").and_then(|value| patterns.one(value)).and_then(|of| Some(step(Verb::Expect(of))));
        let refuse =
            table.take("refuse").and_then(|value| patterns.one(value)).and_then(|of| Some(step(Verb::Refuse(of))));
        let wait = table.take("wait").and_then(Value::duration).and_then(|of| Some(step(Verb::Wait(of))));
        let read = quiet(table, "read_history", Quiet::ReadHistory);
        let delete = quiet(table, "delete", Quiet::Delete);
        let join = quiet(table, "join", Quiet::Join);
        let leave = quiet(table, "leave", Quiet::Leave);
        let when = table.take("when").and_then(|value| self.branches(value)).and_then(|of| Some(PartKind::When(of)));
        let repeat = table.take("repeat").and_then(Value::integer).and_then(|rounds| {
            let rounds = u32::try_from(rounds).ok()?;
            Some(PartKind::Repeat { rounds, until: None, parts: Vec::new() })
        });
        let message = send.or(reply).or(start).or(dice).or(click).or(choose).or(solve).or(read_image);
        let words = expect.or(refuse).or(wait).or(when).or(repeat);
        let message = message.or(open).or(vote).or(forward);
        message.or(words).or(read).or(delete).or(join).or(leave)
    }

    fn branches(&mut self, value: Value<'a>) -> Option<Vec<(Pattern, Vec<Part>)>> {
        if !self.acted {
            return value.refuse(TOO_EARLY);
        }
        let before = self.captured.clone();
        let mut after: Option<BTreeSet<String>> = None;
        let read: Vec<_> = value
            .list()?
            .into_iter()
            .map(|value| {
                let mut table = value.table()?;
                let pattern = table.take("match").and_then(|value| self.patterns.one(value));
                self.captured.clone_from(&before);
                if let Field::Valid(pattern) = &pattern {
                    self.learn(pattern);
                }
                let steps = table.take("steps").and_then(|value| self.parts(value));
                let sound = table.is_sound();
                table.finish();
                let known = std::mem::take(&mut self.captured);
                after = Some(after.take().map_or_else(|| known.clone(), |other| &other & &known));
                let branch = (pattern.optional()??, steps.or_default(Vec::new())?);
                sound.then_some(branch)
            })
            .collect();
        // Behind the branches only what each of them captured is known.
        self.captured = after.unwrap_or(before);
        read.into_iter().collect()
    }

    fn learn(&mut self, pattern: &Pattern) {
        self.captured.extend(pattern.capture_names().map(ToOwned::to_owned));
    }

    /// Only what comes after something of ours counts as an answer.
    fn order(&mut self, kind: &PartKind, value: Value<'_>) -> Option<()> {
        let PartKind::Step(verb) = kind else { return Some(()) };
        match verb {
            Verb::Expect(pattern) => {
                self.learn(pattern);
                self.acted.then_some(()).or_else(|| too_early(value))
            }
            Verb::Send(_)
            | Verb::Reply { .. }
            | Verb::Start(_)
            | Verb::Dice(_)
            | Verb::Click(_)
            | Verb::Open(..)
            | Verb::Vote(_)
            | Verb::Forward { .. }
            | Verb::Choose
            | Verb::Solve
            | Verb::ChooseByPicture(_)
            | Verb::Read { .. } => {
                (self.acted, self.sends) = (true, true);
                Some(())
            }
            Verb::Quiet(Quiet::Join) => {
                self.acted = true;
                Some(())
            }
            _ => Some(()),
        }
    }
}

const TOO_EARLY: &str = "this step waits for an answer, but nothing has been sent before it";

fn too_early<T>(value: Value<'_>) -> Option<T> {
    let hint = "begin with { send = '…' }: only what comes after an own message counts as an answer";
    value.place().error_with_hint(TOO_EARLY, hint.to_owned());
    None
}

fn needless_within(kind: &PartKind) -> Option<&'static str> {
    match kind {
        PartKind::Step(Verb::Wait(_)) => Some("`wait` says itself how long it takes, without `within`"),
        PartKind::Step(Verb::Refuse(_)) => Some("a `refuse` holds for the rest of the run, without `within`"),
        PartKind::Step(
            Verb::Send(_) | Verb::Start(_) | Verb::Dice(_) | Verb::Quiet(_) | Verb::Forward { from: Some(_), .. },
        ) => Some("this step waits for nothing: `within` belongs to the `click` or `expect` after it"),
        PartKind::Repeat { until: None, .. } => Some("without `until` a `repeat` waits for nothing"),
        _ => None,
    }
}

fn needless_optional(kind: &PartKind) -> Option<&'static str> {
    match kind {
        PartKind::Step(Verb::Wait(_) | Verb::Refuse(_)) => Some("this step cannot fail: leave `optional` out"),
        _ => None,
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
