//! Whether this process may sign in still. A task of its own asks, because the actor's uploads may take longer than the next
//! process waits.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::{debug, warn};

use super::handle::Report;
use crate::backup::log::{HOLDER_LISTS_EVERY, Hold};
use crate::backup::sync::Lookout;

/// A look serves everybody who asks within that time: hundreds of accounts may begin at one instant.
const FRESH: Duration = Duration::from_secs(15);

/// A server that does not answer keeps nobody from signing in for longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A look that takes longer is begun anew, or the pauses of its retries would outlast the next process's wait.
const LOOK_AT_MOST: Duration = Duration::from_secs(20);

/// After a look without an answer.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Another process that announces itself now is noticed within that time, when one look at most is not answered.
pub const NOTICED_WITHIN: Duration =
    HOLDER_LISTS_EVERY.saturating_add(LOOK_AT_MOST).saturating_add(LOOK_AGAIN_AFTER).saturating_add(LOOK_AT_MOST);

/// Another process has taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("another process has taken over")]
pub struct Superseded;

/// What is known. A machine that sleeps stops one clock, and somebody may set the other.
#[derive(Debug, Clone, Copy)]
struct Known {
    lost: bool,
    /// When the last look that was answered began.
    looked: (Instant, DateTime<Utc>),
    /// Looks without an answer.
    failures: u64,
}

impl Known {
    fn is_fresh(&self) -> bool {
        let (began, by_the_clock) = self.looked;
        let passed = Utc::now() - by_the_clock;
        began.elapsed() < FRESH && passed.abs() < TimeDelta::from_std(FRESH).unwrap_or_default()
    }
}

/// The right to sign in.
#[derive(Debug, Clone)]
pub struct Ownership {
    known: watch::Receiver<Known>,
    asks: mpsc::UnboundedSender<()>,
}

impl Ownership {
    /// Looks, unless somebody just did. While the server cannot be reached the answer is that nothing else is known.
    pub async fn confirm(&self) -> Result<(), Superseded> {
        let mut known = self.known.clone();
        let before = *known.borrow();
        if !before.lost && !before.is_fresh() {
            let asked = Instant::now();
            self.look();
            let answered = |now: &Known| now.lost || now.looked.0 >= asked || now.failures > before.failures;
            let _ = timeout_at(asked + PATIENCE, known.wait_for(answered)).await;
        }
        if self.is_lost() { Err(Superseded) } else { Ok(()) }
    }

    /// Looks soon: the clock made a step, or something else was seen.
    pub fn look(&self) {
        let _ = self.asks.send(());
    }

    pub(super) fn is_lost(&self) -> bool {
        self.known.borrow().lost
    }

    /// Waits until it is lost.
    pub(super) async fn lost(&self) {
        if self.known.clone().wait_for(|known| known.lost).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Looks every `interval`, at least every [`HOLDER_LISTS_EVERY`], and when somebody asks. Begins with a process that has just
/// become the owner.
pub(super) fn watch(lookout: Lookout, interval: Duration, reports: mpsc::Sender<Report>) -> Ownership {
    let (tell, known) = watch::channel(Known { lost: false, looked: (Instant::now(), Utc::now()), failures: 0 });
    let (asks, asked) = mpsc::unbounded_channel();
    tokio::spawn(look_on(lookout, HOLDER_LISTS_EVERY.min(interval), asked, tell, reports));
    Ownership { known, asks }
}

async fn look_on(
    mut lookout: Lookout,
    every: Duration,
    mut asked: mpsc::UnboundedReceiver<()>,
    known: watch::Sender<Known>,
    reports: mpsc::Sender<Report>,
) {
    let mut next = Instant::now() + every;
    loop {
        tokio::select! {
            () = sleep_until(next) => {}
            ask = asked.recv() => if ask.is_none() { return },
        }
        while asked.try_recv().is_ok() {}
        let began = (Instant::now(), Utc::now());
        match timeout(LOOK_AT_MOST, lookout.hold()).await {
            Ok(Ok(Hold::Holder)) => known.send_modify(|known| known.looked = began),
            Ok(Ok(Hold::Superseded(_))) => {
                warn!("another process has taken over: this one disconnects, saves what it has, and signs in no more");
                known.send_modify(|known| known.lost = true);
                let _ = reports.send(Report::Superseded).await;
                return;
            }
            // The actor finds the same, and alarms.
            Ok(Err(error)) => {
                debug!(%error, "whether another process has taken over is not known");
                known.send_modify(|known| known.failures += 1);
            }
            Err(_) => known.send_modify(|known| known.failures += 1),
        }
        let answered = known.borrow().looked == began;
        // From its beginning on: what was announced later it does not show.
        next = if answered { began.0 + every } else { Instant::now() + LOOK_AGAIN_AFTER.min(every) };
    }
}
