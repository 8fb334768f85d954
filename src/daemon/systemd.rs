//! What systemd is told, when it is there: `NOTIFY_SOCKET` is set for services of `Type=notify`.

use sd_notify::NotifyState;
use tracing::warn;

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

/// The loop has turned.
pub(super) fn watchdog() {
    tell(&[NotifyState::Watchdog]);
}

/// The start, or the end, takes longer than the unit allows: at least that long from now on.
pub(super) fn extend_start(by: std::time::Duration) {
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
