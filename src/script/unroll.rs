//! Branches and repetitions become one list that is only ever read forwards.
//!
//! A round that may follow is written out again, and a branch ends in a jump to what follows all of them. So each step of the
//! list is reached at most once: its number alone names an action in the journal and in its `random_id`, and a script ends
//! because its list does.

use std::time::Duration;

use super::pattern::Pattern;
use super::step::{Branch, Step, Verb};

/// Longest list. Longer ones come only from repetitions within repetitions.
pub const MAX_STEPS: usize = 500;

/// A step as it is written, with what is within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What is done.
    pub kind: PartKind,
    /// How long it may take; for a group, how long its pattern is waited for.
    pub within: Option<Duration>,
    /// The script goes on when this cannot be done.
    pub optional: bool,
    /// What is done when this cannot be done; empty for nothing.
    pub instead: Vec<Part>,
}

/// What a [`Part`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartKind {
    /// One step, none of [`Verb::When`], [`Verb::Jump`] and [`Verb::Until`].
    Step(Verb),
    /// What is said decides which steps follow.
    When(Vec<(Pattern, Vec<Part>)>),
    /// The same steps several times.
    Repeat {
        /// At most so many times.
        rounds: u32,
        /// What ends it. Without it all rounds are done.
        until: Option<Pattern>,
        /// A round.
        parts: Vec<Part>,
    },
}

/// The steps would be more than [`MAX_STEPS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("with all rounds written out these are more than {MAX_STEPS} steps")]
pub struct TooManySteps;

/// Writes the parts out as one list.
///
/// A step that cannot be done is followed by what is to be done instead of it, by what follows the nearest optional part
/// around it, or by the next round of the repetition around it that has an `until`.
pub fn unroll(parts: &[Part]) -> Result<Vec<Step>, TooManySteps> {
    let mut list = List::default();
    list.parts(parts, &Surroundings::default())?;
    let List { mut steps, labels } = list;
    let at = |label: usize| labels.get(label).copied().flatten().unwrap_or(steps.len());
    let resolved: Vec<(Verb, Option<usize>)> = steps
        .iter()
        .map(|step| {
            let verb = match &step.verb {
                Verb::Jump(label) => Verb::Jump(at(*label)),
                Verb::Until(pattern, label) => Verb::Until(pattern.clone(), at(*label)),
                Verb::When(branches) => Verb::When(
                    branches
                        .iter()
                        .map(|branch| Branch { pattern: branch.pattern.clone(), target: at(branch.target) })
                        .collect(),
                ),
                verb => verb.clone(),
            };
            (verb, step.otherwise.map(at))
        })
        .collect();
    for (step, (verb, otherwise)) in steps.iter_mut().zip(resolved) {
        (step.verb, step.otherwise) = (verb, otherwise);
    }
    Ok(steps)
}

/// Where a part stands.
#[derive(Debug, Clone, Default)]
struct Surroundings {
    /// Label of what follows when it cannot be done.
    otherwise: Option<usize>,
    /// `3.1.`
    prefix: String,
    /// ` (round 2)`
    suffix: String,
}

/// Steps whose targets are labels until all positions are known.
#[derive(Debug, Default)]
struct List {
    steps: Vec<Step>,
    labels: Vec<Option<usize>>,
}

impl List {
    fn label(&mut self) -> usize {
        self.labels.push(None);
        self.labels.len() - 1
    }

    fn put(&mut self, label: usize) {
        self.labels[label] = Some(self.steps.len());
    }

    fn push(&mut self, verb: Verb, part: &Part, at: &Surroundings, place: &str) -> Result<(), TooManySteps> {
        let place = format!("{place}{}", at.suffix);
        self.steps.push(Step { verb, within: part.within, otherwise: at.otherwise, place });
        if self.steps.len() > MAX_STEPS { Err(TooManySteps) } else { Ok(()) }
    }

    fn parts(&mut self, parts: &[Part], at: &Surroundings) -> Result<(), TooManySteps> {
        for (number, part) in (1..).zip(parts) {
            self.part(part, &format!("{}{number}", at.prefix), at)?;
        }
        Ok(())
    }

    fn part(&mut self, part: &Part, place: &str, around: &Surroundings) -> Result<(), TooManySteps> {
        let end = self.label();
        let around = Surroundings { prefix: format!("{place}."), ..around.clone() };
        let mut at = around.clone();
        let instead = (!part.instead.is_empty()).then(|| self.label());
        if part.optional {
            at.otherwise = Some(end);
        }
        at.otherwise = instead.or(at.otherwise);
        match &part.kind {
            PartKind::Step(verb) => self.push(verb.clone(), part, &at, place)?,
            PartKind::When(branches) => self.when(branches, part, &at, place, end)?,
            PartKind::Repeat { rounds, until, parts } => {
                for round in 1..=*rounds {
                    let next = self.label();
                    let last = round == *rounds;
                    let suffix = if round == 1 { at.suffix.clone() } else { format!(" (round {round})") };
                    let mut inner = Surroundings { suffix, ..at.clone() };
                    match until {
                        None => self.parts(parts, &inner)?,
                        Some(pattern) if last => {
                            self.parts(parts, &inner)?;
                            self.push(Verb::Expect(pattern.clone()), part, &inner, place)?;
                        }
                        Some(pattern) => {
                            inner.otherwise = Some(next);
                            self.parts(parts, &inner)?;
                            self.push(Verb::Until(pattern.clone(), end), part, &inner, place)?;
                        }
                    }
                    self.put(next);
                }
            }
        }
        if let Some(label) = instead {
            self.push(Verb::Jump(end), part, &around, place)?;
            self.put(label);
            self.parts(&part.instead, &around)?;
        }
        self.put(end);
        Ok(())
    }

    fn when(
        &mut self,
        branches: &[(Pattern, Vec<Part>)],
        part: &Part,
        at: &Surroundings,
        place: &str,
        end: usize,
    ) -> Result<(), TooManySteps> {
        let labels: Vec<usize> = branches.iter().map(|_| self.label()).collect();
        let targets = branches.iter().zip(&labels);
        let targets =
            targets.map(|((pattern, _), target)| Branch { pattern: pattern.clone(), target: *target }).collect();
        self.push(Verb::When(targets), part, at, place)?;
        for ((number, (_, parts)), label) in (1..).zip(branches).zip(labels) {
            self.put(label);
            self.parts(parts, &Surroundings { prefix: format!("{place}.{number}."), ..at.clone() })?;
            self.push(Verb::Jump(end), part, at, place)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

    use super::*;

    fn part(kind: PartKind) -> Part {
        Part { kind, within: None, optional: false, instead: Vec::new() }
    }

    fn dice() -> Part {
        part(PartKind::Step(Verb::Dice("🎲".into())))
    }

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    fn shown(parts: &[Part]) -> Vec<String> {
        let shown = unroll(parts).unwrap().into_iter().map(|step| {
            let verb = match step.verb {
                Verb::Dice(_) => "dice".to_owned(),
                Verb::Expect(pattern) => format!("expect {pattern}"),
                Verb::Until(pattern, end) => format!("until {pattern} then {end}"),
                Verb::Jump(target) => format!("jump {target}"),
                Verb::When(branches) => {
                    branches.iter().map(|branch| format!("{} {}; ", branch.pattern, branch.target)).collect()
                }
                other => format!("{other:?}"),
            };
            let otherwise = step.otherwise.map(|target| format!(" else {target}")).unwrap_or_default();
            format!("{}: {verb}{otherwise}", step.place)
        });
        shown.collect()
    }

    #[test]
    fn branches_end_behind_all_of_them() {
        let branches = vec![(pattern("a"), vec![dice(), dice()]), (pattern("b"), vec![])];
        let when = Part { optional: true, ..part(PartKind::When(branches)) };
        let expected = [
            "1: dice",
            "2: a 2; b 5;  else 6",
            "2.1.1: dice else 6",
            "2.1.2: dice else 6",
            "2: jump 6 else 6",
            "2: jump 6 else 6",
            "3: dice",
        ];
        assert_eq!(shown(&[dice(), when, dice()]), expected);
    }

    #[test]
    fn what_is_done_instead_is_jumped_over() {
        let step = Part { instead: vec![dice(), dice()], ..dice() };
        let expected = ["1: dice else 2", "1: jump 4", "1.1: dice", "1.2: dice", "2: dice"];
        assert_eq!(shown(&[step, dice()]), expected);
    }

    #[test]
    fn rounds_are_written_out() {
        let repeat = |until, rounds| part(PartKind::Repeat { rounds, until, parts: vec![dice()] });
        assert_eq!(shown(&[repeat(None, 2)]), ["1.1: dice", "1.1 (round 2): dice"]);
        assert_eq!(
            shown(&[repeat(Some(pattern("ok")), 2), dice()]),
            [
                "1.1: dice else 2",
                "1: until ok then 4 else 2",
                "1.1 (round 2): dice",
                "1 (round 2): expect ok",
                "2: dice"
            ]
        );
    }

    #[test]
    fn rounds_of_rounds_are_bounded() {
        let mut inner = dice();
        for _ in 0..4 {
            inner = part(PartKind::Repeat { rounds: 20, until: None, parts: vec![inner] });
        }
        assert_eq!(unroll(&[inner]), Err(TooManySteps));
    }
}
