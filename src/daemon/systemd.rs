//! What systemd is told, when it is there: `NOTIFY_SOCKET` is set for services of `Type=notify`.

use std::time::Duration;

use sd_notify::NotifyState;
use tracing::warn;

/// What is shorter would keep the loop from anything else.
const SHORTEST_PULSE: Duration = Duration::from_millis(100);

/// The daemon works.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The workdir is being read. [`ready`] has to follow, also when it is refused, or `systemctl reload` waits for ever.
pub(super) fn reloading() {
    // systemd wants the instant in the same datagram.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "the monotonic clock cannot be read"),
    }
}

/// SIGTERM was heard.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// How often the loop has to say that it turns: twice within the time that the unit allows, at least every `at_most`.
pub(super) fn pulse(at_most: Duration) -> Duration {
    within(sd_notify::watchdog_enabled(), at_most)
}

fn within(allowed: Option<Duration>, at_most: Duration) -> Duration {
    // The timer must not be set to nothing.
    allowed.map_or(at_most, |allowed| (allowed / 2).clamp(SHORTEST_PULSE, at_most))
}

/// The loop has turned.
pub(super) fn watchdog() {
    tell(&[NotifyState::Watchdog]);
}

/// The start, or the end, takes longer than the unit allows: at least that long from now on.
pub(super) fn extend_start(by: Duration) {
    tell(&[NotifyState::ExtendTimeoutUsec(u32::try_from(by.as_micros()).unwrap_or(u32::MAX))]);
}

/// The line of `systemctl status`.
pub(super) fn status(text: &str) {
    tell(&[NotifyState::Status(text)]);
}

/// Whether the process is a service of systemd.
pub(super) fn is_here() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

fn tell(states: &[NotifyState<'_>]) {
    if is_here()
        && let Err(error) = sd_notify::notify(states)
    {
        warn!(%error, "systemd could not be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_says_how_often_the_loop_has_to_turn() {
        let usual = Duration::from_secs(15);
        for (allowed, pulse) in [(None, 15_000), (Some(60_000), 15_000), (Some(10_000), 5_000), (Some(0), 100)] {
            assert_eq!(within(allowed.map(Duration::from_millis), usual), Duration::from_millis(pulse), "{allowed:?}");
        }
    }
}
