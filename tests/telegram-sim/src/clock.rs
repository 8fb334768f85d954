//! The world's clock: what bots call "today" and what message dates show.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

/// A clock that starts at a given moment, runs at a chosen speed and can be moved. Clones are the same clock.
///
/// Only bots and the `date` of messages follow it. Delays of bots, and everything that `MTProto` itself dates,
/// happen in real time.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Mutex<Reading>>);

#[derive(Debug)]
struct Reading {
    world: DateTime<Utc>,
    real: Instant,
    speed: f64,
}

impl Reading {
    fn now(&self, real: Instant) -> DateTime<Utc> {
        let elapsed = real.saturating_duration_since(self.real);
        let world = Duration::try_from_secs_f64(elapsed.as_secs_f64() * self.speed).unwrap_or(Duration::MAX);
        later(self.world, world)
    }
}

fn later(time: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(by).ok().and_then(|by| time.checked_add_signed(by)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

impl Clock {
    /// A clock that shows `start` now and runs `speed` times as fast as real time.
    #[must_use]
    pub fn new(start: DateTime<Utc>, speed: f64) -> Self {
        Self(Arc::new(Mutex::new(Reading { world: start, real: Instant::now(), speed })))
    }

    /// The world's time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.lock().now(Instant::now())
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.change(|reading| reading.world = later(reading.world, by));
    }

    /// Moves the clock to a moment, forward or back.
    pub fn set(&self, time: DateTime<Utc>) {
        self.change(|reading| reading.world = time);
    }

    /// Changes the speed from now on.
    pub fn set_speed(&self, speed: f64) {
        self.change(|reading| reading.speed = speed);
    }

    /// The clock's time as Telegram writes it: whole seconds since 1970 in 32 bits.
    pub(crate) fn unix(&self) -> i32 {
        unix(self.now())
    }

    fn change(&self, change: impl FnOnce(&mut Reading)) {
        let mut reading = self.lock();
        let real = Instant::now();
        reading.world = reading.now(real);
        reading.real = real;
        change(&mut reading);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn unix(time: DateTime<Utc>) -> i32 {
    i32::try_from(time.timestamp()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(speed: f64) -> Reading {
        Reading { world: DateTime::UNIX_EPOCH, real: Instant::now(), speed }
    }

    #[test]
    fn speed_scales_elapsed_time() {
        let day_per_second = reading(86_400.0);
        let later = day_per_second.real + Duration::from_secs(2);
        assert_eq!(day_per_second.now(later).timestamp(), 2 * 86_400);
    }

    #[test]
    fn a_stopped_clock_only_moves_by_hand() {
        let clock = Clock::new(DateTime::UNIX_EPOCH, 0.0);
        clock.advance(Duration::from_hours(24));
        assert_eq!(clock.now().timestamp(), 86_400);
        clock.set(DateTime::UNIX_EPOCH);
        assert_eq!(clock.unix(), 0);
    }

    #[test]
    fn the_end_of_time_does_not_panic() {
        let clock = Clock::new(DateTime::UNIX_EPOCH, 0.0);
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), DateTime::<Utc>::MAX_UTC);
        assert_eq!(clock.unix(), i32::MAX);
    }
}
