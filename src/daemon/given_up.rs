//! Slots that are given up, on their way to the ledger.
//!
//! A later slot in the ledger says that the earlier ones are handled. So they are recorded in the order in which they were given
//! up, and a slot is claimed only after what was given up before its run was ordered: a crash in between leaves slots that
//! the next start finds.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tracing::error;

use super::account::Shared;
use super::insist::{Patience, insist};
use crate::kernel::record::SlotNotRun;

/// Slots that are recorded with one sync of the disk.
const BATCH: usize = 256;

/// The way in, for the daemon's loop.
#[derive(Debug)]
pub(super) struct GivenUp {
    queue: mpsc::UnboundedSender<SlotNotRun>,
    count: u64,
    recorded: watch::Receiver<u64>,
}

impl GivenUp {
    pub(super) fn new() -> (Self, Recorder) {
        let ((queue, slots), (count, recorded)) = (mpsc::unbounded_channel(), watch::channel(0));
        (Self { queue, count: 0, recorded }, Recorder { slots, count })
    }

    pub(super) fn record(&mut self, slot: SlotNotRun) {
        self.count += 1;
        let _ = self.queue.send(slot);
    }

    /// Everything that was given up until now.
    pub(super) fn so_far(&self) -> Before {
        Before { count: self.count, recorded: Some(self.recorded.clone()) }
    }
}

/// What was given up before something.
#[derive(Debug, Clone, Default)]
pub struct Before {
    count: u64,
    recorded: Option<watch::Receiver<u64>>,
}

impl Before {
    /// Waits until the ledger has it, or will not take it any more because the daemon stops.
    pub(super) async fn recorded(self) {
        if let Some(mut recorded) = self.recorded {
            let _ = recorded.wait_for(|count| *count >= self.count).await;
        }
    }
}

/// The way out, for a task of its own.
#[derive(Debug)]
pub(super) struct Recorder {
    slots: mpsc::UnboundedReceiver<SlotNotRun>,
    count: watch::Sender<u64>,
}

impl Recorder {
    /// Records what comes, until nothing can come any more.
    pub(super) async fn run(mut self, shared: Arc<Shared>) {
        let mut batch = Vec::new();
        while self.slots.recv_many(&mut batch, BATCH).await > 0 {
            let slots = std::mem::take(&mut batch);
            let record = || shared.ledger.record_all_without_run(slots.clone());
            if let Err(error) = insist(&shared.stop, &shared.events, Patience::Endless, record).await {
                error!(%error, slots = slots.len(), "that slots were not run could not be recorded; the next start finds them");
            }
            self.count.send_modify(|count| *count += slots.len() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::time::Duration;

    use chrono::{DateTime, Utc};
    use tokio::time::timeout;

    use super::*;
    use crate::kernel::record::NotRun;
    use crate::names::{RunKey, Slot};

    fn slot() -> SlotNotRun {
        let at = DateTime::<Utc>::UNIX_EPOCH;
        let key = RunKey { task: "t".parse().unwrap(), account: "a".parse().unwrap(), slot: Slot::at(at) };
        SlotNotRun { key, what: NotRun::Missed, reason: String::new(), at }
    }

    #[tokio::test]
    async fn what_comes_after_waits_for_what_was_given_up_before_it_and_no_longer() {
        let (mut given_up, recorder) = GivenUp::new();
        given_up.so_far().recorded().await;
        Before::default().recorded().await;
        given_up.record(slot());
        let mut waiting = std::pin::pin!(given_up.so_far().recorded());
        given_up.record(slot());
        assert!(timeout(Duration::ZERO, &mut waiting).await.is_err());
        recorder.count.send_modify(|count| *count += 1);
        waiting.await;
        // A recorder that has ended leaves nobody waiting.
        drop(recorder);
        given_up.so_far().recorded().await;
    }
}
