//! Slots against those of other implementations of cron, on the same random expressions beside changes of zones' offsets.
//!
//! Expressions that not all of them accept are not generated: a step over all days beside the other day field. Where they are
//! known to differ each comparison says.

mod cron_parser;
mod cronsim;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use chrono::{DateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{America, Asia, Europe, Tz};
use tgsignd::schedule::Schedule;

use super::kit::Random;

const EXPRESSIONS: usize = 3_000;
/// Slots compared for each expression.
const SLOTS: usize = 6;

/// Zones, and days on which their offset changes.
const CHANGES: [(Tz, &str); 7] = [
    (Europe::Berlin, "2027-03-28T01:00:00Z"),
    (Europe::Berlin, "2027-10-31T01:00:00Z"),
    (America::New_York, "2027-03-14T07:00:00Z"),
    (America::New_York, "2027-11-07T06:00:00Z"),
    (Europe::London, "2027-03-28T01:00:00Z"),
    (Europe::London, "2027-10-31T01:00:00Z"),
    (Asia::Shanghai, "2027-03-28T01:00:00Z"),
];

struct Case {
    expression: String,
    zone: Tz,
    start: DateTime<Utc>,
}

fn field(random: &mut Random, min: u64, max: u64) -> String {
    let (a, b) = (random.between(min, max), random.between(min, max));
    match random.below(6) {
        0 | 1 => "*".to_owned(),
        2 => format!("*/{}", random.between(2, 12)),
        3 => format!("{}-{}", a.min(b), a.max(b)),
        4 if a != b => format!("{a},{b}"),
        _ => a.to_string(),
    }
}

fn day_field(random: &mut Random, min: u64, max: u64) -> String {
    field(random, min, max).replace("*/", &format!("{min}-{max}/"))
}

fn case(random: &mut Random) -> Case {
    let latest = random.of(&[4, 23]);
    let fields = [
        field(random, 0, 59),
        field(random, 0, latest),
        day_field(random, 1, 28),
        field(random, 1, 12),
        day_field(random, 0, 6),
    ];
    let (zone, change) = random.of(&CHANGES);
    let change: DateTime<Utc> = change.parse().unwrap();
    let before = TimeDelta::seconds(random.below(40 * 3600).cast_signed());
    Case { expression: fields.join(" "), zone, start: change - before }
}

/// A change of a zone's offset.
struct Change {
    /// The first instant with the new offset.
    at: i64,
    /// Seconds; positive when the clock is put forward.
    by: i64,
}

impl Change {
    /// The change within a day of the instant.
    fn beside(zone: Tz, instant: i64) -> Option<Self> {
        let offset = |seconds: i64| {
            let instant = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
            i64::from(zone.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc())
        };
        let (mut before, mut at) = (instant - 86_400, instant + 86_400);
        let by = offset(at) - offset(before);
        while by != 0 && at - before > 1 {
            let middle = before.midpoint(at);
            if offset(middle) == offset(before) { before = middle } else { at = middle }
        }
        (by != 0).then_some(Self { at, by })
    }

    /// Whether the clock shows at the instant what the gap left out, so much later: after 02:30 in the gap, 03:30.
    fn is_moved_by_the_gap(&self, instant: i64) -> bool {
        (self.at..self.at + self.by).contains(&instant)
    }

    /// Whether the clock shows at the instant what it has shown before.
    fn is_second_pass(&self, instant: i64) -> bool {
        (self.at..self.at - self.by).contains(&instant)
    }
}

/// Asks a program for the slots of every case: a line of expression, zone, start and count, answered by a line of seconds.
fn ask(command: &mut Command, cases: &[Case]) -> std::io::Result<Vec<Vec<i64>>> {
    let mut questions = String::new();
    for Case { expression, zone, start } in cases {
        writeln!(questions, "{expression}\t{zone}\t{}\t{SLOTS}", start.timestamp()).map_err(std::io::Error::other)?;
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take();
    // A thread of its own, or both sides would wait with full pipes.
    let writer = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(questions.as_bytes())));
    let output = child.wait_with_output()?;
    drop(writer.join());
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().map(|line| line.split(' ').filter_map(|number| number.parse().ok()).collect()).collect())
}

/// Compares with the answers of a program; `known` tells a known difference from a mistake.
fn compare(name: &str, command: &mut Command, known: impl Fn(&Case, i64, i64) -> Option<&'static str>) {
    let mut random = Random::new(1);
    let cases: Vec<Case> = (0..EXPRESSIONS).map(|_| case(&mut random)).collect();
    let answers = ask(command, &cases).unwrap_or_default();
    assert_eq!(answers.len(), EXPRESSIONS, "{name} answers every question");
    let (mut classes, mut unknown) = (std::collections::BTreeMap::new(), Vec::new());
    for (case, theirs) in cases.iter().zip(answers) {
        let Case { expression, zone, start } = case;
        let schedule = Schedule::parse(&[expression]).unwrap_or_else(|errors| panic!("{expression}: {errors:?}"));
        let ours: Vec<i64> = schedule
            .slots_between(
                zone.name().parse().expect("a zone"),
                *start + TimeDelta::seconds(1),
                DateTime::<Utc>::MAX_UTC,
            )
            .map(tgsignd::names::Slot::unix_seconds)
            .take(SLOTS)
            .collect();
        let Some((our, their)) = ours.iter().zip(&theirs).find(|(our, their)| our != their) else {
            assert_eq!(theirs.len(), SLOTS, "{name} has an answer to {expression:?} in {zone} after {start}");
            continue;
        };
        match known(case, *our, *their) {
            Some(class) => *classes.entry(class).or_insert(0) += 1,
            None => unknown.push(format!("{expression:?} in {zone} after {start}: ours {ours:?}, {name}'s {theirs:?}")),
        }
    }
    println!("{EXPRESSIONS} expressions, known differences from {name}: {classes:?}");
    assert!(unknown.is_empty(), "{} unexplained differences:\n{}", unknown.len(), unknown.join("\n"));
}
