//! How much was said: for the monthly counter and the metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use reqwest::Method;

/// Counters since the start of the process. Bodies only: headers and TLS are not counted.
#[derive(Debug, Default)]
pub struct Traffic {
    sent: AtomicU64,
    received: AtomicU64,
    answers: Mutex<Answers>,
}

/// Requests by method and status, each attempt and each redirect counted; without a status where no answer came.
pub type Answers = BTreeMap<(String, Option<u16>), u64>;

/// One reading of [`Traffic`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrafficCounts {
    /// Bytes of bodies sent, also of those that failed.
    pub sent: u64,
    /// Bytes of bodies received.
    pub received: u64,
}

impl Traffic {
    /// What was counted so far.
    pub fn read(&self) -> TrafficCounts {
        TrafficCounts { sent: self.sent.load(Ordering::Relaxed), received: self.received.load(Ordering::Relaxed) }
    }

    /// The requests so far.
    pub fn answers(&self) -> Answers {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn answered(&self, method: &Method, status: Option<u16>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry((method.as_str().to_owned(), status)).or_default() += 1;
    }
}
