//! Whether the ledger has lost its end.
//!
//! A database whose write-ahead log was cut off, that was put back from an older copy or moved away opens like any other. What
//! it forgot would be done again. The transcripts are files of their own, so they tell: a run that has one and is not in the
//! ledger was forgotten, and so was the end of a journal that has fewer marks than its transcript has steps.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use tracing::{error, warn};

use super::datadir::{Datadir, database};
use crate::ledger::transcript::{self, TranscriptEvent, TranscriptLine};
use crate::ledger::{ClaimHistory, LedgerError};
use crate::script::JournalMark;

/// What is older cannot be run again.
const REACH: Duration = Duration::from_hours(7 * 24);

/// Transcripts that are compared at most, the newest first.
const MOST: usize = 200;

/// Up to when slots may have been done although the ledger does not say so. `kept_for` is how long the ledger keeps runs.
pub(super) async fn up_to(datadir: &Datadir, kept_for: Duration) -> Result<Option<DateTime<Utc>>, LedgerError> {
    let folder = datadir.path.join("logs").join("runs");
    let recent = transcript::recent(&folder, REACH.min(kept_for), SystemTime::now()).unwrap_or_else(|error| {
        warn!(%error, folder = %folder.display(), "the transcripts cannot be compared with the ledger");
        Vec::new()
    });
    let (mut runs, mut newest) = (0_usize, None);
    for (run_id, written) in recent.into_iter().take(MOST) {
        let known = datadir.ledger.run(run_id.clone()).await?;
        let lines = || transcript::read(&folder, &run_id);
        let forgot = match &known {
            None => true,
            // The step is written before its mark, which a crash may have prevented.
            Some(history) if is_open(history) => lines().is_ok_and(|lines| without_mark(&lines, history) > 1),
            Some(_) => false,
        };
        if forgot {
            runs += 1;
            newest = newest.max(Some(DateTime::<Utc>::from(written)));
        }
    }
    if let Some(newest) = newest {
        error!(
            file = %database(&datadir.path).display(), runs, up_to = %newest,
            "the ledger has lost its end: there are transcripts of runs that it does not know. Was the file or its -wal file \
             damaged, moved away, or replaced by an older copy? Nothing has to be done: whether slots up to then were signed in \
             is looked for in the chats. A whole copy, if there is one, can still be put in its place while tgsignd is stopped"
        );
    }
    Ok(newest)
}

fn is_open(history: &ClaimHistory) -> bool {
    history.resume_at.is_some() || history.attempts.is_empty()
}

/// Steps that began by the transcript and not by the journal.
fn without_mark(lines: &[TranscriptLine], history: &ClaimHistory) -> usize {
    let marked = history.journal.iter().filter_map(|entry| match &entry.mark {
        JournalMark::Begun { step, .. } => Some((entry.attempt, *step)),
        _ => None,
    });
    let begun = lines.iter().filter_map(|line| match line.event {
        TranscriptEvent::Step { step, attempt, .. } => Some((attempt, step)),
        _ => None,
    });
    let marked: BTreeSet<_> = marked.collect();
    begun.collect::<BTreeSet<_>>().difference(&marked).count()
}
