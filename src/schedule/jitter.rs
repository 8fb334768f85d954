//! When a slot is really fired: stagger between the accounts, and a delay that looks random and is always the same.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Quiet, Timing};
use crate::names::{AccountName, Slot, TaskName};

/// The secret of one installation that all its jitter is drawn from: drawn once, kept with the state and its backup, so that a
/// slot is fired at the same instant after a restart or a restore.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(***)")
    }
}

/// An account in its place among those of a task.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The task.
    pub task: &'a TaskName,
    /// The account.
    pub account: &'a AccountName,
    /// From 0; decides the stagger.
    pub index: usize,
    /// The account's quiet hours.
    pub quiet: Option<Quiet>,
}

/// The instant at which the account starts with `slot`.
///
/// The slot, plus the stagger once for every account before this one, plus a jitter of whole milliseconds below
/// [`Timing::jitter`]; with a [`Timing::window_end`], one instant drawn in the window instead. The jitter never makes the
/// instant reach the task's next slot: its bound shrinks to the time that is left before it, down to none. What would start
/// in the account's quiet hours starts as much later than their end as it would have started later than its slot.
pub fn fire_at(seed: &Seed, place: Place<'_>, slot: Slot, timing: &Timing) -> DateTime<Utc> {
    let next = if timing.is_spread() { timing.next_after(slot.instant()) } else { None };
    fire_before(Some(seed), place, slot, next, timing)
}

/// [`fire_at`] for a caller that knows the `next` slot already; without a seed there is no jitter.
pub(super) fn fire_before(
    seed: Option<&Seed>,
    place: Place<'_>,
    slot: Slot,
    next: Option<Slot>,
    timing: &Timing,
) -> DateTime<Utc> {
    let wanted = spread(seed, place, slot, next, timing);
    let Some(end) = place.quiet.and_then(|quiet| quiet.end(timing.zone, wanted)) else { return wanted };
    let moved = end + (wanted - slot.instant());
    // A delay as long as the day would reach the next night.
    if place.quiet.is_some_and(|quiet| quiet.end(timing.zone, moved).is_some()) { end } else { moved }
}

fn spread(seed: Option<&Seed>, place: Place<'_>, slot: Slot, next: Option<Slot>, timing: &Timing) -> DateTime<Utc> {
    let (staggered, range) = if let Some(window) = timing.window_after(slot) {
        (slot.instant(), window)
    } else {
        let index = u32::try_from(place.index).unwrap_or(u32::MAX);
        let before = milliseconds(timing.stagger).saturating_mul(u64::from(index));
        (later(slot.instant(), before), timing.jitter)
    };
    let room =
        next.map_or(u64::MAX, |next| u64::try_from((next.instant() - staggered).num_milliseconds()).unwrap_or(0));
    let bound = milliseconds(range).min(room);
    let Some(seed) = seed.filter(|_| bound > 0) else {
        return staggered;
    };
    // The high half of the product: uniform in 0..bound without a visible bias.
    let scaled = (u128::from(draw(seed, place.task, place.account, slot)) * u128::from(bound)) >> 64;
    later(staggered, u64::try_from(scaled).unwrap_or(u64::MAX))
}

/// A keyed hash of what identifies the run. Names are preceded by their length, so that no two runs share an input.
fn draw(seed: &Seed, task: &TaskName, account: &AccountName, slot: Slot) -> u64 {
    // HMAC itself fills a short key up with zeros.
    let mut key = [0; 64];
    key[..seed.0.len()].copy_from_slice(&seed.0);
    let mut mac = Hmac::<Sha256>::new(&key.into());
    mac.update(b"tgsignd jitter 1");
    for name in [task.as_str(), account.as_str()] {
        mac.update(&(name.len() as u64).to_be_bytes());
        mac.update(name.as_bytes());
    }
    mac.update(&slot.unix_seconds().to_be_bytes());
    mac.finalize().into_bytes()[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn later(instant: DateTime<Utc>, milliseconds: u64) -> DateTime<Utc> {
    i64::try_from(milliseconds)
        .ok()
        .and_then(TimeDelta::try_milliseconds)
        .and_then(|delta| instant.checked_add_signed(delta))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::schedule::Zone;
    use crate::schedule::tests::{timing, zone};

    fn name<T: std::str::FromStr>(text: &str) -> T
    where
        T::Err: fmt::Debug,
    {
        text.parse().unwrap()
    }

    fn fired(seed: &Seed, task: &str, account: &str, index: usize, slot: Slot, timing: &Timing) -> DateTime<Utc> {
        let (task, account) = (name(task), name(account));
        fire_at(seed, Place { task: &task, account: &account, index, quiet: None }, slot, timing)
    }

    #[test]
    fn a_window_has_one_draw_for_each_day_and_account_on_the_clock_of_the_zone() {
        let timing = Timing {
            window_end: Some("04:00:00".parse().unwrap()),
            stagger: Duration::from_secs(30),
            ..timing(&["01:00"], zone("Europe/Berlin"))
        };
        let mut longest = TimeDelta::zero();
        // The window of the last of these nights is an hour shorter.
        for (day, hours) in [(26, 3), (27, 3), (28, 2)] {
            let slot = Slot::at(format!("2027-03-{day}T01:00:00+01:00").parse().unwrap());
            for account in 0..200 {
                let delay = fired(&Seed([3; 32]), "t", &format!("a{account}"), account, slot, &timing) - slot.instant();
                assert!(delay >= TimeDelta::zero() && delay < TimeDelta::hours(hours), "{day} {delay}");
                longest = longest.max(delay);
            }
        }
        assert!(longest > TimeDelta::minutes(170), "{longest}");
    }

    #[test]
    fn quiet_hours_put_a_start_off_with_its_spread() {
        let timing = Timing { stagger: Duration::from_mins(1), ..timing(&["03:00"], Zone::UTC) };
        let slot = timing.next_after(DateTime::UNIX_EPOCH).unwrap();
        let quiet = Quiet { from: "23:00:00".parse().unwrap(), until: "07:00:00".parse().unwrap(), zone: None };
        let (task, account) = (name("t"), name("a"));
        let place = Place { task: &task, account: &account, index: 2, quiet: Some(quiet) };
        assert_eq!(fire_at(&Seed([0; 32]), place, slot, &timing).to_rfc3339(), "1970-01-01T07:02:00+00:00");
    }

    #[test]
    fn the_drawn_instants_never_change() {
        // A change here moves every user's runs after an upgrade.
        let timing = Timing { jitter: Duration::from_mins(5), ..timing(&["0 6 * * *"], zone("Asia/Shanghai")) };
        let slot = Slot::from_unix_seconds(1_790_000_000).unwrap();
        let fire = |seed: u8, task, account| {
            (fired(&Seed([seed; 32]), task, account, 0, slot, &timing) - slot.instant()).num_milliseconds()
        };
        assert_eq!([fire(1, "a", "bc"), fire(1, "ab", "c"), fire(2, "a", "bc")], [152_164, 86_173, 236_669]);
    }

    #[test]
    fn the_accounts_follow_each_other_at_the_distance_of_the_stagger() {
        let timing = Timing { stagger: Duration::from_secs(30), ..timing(&["0 6 * * *"], Zone::UTC) };
        let slot = timing.next_after(DateTime::UNIX_EPOCH).unwrap();
        let after = |index| fired(&Seed([0; 32]), "t", "a", index, slot, &timing) - slot.instant();
        assert_eq!([0, 1, 2].map(|index| after(index).num_seconds()), [0, 30, 60]);
    }

    #[test]
    fn jitter_spreads_over_its_whole_range() {
        let timing = Timing { jitter: Duration::from_secs(100), ..timing(&["0 6 * * *"], Zone::UTC) };
        let slot = timing.next_after(DateTime::UNIX_EPOCH).unwrap();
        let mut tens = [0; 10];
        for account in 0..1_000 {
            let fire = fired(&Seed([0; 32]), "t", &format!("a{account}"), 0, slot, &timing);
            tens[usize::try_from((fire - slot.instant()).num_seconds() / 10).unwrap()] += 1;
        }
        assert!(tens.iter().all(|count| (60..=140).contains(count)), "{tens:?}");
    }

    proptest! {
        #[test]
        fn the_instant_lies_between_the_slot_and_the_next(
            seed: [u8; 32], jitter in 0_u64..200_000, stagger in 0_u64..20, index in 0_usize..3, minute in 0_i64..100_000,
        ) {
            let timing = Timing {
                jitter: Duration::from_millis(jitter),
                stagger: Duration::from_secs(stagger),
                ..timing(&["* * * * *"], zone("Europe/Berlin"))
            };
            let slot = Slot::from_unix_seconds(1_790_000_040 + minute * 60).unwrap();
            let fire = fired(&Seed(seed), "t", "a", index, slot, &timing);
            prop_assert!(fire >= slot.instant());
            prop_assert!(fire < timing.next_after(slot.instant()).unwrap().instant());
        }
    }
}
