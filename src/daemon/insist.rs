//! Calls to the ledger that must not be lost: a full disk costs time and nothing else.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::error;

use crate::kernel::Event;
use crate::ledger::LedgerError;
use crate::telegram::run::stopped;

/// Pauses between attempts to reach the ledger, doubled up to the last.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How long a call is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Somebody waits for the answer.
    None,
    /// A conversation waits in the middle.
    UpTo(Duration),
    /// Until the daemon stops.
    Endless,
}

/// Repeats `call` until it works, and tells the kernel about each failure, so that health and metrics show it.
pub(super) async fn insist<T, F>(
    stop: &watch::Receiver<bool>,
    events: &mpsc::UnboundedSender<Event>,
    patience: Patience,
    call: impl Fn() -> F,
) -> Result<T, LedgerError>
where
    F: Future<Output = Result<T, LedgerError>>,
{
    let end = match patience {
        Patience::None => Some(Instant::now()),
        Patience::UpTo(time) => Some(Instant::now() + time),
        Patience::Endless => None,
    };
    let mut stop = stop.clone();
    let mut pause = PAUSES.0;
    loop {
        let error = match call().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        error!(%error, "the ledger refused");
        let _ = events.send(Event::Measured(Err(error.to_string())));
        let is_pointless = matches!(error, LedgerError::Stopped { .. } | LedgerError::UnknownRun(_));
        if is_pointless || end.is_some_and(|end| Instant::now() + pause > end) {
            return Err(error);
        }
        tokio::select! {
            () = stopped(&mut stop) => return Err(error),
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSES.1),
        }
    }
}
