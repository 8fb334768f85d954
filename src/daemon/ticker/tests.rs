//! Every wait here ends with an event; the wall clock is ours, the scheduler is the real one.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::atomic::AtomicI64;

use super::*;

/// A wall clock that can be put forward and back.
#[derive(Clone, Default)]
struct WallClock(Arc<AtomicI64>);

impl WallClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::milliseconds(self.0.load(Ordering::Relaxed))
    }

    fn put(&self, delta: TimeDelta) {
        self.0.fetch_add(delta.num_milliseconds(), Ordering::Relaxed);
    }
}

fn shared(capacity: usize) -> (Shared, WallClock, mpsc::Receiver<Wake>) {
    let (wake, wakes) = mpsc::channel(capacity);
    let clock = WallClock::default();
    let now = clock.clone();
    (Shared::new(wake, move || now.now(), TICK * 3), clock, wakes)
}

#[tokio::test]
async fn a_deadline_wakes_at_its_instant_and_again_until_another_is_armed() {
    let (shared, clock, mut wakes) = shared(8);
    let ticker = Ticker::start_with(shared, cron_scheduler::start);
    let deadline = clock.now() + TimeDelta::milliseconds(50);
    ticker.arm(Some(deadline));
    // The first announcement is the timer's, the second can only be the scheduler's.
    for _ in 0..2 {
        assert_eq!(wakes.recv().await, Some(Wake::Due));
        assert!(clock.now() >= deadline);
    }
    assert!(ticker.heartbeat().ticks > 0);
    assert!(!ticker.heartbeat().degraded);
}

#[tokio::test]
async fn steps_of_the_clock_are_told_and_a_deadline_that_passed_by_one_is_due() {
    let (shared, clock, mut wakes) = shared(8);
    let ticker = Ticker::start_with(shared, cron_scheduler::start);
    ticker.arm(Some(clock.now() + TimeDelta::minutes(5)));
    clock.put(TimeDelta::minutes(10));
    let delta = step_and_due(&mut wakes).await;
    assert!(near(delta, TimeDelta::minutes(10)), "{delta}");
    ticker.arm(None);
    clock.put(TimeDelta::minutes(-5));
    let delta = loop {
        // An announcement may have been on its way when the deadline was taken back.
        if let Wake::ClockStepped { delta } = wakes.recv().await.unwrap() {
            break delta;
        }
    };
    assert!(near(delta, TimeDelta::minutes(-5)), "{delta}");
}

/// Waits until both have been told, in any order.
async fn step_and_due(wakes: &mut mpsc::Receiver<Wake>) -> TimeDelta {
    let (mut step, mut due) = (None, false);
    loop {
        match wakes.recv().await.unwrap() {
            Wake::ClockStepped { delta } => step = Some(delta),
            Wake::Due => due = true,
        }
        if let Some(delta) = step.filter(|_| due) {
            return delta;
        }
    }
}

fn near(a: TimeDelta, b: TimeDelta) -> bool {
    (a - b).abs() < STEP
}

#[tokio::test]
async fn without_the_scheduler_our_own_timer_ticks_visibly() {
    let (shared, clock, mut wakes) = shared(8);
    let ticker = Ticker::start_with(shared, |_| std::future::ready(None));
    ticker.arm(Some(clock.now() + TimeDelta::hours(1)));
    clock.put(TimeDelta::hours(2));
    step_and_due(&mut wakes).await;
    assert!(ticker.heartbeat().degraded);
}

#[tokio::test]
async fn a_scheduler_that_falls_silent_is_replaced() {
    let (shared, clock, mut wakes) = shared(8);
    let ticker = Ticker::start_with(shared, |shared| async {
        let mut scheduler = cron_scheduler::start(shared).await?;
        scheduler.shutdown().await.ok()?;
        Some(scheduler)
    });
    // A tick before the shutdown is possible; each step is told by a later one.
    while !ticker.heartbeat().degraded {
        clock.put(TimeDelta::hours(1));
        assert!(matches!(wakes.recv().await, Some(Wake::ClockStepped { .. })));
    }
    ticker.arm(Some(clock.now()));
    assert_eq!(wakes.recv().await, Some(Wake::Due));
}

#[tokio::test]
async fn a_dropped_ticker_closes_the_channel() {
    let (shared, clock, mut wakes) = shared(8);
    let ticker = Ticker::start_with(shared, cron_scheduler::start);
    ticker.arm(Some(clock.now()));
    assert_eq!(wakes.recv().await, Some(Wake::Due));
    drop(ticker);
    while wakes.recv().await.is_some() {}
}

#[tokio::test]
async fn after_a_thousand_deadlines_at_once_the_last_one_wakes() {
    let (shared, clock, mut wakes) = shared(8);
    let ticker = Arc::new(Ticker::start_with(shared, cron_scheduler::start));
    let mut arming = tokio::task::JoinSet::new();
    for minutes in 1..=1_000 {
        let (ticker, far) = (Arc::clone(&ticker), clock.now() + TimeDelta::minutes(minutes));
        arming.spawn(async move { ticker.arm(Some(far)) });
    }
    arming.join_all().await;
    ticker.arm(Some(clock.now() + TimeDelta::milliseconds(700)));
    assert_eq!(wakes.recv().await, Some(Wake::Due));
    assert!(!ticker.heartbeat().degraded);
}

#[test]
fn a_full_channel_loses_nothing() {
    let (shared, clock, mut wakes) = shared(1);
    shared.state().deadline = Some(clock.now());
    assert!(shared.tick());
    shared.announce();
    clock.put(TimeDelta::seconds(-30));
    shared.tick();
    assert_eq!(wakes.try_recv(), Ok(Wake::Due));
    shared.tick();
    let Ok(Wake::ClockStepped { delta }) = wakes.try_recv() else { panic!("the step was lost") };
    assert!(near(delta, TimeDelta::seconds(-30)), "{delta}");
    shared.tick();
    assert!(wakes.try_recv().is_err());
}

#[test]
fn clocks_that_move_together_have_not_stepped() {
    let (wall, monotonic) = (DateTime::UNIX_EPOCH, Instant::now());
    let after = |wall_ms: i64, monotonic_ms: u64| {
        (wall + TimeDelta::milliseconds(wall_ms), monotonic + Duration::from_millis(monotonic_ms))
    };
    assert_eq!(step((wall, monotonic), after(13_500, 13_000)), None);
    assert_eq!(step((wall, monotonic), after(2_500, 500)), None);
    assert_eq!(step((wall, monotonic), after(2_501, 500)), Some(TimeDelta::milliseconds(2_001)));
    assert_eq!(step((wall, monotonic), after(-1_600, 500)), Some(TimeDelta::milliseconds(-2_100)));
}
