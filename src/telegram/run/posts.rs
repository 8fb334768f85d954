//! The distance between own messages in groups.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// When an account wrote in its groups last; all its tasks share it.
#[derive(Debug, Default)]
pub struct Posts {
    last: Mutex<BTreeMap<i64, Instant>>,
}

impl Posts {
    /// When the next message may be written in the chat with this marked id; `None` is now.
    pub fn next(&self, chat: i64, gap: Duration) -> Option<Instant> {
        self.last().get(&chat).map(|last| *last + gap)
    }

    /// A message is written now.
    pub fn wrote(&self, chat: i64, now: Instant) {
        self.last().insert(chat, now);
    }

    fn last(&self) -> MutexGuard<'_, BTreeMap<i64, Instant>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
