//! What may be in the data centre's log and in the ledger when all is over.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use telegram_sim::{DataCentre, Entry, Event};
use tgsignd::kernel::record::{ClaimHistory, RunRecord};
use tgsignd::names::Slot;
use tgsignd::script::Outcome;

/// A task of `tasks.toml`.
pub(super) struct Expected {
    pub(super) task: &'static str,
    pub(super) account: &'static str,
    chat: &'static str,
    /// What one attempt sends.
    sends: &'static [&'static str],
    /// The data of buttons that one attempt presses, and the answers of polls that it chooses.
    presses: &'static [&'static str],
    /// Whether a further attempt begins at the first step again.
    again_from_start: bool,
    done: Outcome,
}

const fn expected(
    task: &'static str,
    account: &'static str,
    chat: &'static str,
    sends: &'static [&'static str],
    presses: &'static [&'static str],
) -> Expected {
    Expected { task, account, chat, sends, presses, again_from_start: false, done: Outcome::Succeeded }
}

pub(super) const EXPECTED: [Expected; 11] = [
    expected("send", "alice", "send", &["/sign"], &[]),
    expected("click", "bob", "click", &["/checkin"], &["checkin"]),
    expected("solve", "carol", "solve", &["/checkin", "7", "/checkin"], &["4"]),
    expected("step", "dave", "step", &["/start"], &["menu", "checkin"]),
    expected("membership", "erin", "membership", &["/qd"], &[]),
    Expected { again_from_start: true, ..expected("moody", "frank", "moody", &["/sign"], &["checkin"]) },
    expected("poll", "grace", "poll", &["/checkin"], &["签到"]),
    expected("keyboard", "heidi", "keyboard", &["/start", "每日签到"], &[]),
    Expected { done: Outcome::Delivered, ..expected("chatter", "ivan", "chatter", &["早上好"], &[]) },
    expected("dice", "judy", "dice", &["/start daily", "🎲"], &[]),
    expected("shy", "kate", "shy", &["/checkin"], &["checkin"]),
];

/// What the ledger holds in the end.
pub(super) struct Kept {
    pub(super) runs: Vec<RunRecord>,
    pub(super) open: Vec<ClaimHistory>,
}

/// What is wrong, and how the slots ended.
#[derive(Default)]
pub(super) struct Judgement {
    pub(super) wrong: Vec<String>,
    pub(super) outcomes: BTreeMap<(&'static str, Outcome), usize>,
    /// Messages that the data centre refused because it had them.
    pub(super) refused: usize,
}

/// `remembers`: the data centre refuses a `random_id` that came before.
pub(super) fn judge(centre: &DataCentre, remembers: bool, kept: &Kept, slot: DateTime<Utc>, log: &str) -> Judgement {
    let mut judgement = Judgement::default();
    let entries = centre.log();
    for expected in &EXPECTED {
        let mut wrong = Vec::new();
        let record = outcome(expected, kept, slot, log, &mut wrong);
        let done = Done::of(expected, &entries, remembers);
        judgement.refused += done.refused;
        wrong.extend(done.twice.iter().map(|text| format!("{text:?} was sent twice under one random_id")));
        if let Some(record) = record {
            *judgement.outcomes.entry((expected.task, record.outcome)).or_default() += 1;
            let most = if expected.again_from_start { record.attempt.max(1) as usize } else { 1 };
            for (what, made, planned) in
                [("sent", &done.sends, expected.sends), ("pressed", &done.presses, expected.presses)]
            {
                let planned = counted(planned.iter().map(|text| (*text).to_owned()));
                for (text, times) in made {
                    if *times > most * planned.get(text).copied().unwrap_or(0) {
                        wrong.push(format!("{text:?} was {what} {times} times in {} attempts", record.attempt));
                    }
                }
                let missing = planned.iter().any(|(text, times)| made.get(text).copied().unwrap_or(0) < *times);
                if record.outcome.is_done() && missing {
                    wrong.push(format!("it ended {} and what was {what} is not all: {made:?}", record.outcome));
                }
            }
        }
        judgement.wrong.extend(wrong.into_iter().map(|wrong| format!("{}: {wrong}", expected.task)));
    }
    if kept.runs.iter().any(|run| !EXPECTED.iter().any(|expected| run.key.task.as_str() == expected.task)) {
        judgement.wrong.push("a run of no task".to_owned());
    }
    judgement
}

/// The one end of the one slot.
fn outcome<'a>(
    expected: &Expected,
    kept: &'a Kept,
    slot: DateTime<Utc>,
    log: &str,
    wrong: &mut Vec<String>,
) -> Option<&'a RunRecord> {
    let runs: Vec<_> = kept.runs.iter().filter(|run| run.key.task.as_str() == expected.task).collect();
    if let Some(other) = runs.iter().find(|run| run.key.slot != Slot::at(slot)) {
        wrong.push(format!("a run of another slot: {}", other.key.slot));
    }
    let Some(last) = runs.iter().max_by_key(|run| run.attempt) else {
        wrong.push("its slot is lost: there is no outcome".to_owned());
        return None;
    };
    let is_open = kept.open.iter().any(|open| open.claim.run_id == last.run_id);
    let is_final = !is_open && last.resume_at.is_none();
    let is_looked_at_again = is_open && last.resume_at.is_some() && last.outcome == Outcome::Unknown;
    if !is_final && !is_looked_at_again {
        wrong.push(format!("it has no end: {last:?}"));
    }
    // A press leaves nothing behind by which it could be told whether it arrived.
    let is_possible = last.outcome == expected.done
        || (last.outcome == Outcome::Unknown && !expected.presses.is_empty() && is_looked_at_again);
    if !is_possible {
        wrong.push(format!("it ended {}: {}", last.outcome, last.reason));
    }
    let told = log.lines().any(|line| line.contains("\"alarm\"") && line.contains(last.run_id.as_str()));
    let told = told || log.contains(&format!("\"task\":\"{}\"", expected.task));
    if is_final && !last.outcome.is_done() && !told {
        wrong.push("its end was not told".to_owned());
    }
    Some(last)
}

/// What the data centre got.
struct Done {
    sends: BTreeMap<String, usize>,
    presses: BTreeMap<String, usize>,
    twice: Vec<String>,
    refused: usize,
}

impl Done {
    fn of(expected: &Expected, entries: &[Entry], remembers: bool) -> Self {
        let (mut sends, mut presses, mut twice, mut refused) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for entry in entries.iter().filter(|entry| entry.account.as_deref() == Some(expected.account)) {
            match &entry.event {
                Event::MessageSent { duplicate: true, .. } if remembers => refused += 1,
                Event::MessageSent { chat, text, duplicate, .. } if **chat == *expected.chat => {
                    sends.push(text.clone());
                    if *duplicate {
                        twice.push(text.clone());
                    }
                }
                Event::MessageSent { chat, text, .. } => twice.push(format!("{text} to {chat}")),
                Event::Click { data, .. } => presses.push(String::from_utf8_lossy(data).into_owned()),
                Event::Voted { answer, .. } => presses.push(answer.clone()),
                _ => {}
            }
        }
        Self { sends: counted(sends), presses: counted(presses), twice, refused }
    }
}

fn counted(texts: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    counts
}
