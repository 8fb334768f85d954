//! What is counted of one task.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};

use super::{DelayedReason, MissedReason, SkippedReason};
use crate::script::Outcome;

/// What was counted of a task since the process began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Ended runs, and slots that never became one, by outcome.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Slots that were missed, by reason.
    pub missed: BTreeMap<MissedReason, u64>,
    /// Slots that were left out on purpose, by reason.
    pub skipped: BTreeMap<SkippedReason, u64>,
    /// Runs that were held up, by reason.
    pub delayed: BTreeMap<DelayedReason, u64>,
}

impl Counted {
    const NOTHING: Self =
        Self { outcomes: BTreeMap::new(), missed: BTreeMap::new(), skipped: BTreeMap::new(), delayed: BTreeMap::new() };
}

/// Takes room with the first count: most of many tasks have none for most of the day.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Counted", into = "Counted")]
pub struct Counts(Option<Box<Counted>>);

impl Deref for Counts {
    type Target = Counted;

    fn deref(&self) -> &Counted {
        static NOTHING: Counted = Counted::NOTHING;
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for Counts {
    fn deref_mut(&mut self) -> &mut Counted {
        self.0.get_or_insert_with(|| Box::new(Counted::NOTHING))
    }
}

impl PartialEq for Counts {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Counts {}

impl From<Counted> for Counts {
    fn from(counted: Counted) -> Self {
        Self((counted != Counted::NOTHING).then(|| Box::new(counted)))
    }
}

impl From<Counts> for Counted {
    fn from(counts: Counts) -> Self {
        Self::clone(&counts)
    }
}
