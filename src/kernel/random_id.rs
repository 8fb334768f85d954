//! The `random_id` of a message: the second net under "at most one sign-in per slot".

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::names::RunKey;

/// The number Telegram remembers a message by and refuses to take twice (`RANDOM_ID_DUPLICATE`).
///
/// The same run, attempt and step give the same number after a crash or a restore; HMAC-SHA256 under the instance's secret
/// keeps strangers from guessing it. Names are length-prefixed, so that no two inputs collide.
pub fn random_id(secret: &[u8; 32], key: &RunKey, attempt: u32, step: usize) -> i64 {
    // HMAC itself fills a short key up with zeros.
    let mut block = [0; 64];
    block[..secret.len()].copy_from_slice(secret);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    for name in [key.task.as_str(), key.account.as_str()] {
        mac.update(&(name.len() as u64).to_be_bytes());
        mac.update(name.as_bytes());
    }
    mac.update(&key.slot.unix_seconds().to_be_bytes());
    mac.update(&attempt.to_be_bytes());
    mac.update(&(step as u64).to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::BTreeSet;

    use super::*;
    use crate::names::Slot;

    #[test]
    fn every_part_of_the_identity_counts() {
        let key = |task: &str, account: &str, slot| RunKey {
            task: task.parse().unwrap(),
            account: account.parse().unwrap(),
            slot: Slot::from_unix_seconds(slot).unwrap(),
        };
        let numbers: BTreeSet<i64> = [
            random_id(&[0; 32], &key("ab", "c", 1), 1, 0),
            random_id(&[0; 32], &key("a", "bc", 1), 1, 0),
            random_id(&[0; 32], &key("ab", "c", 2), 1, 0),
            random_id(&[0; 32], &key("ab", "c", 1), 2, 0),
            random_id(&[0; 32], &key("ab", "c", 1), 1, 1),
            random_id(&[1; 32], &key("ab", "c", 1), 1, 0),
        ]
        .into();
        assert_eq!(numbers.len(), 6);
        assert_eq!(random_id(&[0; 32], &key("ab", "c", 1), 1, 0), random_id(&[0; 32], &key("ab", "c", 1), 1, 0));
    }
}
