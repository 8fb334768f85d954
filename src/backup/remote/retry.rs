//! When to try again, and when to say so instead.

use std::time::{Duration, SystemTime};

use super::error::{Problem, RemoteError};

/// How often a request is sent, and how long to wait in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in total, at least one.
    pub attempts: u32,
    /// Longest wait before the second attempt; it doubles from there.
    pub first: Duration,
    /// Longest wait that is chosen here.
    pub longest: Duration,
    /// Longest wait a server may ask for with `Retry-After`; what is longer is left to the next interval.
    pub patience: Duration,
    /// Silence after refused credentials; it doubles up to an hour.
    pub refused: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 4,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            patience: Duration::from_mins(1),
            refused: Duration::from_mins(1),
        }
    }
}

impl RetryPolicy {
    /// The wait after `failed` attempts, or `None` to give up. `random` spreads it over the upper half, so that hosts
    /// that failed together do not return together; a wait the server `asked` for is never shortened.
    pub fn wait(&self, failed: u32, asked: Option<Duration>, random: u32) -> Option<Duration> {
        if failed >= self.attempts || asked.is_some_and(|asked| asked > self.patience) {
            return None;
        }
        let doubled = self.first.saturating_mul(1_u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX));
        let ceiling = doubled.min(self.longest);
        let spread = (ceiling / 2).mul_f64(f64::from(random) / f64::from(u32::MAX));
        Some((ceiling / 2 + spread).max(asked.unwrap_or_default()))
    }
}

/// The wait of a `Retry-After` header: seconds, or a date (RFC 9110, section 10.2.3). A date in the past is no wait.
pub(super) fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

/// One attempt that failed, and whether another may help.
#[derive(Debug)]
pub(super) struct Setback {
    pub(super) error: RemoteError,
    pub(super) again: Again,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// The answer would be the same.
    Never,
    /// After the wait the server asked for, if it did.
    After(Option<Duration>),
}

impl From<RemoteError> for Setback {
    fn from(error: RemoteError) -> Self {
        Self { error, again: Again::Never }
    }
}

/// The attempts of one request.
#[derive(Debug)]
pub(super) struct Patience {
    policy: RetryPolicy,
    failed: u32,
}

impl Patience {
    pub(super) fn new(policy: RetryPolicy) -> Self {
        Self { policy, failed: 0 }
    }

    /// Sleeps until the next attempt is due, or gives the error back when there is to be none.
    pub(super) async fn endure(&mut self, setback: Setback) -> Result<(), RemoteError> {
        let Again::After(asked) = setback.again else { return Err(setback.error) };
        self.failed += 1;
        let Some(wait) = self.policy.wait(self.failed, asked, random()) else {
            return Err(with_wait(setback.error, asked));
        };
        tracing::debug!(error = %setback.error, wait_ms = wait.as_millis(), "the remote is asked again");
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

fn with_wait(mut error: RemoteError, asked: Option<Duration>) -> RemoteError {
    if let Problem::Throttled { wait, .. } = &mut error.problem {
        *wait = asked;
    }
    error
}

/// Only spreads waits; without a source of randomness they are the shortest.
fn random() -> u32 {
    let mut bytes = [0; 4];
    let _ = getrandom::fill(&mut bytes);
    u32::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        attempts: 5,
        first: Duration::from_secs(2),
        longest: Duration::from_secs(7),
        patience: Duration::from_mins(1),
        refused: Duration::from_mins(1),
    };

    fn throttled(asked: Duration) -> Setback {
        let problem = Problem::Throttled { status: 503, wait: None };
        let error = RemoteError { action: "listing", place: "https://h/".to_owned(), problem };
        Setback { error, again: Again::After(Some(asked)) }
    }

    #[test]
    fn waits_double_up_to_a_ceiling_and_are_spread_over_its_upper_half() {
        let longest: Vec<_> =
            (1..6).map(|failed| POLICY.wait(failed, None, u32::MAX).map(|wait| wait.as_secs())).collect();
        assert_eq!(longest, [Some(2), Some(4), Some(7), Some(7), None]);
        assert_eq!(POLICY.wait(1, None, 0), Some(Duration::from_secs(1)));
        assert!(RetryPolicy { attempts: u32::MAX, ..POLICY }.wait(80, None, 1).is_some());
    }

    #[test]
    fn a_wait_the_server_asks_for_is_kept_or_left_to_the_next_interval() {
        assert_eq!(POLICY.wait(1, Some(Duration::from_mins(1)), 0), Some(Duration::from_mins(1)));
        assert_eq!(POLICY.wait(1, Some(Duration::from_secs(61)), 0), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 22 Nov 2026 06:00:00 GMT").unwrap();
        assert_eq!(retry_after(" 120 ", now), Some(Duration::from_mins(2)));
        assert_eq!(retry_after("Sun, 22 Nov 2026 06:01:30 GMT", now), Some(Duration::from_secs(90)));
        assert_eq!(retry_after("Sun, 22 Nov 2026 05:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }

    #[tokio::test]
    async fn attempts_end_and_the_last_error_says_what_the_server_asked_for() {
        let mut patience = Patience::new(RetryPolicy { first: Duration::from_millis(1), ..POLICY });
        for _ in 0..4 {
            patience.endure(throttled(Duration::ZERO)).await.unwrap();
        }
        let error = patience.endure(throttled(Duration::from_secs(20))).await.unwrap_err();
        assert_eq!(error.problem, Problem::Throttled { status: 503, wait: Some(Duration::from_secs(20)) });
    }
}
