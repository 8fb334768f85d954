//! Wakes the daemon's loop: at one armed deadline, and when the wall clock was put forward or back.
//!
//! tokio-cron-scheduler ticks every half second and wakes for a deadline that passed, through a store of ours that knows
//! nothing but that deadline (its own file says why). The exact instant is a timer of ours, armed when the deadline is
//! near. Both say the same thing, and saying it twice does no harm: a deadline that passed is announced again at every tick
//! until another one is armed, so a wake-up cannot be lost. When the scheduler stops ticking, the timer ticks in its place.

mod cron_scheduler;

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_cron_scheduler::JobScheduler;

/// The period of the ticks; tokio-cron-scheduler's own, which cannot be set.
const TICK: Duration = Duration::from_millis(500);
/// A deadline within this distance gets its exact timer. Longer sleeps would be wrong after a step of the clock.
const NEAR: Duration = Duration::from_secs(2);
/// Two clocks that move apart by more than this between two ticks: the wall clock was set, or the machine slept.
const STEP: TimeDelta = TimeDelta::seconds(2);
/// A scheduler without a tick for that long is taken for dead.
const SILENCE: Duration = Duration::from_secs(5);

/// Why the loop is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// The armed deadline passed.
    Due,
    /// The wall clock moved by that much more than the time that really passed: it was set, or the machine slept.
    ClockStepped {
        /// Positive when the clock was put forward.
        delta: TimeDelta,
    },
}

/// Signs of life, for `/livez` and the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// Ticks since the start: about two a second.
    pub ticks: u64,
    /// tokio-cron-scheduler is silent, and the ticks are our own timer's.
    pub degraded: bool,
}

/// The running ticker; when this is dropped it ends, and the channel closes.
#[derive(Debug)]
pub struct Ticker {
    deadline: watch::Sender<Option<DateTime<Utc>>>,
    shared: Arc<Shared>,
}

impl Ticker {
    /// Starts to tick on the current tokio runtime. `wake` may be full: the loop then has something to wake up for, and what
    /// did not fit in is said again at the next tick.
    pub fn start(wake: mpsc::Sender<Wake>) -> Self {
        Self::start_with(Shared::new(wake, Utc::now, SILENCE), cron_scheduler::start)
    }

    fn start_with<F>(shared: Shared, scheduler: impl FnOnce(Arc<Shared>) -> F) -> Self
    where
        F: Future<Output = Option<JobScheduler>> + Send + 'static,
    {
        let shared = Arc::new(shared);
        let (deadline, deadlines) = watch::channel(None);
        tokio::spawn(drive(Arc::clone(&shared), deadlines, scheduler(Arc::clone(&shared))));
        Self { deadline, shared }
    }

    /// Replaces the deadline; one that has passed already wakes at once. To arm it again as it is costs nothing.
    pub fn arm(&self, at: Option<DateTime<Utc>>) {
        let mut state = self.shared.state();
        if std::mem::replace(&mut state.deadline, at) != at {
            self.deadline.send_replace(at);
        }
    }

    /// Signs of life.
    pub fn heartbeat(&self) -> Heartbeat {
        Heartbeat {
            ticks: self.shared.ticks.load(Ordering::Relaxed),
            degraded: self.shared.degraded.load(Ordering::Relaxed),
        }
    }
}

/// What the scheduler's tick and our timer both see.
struct Shared {
    wake: mpsc::Sender<Wake>,
    now: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    silence: Duration,
    state: Mutex<State>,
    /// The deadline has come near.
    near: Notify,
    ticks: AtomicU64,
    scheduler_ticks: AtomicU64,
    degraded: AtomicBool,
}

struct State {
    deadline: Option<DateTime<Utc>>,
    /// Both clocks at the last tick.
    clocks: (DateTime<Utc>, Instant),
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("ticks", &self.ticks).field("degraded", &self.degraded).finish_non_exhaustive()
    }
}

impl Shared {
    fn new(
        wake: mpsc::Sender<Wake>,
        now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
        silence: Duration,
    ) -> Self {
        let state = State { deadline: None, clocks: (now(), Instant::now()) };
        Self {
            wake,
            now: Box::new(now),
            silence,
            state: Mutex::new(state),
            near: Notify::new(),
            ticks: AtomicU64::new(0),
            scheduler_ticks: AtomicU64::new(0),
            degraded: AtomicBool::new(false),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One tick: reports a step of the clock, has the timer armed when the deadline is near, and returns whether it passed.
    fn tick(&self) -> bool {
        self.ticks.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state();
        let clocks = ((self.now)(), Instant::now());
        let delta = step(state.clocks, clocks);
        let reported = delta.is_none_or(|delta| self.wake.try_send(Wake::ClockStepped { delta }).is_ok());
        if reported {
            state.clocks = clocks;
        }
        let Some(left) = state.deadline.map(|deadline| deadline - clocks.0) else {
            return false;
        };
        if left.to_std().is_ok_and(|left| left <= NEAR) {
            self.near.notify_one();
        }
        left <= TimeDelta::zero()
    }

    fn announce(&self) {
        // A full channel wakes the loop too, and the next tick says it again; a closed one has nobody to wake.
        let _ = self.wake.try_send(Wake::Due);
    }

    /// How long the timer has to sleep for a near deadline.
    fn time_left(&self, deadline: DateTime<Utc>) -> Option<Duration> {
        let left = (deadline - (self.now)()).to_std().unwrap_or(Duration::ZERO);
        (left <= NEAR).then_some(left)
    }
}

/// The step of the wall clock between two readings of both clocks.
fn step(before: (DateTime<Utc>, Instant), now: (DateTime<Utc>, Instant)) -> Option<TimeDelta> {
    let passed = TimeDelta::from_std(now.1.duration_since(before.1)).ok()?;
    let delta = now.0 - before.0 - passed;
    (delta.abs() > STEP).then_some(delta)
}

/// The exact timer and the watch over the scheduler, until the [`Ticker`] is dropped.
async fn drive(
    shared: Arc<Shared>,
    mut deadlines: watch::Receiver<Option<DateTime<Utc>>>,
    scheduler: impl Future<Output = Option<JobScheduler>>,
) {
    let scheduler = scheduler.await;
    let mut watchdog = Watchdog { seen: 0, next: Instant::now() };
    if scheduler.is_some() {
        watchdog.next += shared.silence;
    }
    let mut announced = None;
    loop {
        let deadline = *deadlines.borrow_and_update();
        let exact = deadline
            .filter(|deadline| announced != Some(*deadline) || (shared.now)() < *deadline)
            .and_then(|deadline| shared.time_left(deadline));
        tokio::select! {
            armed = deadlines.changed() => if armed.is_err() { break },
            () = shared.near.notified() => {}
            // Not at or after the deadline by the wall clock: it was put back meanwhile, and the loop measures again.
            () = tokio::time::sleep(exact.unwrap_or_default()), if exact.is_some() => {
                if deadline.is_some_and(|deadline| (shared.now)() >= deadline) {
                    announced = deadline;
                    shared.announce();
                }
            }
            () = tokio::time::sleep_until(watchdog.next) => watchdog.look(&shared),
        }
    }
    if let Some(mut scheduler) = scheduler
        && let Err(error) = scheduler.shutdown().await
    {
        tracing::warn!(%error, "the scheduler did not shut down");
    }
}

/// Looks whether the scheduler still ticks, and ticks in its place when it does not.
struct Watchdog {
    seen: u64,
    next: Instant,
}

impl Watchdog {
    fn look(&mut self, shared: &Shared) {
        let ticks = shared.scheduler_ticks.load(Ordering::Relaxed);
        let degraded = ticks == self.seen;
        self.seen = ticks;
        if shared.degraded.swap(degraded, Ordering::Relaxed) != degraded {
            if degraded {
                tracing::error!("tokio-cron-scheduler has stopped ticking; our own timer ticks in its place");
            } else {
                tracing::info!("tokio-cron-scheduler ticks again");
            }
        }
        if degraded && shared.tick() {
            shared.announce();
        }
        self.next = Instant::now() + if degraded { TICK } else { shared.silence };
    }
}

#[cfg(test)]
mod tests;
