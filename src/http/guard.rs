//! Who may read `/metrics` and `/healthz`.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use crate::config::Guard;

/// Wrong passwords in one minute, after which nobody gets in until the minute is over. It counts for all clients together:
/// behind a platform's proxy they share one address.
const FAILURES: u32 = 10;
const WINDOW: Duration = Duration::from_mins(1);

/// What a request is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    /// The path does not exist for anybody.
    Hidden,
    /// No password, or a wrong one.
    Unauthorized,
    /// Too many wrong ones.
    Wait(Duration),
}

/// The guard and the wrong passwords of the present minute.
pub(super) struct Doorkeeper {
    guard: Guard,
    failures: u32,
    window_start: Instant,
}

impl Doorkeeper {
    pub(super) fn new(guard: Guard, now: Instant) -> Self {
        Self { guard, failures: 0, window_start: now }
    }

    /// Judges the `Authorization` header of a request.
    pub(super) fn judge(&mut self, authorization: Option<&[u8]>, now: Instant) -> Verdict {
        let (username, password) = match &self.guard {
            Guard::Proxy => return Verdict::Allowed,
            Guard::Closed => return Verdict::Hidden,
            Guard::Basic { username, password } => (username, password),
        };
        if now.duration_since(self.window_start) >= WINDOW {
            self.failures = 0;
            self.window_start = now;
        }
        if self.failures >= FAILURES {
            return Verdict::Wait(WINDOW.saturating_sub(now.duration_since(self.window_start)));
        }
        let Some(authorization) = authorization else { return Verdict::Unauthorized };
        if is_right(authorization, username, password.expose()) {
            return Verdict::Allowed;
        }
        self.failures += 1;
        Verdict::Unauthorized
    }
}

/// RFC 7617. Digests are compared, so that the time tells neither a common prefix nor the length.
fn is_right(authorization: &[u8], username: &str, password: &str) -> bool {
    let given = basic_credentials(authorization).unwrap_or_default();
    let expected = Sha256::new().chain_update(username).chain_update(":").chain_update(password).finalize();
    Sha256::digest(&given).as_slice().ct_eq(expected.as_slice()).into()
}

fn basic_credentials(authorization: &[u8]) -> Option<Vec<u8>> {
    let (scheme, rest) = authorization.split_at_checked("Basic ".len())?;
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return None;
    }
    BASE64_STANDARD.decode(rest.trim_ascii()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::Secret;

    fn basic(credentials: &str) -> Vec<u8> {
        format!("Basic {}", BASE64_STANDARD.encode(credentials)).into_bytes()
    }

    fn doorkeeper(now: Instant) -> Doorkeeper {
        let password = Secret::new("pa:ss".to_owned());
        Doorkeeper::new(Guard::Basic { username: "alice".to_owned(), password }, now)
    }

    #[test]
    fn only_the_right_password_opens() {
        let now = Instant::now();
        let mut door = doorkeeper(now);
        assert_eq!(door.judge(Some(&basic("alice:pa:ss")), now), Verdict::Allowed);
        assert_eq!(door.judge(Some(b"bASIC YWxpY2U6cGE6c3M="), now), Verdict::Allowed);
        for wrong in ["alice:", "alice:pa", "alice:pa:sss", "bob:pa:ss", ":pa:ss", ""] {
            assert_eq!(doorkeeper(now).judge(Some(&basic(wrong)), now), Verdict::Unauthorized, "{wrong}");
        }
        for wrong in [&b"Bearer x"[..], b"Basic", b"Basic ****", b""] {
            assert_eq!(doorkeeper(now).judge(Some(wrong), now), Verdict::Unauthorized);
        }
        assert_eq!(door.judge(None, now), Verdict::Unauthorized);
    }

    #[test]
    fn guessing_is_slowed_down_for_a_minute() {
        let start = Instant::now();
        let mut door = doorkeeper(start);
        for _ in 0..FAILURES * 2 {
            assert_eq!(door.judge(None, start), Verdict::Unauthorized, "to ask what is wanted is no guess");
        }
        for _ in 0..FAILURES {
            assert_eq!(door.judge(Some(&basic("alice:guess")), start), Verdict::Unauthorized);
        }
        let later = start + Duration::from_secs(20);
        assert_eq!(door.judge(Some(&basic("alice:pa:ss")), later), Verdict::Wait(Duration::from_secs(40)));
        assert_eq!(door.judge(Some(&basic("alice:pa:ss")), start + WINDOW), Verdict::Allowed);
    }
}
