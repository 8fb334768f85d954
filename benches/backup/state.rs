//! A data directory as it is after months: a large ledger, sessions, a workdir.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tgsignd::ledger::{Claim, ClaimResult, Durability, Engine, Ledger, RunRecord, SqliteLedger, Trigger};
use tgsignd::names::{RunId, RunKey, Slot};
use tgsignd::script::Outcome;

use super::support::Place;

const TASKS: u64 = 40;
const ACCOUNTS: u64 = 20;
/// Runs written in one transaction.
const GROUP: u64 = 500;
/// Bytes of noise in the evidence of a run, and as many of text.
const HALF: usize = 4096;

const WORDS: [&str; 16] = [
    "签到成功",
    "今日",
    "已领取",
    "积分",
    "连续",
    "第",
    "天",
    "恭喜",
    "获得",
    "流量",
    "your",
    "check-in",
    "points",
    "today",
    "streak",
    "of",
];

/// A generator of numbers that look drawn (SplitMix64), the same on every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// What no program can make smaller than three quarters.
    fn noise(&mut self, length: usize) -> String {
        let bytes: Vec<u8> = (0..=length.div_ceil(8) * 3 / 4).flat_map(|_| self.next().to_le_bytes()).collect();
        let mut text = BASE64_STANDARD_NO_PAD.encode(bytes);
        text.truncate(length);
        text
    }

    fn text(&mut self, length: usize) -> String {
        let mut text = String::with_capacity(length + 16);
        while text.len() < length {
            text.push_str(WORDS[usize::try_from(self.next() % WORDS.len() as u64).unwrap()]);
            text.push(' ');
        }
        text
    }
}

/// Fills `place` with `bytes` of state; the newest run ended at `now`.
pub(super) fn fill(place: &Place, bytes: u64, now: DateTime<Utc>) {
    // Nobody connects to it.
    let data_centre = SocketAddr::from(([127, 0, 0, 1], 1));
    for account in 0..ACCOUNTS {
        place.sign_in(&format!("account{account}"), 1000 + i64::try_from(account).unwrap(), data_centre);
    }
    let mut ledger = SqliteLedger::open(&place.datadir().join("state/state.db")).unwrap();
    let mut numbers = Numbers(1);
    // A run takes its evidence and a little more than a kilobyte.
    let runs = bytes / (2 * HALF as u64 + 1024);
    let mut written = 0;
    while written < runs {
        let group = written..runs.min(written + GROUP);
        ledger
            .group(Durability::Synced, &mut |ledger| {
                for number in group.clone() {
                    write(ledger, number, &mut numbers, now);
                }
            })
            .unwrap();
        written = group.end;
    }
}

fn write(ledger: &mut dyn Ledger, number: u64, numbers: &mut Numbers, now: DateTime<Utc>) {
    let pair = number % (TASKS * ACCOUNTS);
    let day = i64::try_from(number / (TASKS * ACCOUNTS)).unwrap();
    let at = now - TimeDelta::days(day);
    let key = RunKey {
        task: format!("task{}", pair % TASKS).parse().unwrap(),
        account: format!("account{}", pair / TASKS).parse().unwrap(),
        slot: Slot::at(at),
    };
    let claim = Claim {
        run_id: RunId::new(&key, at),
        key: key.clone(),
        trigger: Trigger::Scheduled,
        fire_at: at,
        claimed_at: at,
        script: json!({ "steps": [{ "send": "/checkin" }, { "click": "签到" }] }),
    };
    assert_eq!(ledger.claim(&claim), Ok(ClaimResult::New));
    let record = RunRecord {
        run_id: claim.run_id,
        key,
        trigger: claim.trigger,
        fire_at: at,
        claimed_at: at,
        started_at: Some(at),
        ended_at: at,
        attempt: 1,
        outcome: Outcome::Succeeded,
        reason: "签到成功".to_owned(),
        evidence: json!({ "text": numbers.text(HALF), "noise": numbers.noise(HALF) }),
        failed_step: None,
        resume_at: None,
    };
    ledger.finish(&record).unwrap();
}
