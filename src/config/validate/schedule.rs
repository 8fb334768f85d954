//! The schedule of a task.

use std::cell::RefCell;
use std::time::Duration;

use crate::schedule::Zone;
use chrono::NaiveTime;

use super::{fingerprint, value};
use crate::config::document::Place;
use crate::config::reader::{Field, TableReader, Value};
use crate::config::snapshot::Fingerprint;
use crate::schedule::{Parser, Schedule, restricts_both_days};

/// An entry of a schedule and where it stands.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    pub(super) place: Place<'a>,
    pub(super) text: &'a str,
}

/// What `schedule`, `between` or `every` says.
#[derive(Clone)]
pub(super) enum When<'a> {
    Entries(Vec<Entry<'a>>),
    Between(NaiveTime, NaiveTime),
    Every(Duration),
}

/// What [`When`] means.
pub(super) struct Meaning {
    pub(super) schedule: Schedule,
    pub(super) window_end: Option<NaiveTime>,
}

impl<'a> When<'a> {
    /// Reads the one of the three keys that the table has.
    pub(super) fn read(table: &mut TableReader<'a>) -> Field<Self> {
        let mut found = Field::Absent;
        let mut first: Option<&str> = None;
        for name in ["schedule", "between", "every"] {
            let field = table.take(name);
            match (&field, first) {
                (Field::Absent, _) => continue,
                (Field::Valid(value), Some(first)) => {
                    let hint = "a task has one of `schedule`, `between` and `every`";
                    value.key_place().error_with_hint(format!("`{name}` stands beside `{first}`"), hint.to_owned());
                    found = Field::Invalid;
                    continue;
                }
                (_, Some(_)) => found = Field::Invalid,
                (_, None) => {
                    found = field.and_then(|value| match name {
                        "schedule" => entries(value).map(Self::Entries),
                        "between" => value::clock_pair(value).map(|(from, until)| Self::Between(from, until)),
                        _ => value.duration().map(Self::Every),
                    });
                }
            }
            first = Some(name);
        }
        found
    }

    /// The digest of what decides which slots there are.
    pub(super) fn fingerprint(&self, zone: Zone) -> Fingerprint {
        match self {
            Self::Entries(entries) => {
                fingerprint::of_schedule(zone, &entries.iter().map(|entry| entry.text).collect::<Vec<_>>())
            }
            Self::Between(from, _) => fingerprint::of_schedule(zone, &[&from.format("%H:%M").to_string()]),
            Self::Every(period) => fingerprint::of_period(*period),
        }
    }
}

fn entries(value: Value<'_>) -> Option<Vec<Entry<'_>>> {
    let entries = value.one_or_more()?.into_iter();
    entries
        .map(|entry| Some(Entry { place: entry.place(), text: entry.text()? }))
        .collect::<Vec<_>>()
        .into_iter()
        .collect()
}

/// The schedules parsed so far: tasks of one kind share theirs.
#[derive(Default)]
pub(in crate::config) struct Schedules(RefCell<Parser>);

impl Schedules {
    /// Reports every entry that is wrong.
    pub(super) fn meaning(&self, when: &When<'_>) -> Option<Meaning> {
        Some(match when {
            When::Entries(entries) => Meaning { schedule: self.parse(entries)?, window_end: None },
            When::Between(from, until) => {
                let begin = self.0.borrow_mut().parse(&[from.format("%H:%M").to_string()]).ok()?;
                Meaning { schedule: begin, window_end: Some(*until) }
            }
            When::Every(period) => Meaning { schedule: Schedule::every(*period), window_end: None },
        })
    }

    fn parse(&self, entries: &[Entry<'_>]) -> Option<Schedule> {
        let texts: Vec<_> = entries.iter().map(|entry| entry.text).collect();
        let errors = match self.0.borrow_mut().parse(&texts) {
            Ok(schedule) => {
                entries.iter().filter(|entry| restricts_both_days(entry.text)).for_each(warn_of_both_days);
                return Some(schedule);
            }
            Err(errors) => errors,
        };
        for error in errors {
            if let Some(entry) = entries.get(error.entry) {
                entry.place.error_with_hint(format!("schedule: {}", error.message), error.hint);
            }
        }
        None
    }
}

fn warn_of_both_days(entry: &Entry<'_>) {
    let message = "both day fields are set: a day that fits either of them fits, as in Vixie cron";
    entry.place.warning(message, "`tgsignd check --explain` shows the next slots".to_owned());
}
