//! How much was said: for the monthly counter and the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the start of the process. Bodies only: headers and TLS are not counted.
#[derive(Debug, Default)]
pub struct Traffic {
    sent: AtomicU64,
    received: AtomicU64,
    requests: AtomicU64,
    refused: AtomicU64,
}

/// One reading of [`Traffic`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrafficCounts {
    /// Bytes of bodies sent, also of those that failed.
    pub sent: u64,
    /// Bytes of bodies received.
    pub received: u64,
    /// Requests, each attempt and each redirect counted.
    pub requests: u64,
    /// Requests without an answer, or answered with 4xx or 5xx.
    pub refused: u64,
}

impl Traffic {
    /// What was counted so far.
    pub fn read(&self) -> TrafficCounts {
        TrafficCounts {
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}
