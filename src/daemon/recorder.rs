//! The traces of one attempt: marks in the ledger, lines in the transcript.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tracing::{debug, warn};

use super::account::Shared;
use super::insist::{Patience, insist};
use crate::kernel::record::JournalEntry;
use crate::ledger::transcript::{Transcript, TranscriptEvent, TranscriptLine};
use crate::names::RunId;
use crate::script::{Answer, ChatMessage, JournalMark, Script, Verdict};
use crate::telegram::error::CallError;
use crate::telegram::run::{Note, Recorder};

/// How long a conversation waits for a disk that is full or busy; its bot will not wait much longer.
const PATIENCE: Patience = Patience::UpTo(Duration::from_mins(1));

/// Keeps what one attempt does.
pub(super) struct RunRecorder {
    shared: Arc<Shared>,
    run_id: RunId,
    attempt: u32,
    steps: Vec<String>,
    /// `None` after the first write that failed: a transcript is for people, and no reason to miss a sign-in.
    transcript: Option<Transcript>,
    /// Codes of errors that Telegram answered with.
    pub(super) error_codes: Vec<i32>,
    /// The last error that concerns the account's other runs as well.
    pub(super) account_trouble: Option<CallError>,
}

impl RunRecorder {
    /// Begins, or goes on with, the transcript.
    pub(super) fn new(shared: Arc<Shared>, run_id: RunId, attempt: u32, script: &Script) -> Self {
        let folder = shared.transcripts();
        let transcript = Transcript::create(&folder, &run_id)
            .inspect_err(|error| warn!(%error, folder = %folder.display(), "this run has no transcript"))
            .ok();
        let steps = script.steps.iter().map(|step| format!("{} {}", step.place, step.verb)).collect();
        Self { shared, run_id, attempt, steps, transcript, error_codes: Vec::new(), account_trouble: None }
    }

    /// Keeps what another attempt did as the beginning of this one: at once, because a crash in between would leave an attempt
    /// that does the rest of it again.
    pub(super) async fn inherit(&mut self, entries: &[JournalEntry]) -> Result<(), String> {
        let own = |entry: &JournalEntry| JournalEntry { attempt: self.attempt, ..entry.clone() };
        let entries: Vec<_> = entries.iter().map(own).collect();
        let (stop, events, ledger) = (&self.shared.stop, &self.shared.events, &self.shared.ledger);
        let keep = || ledger.journal_all(self.run_id.clone(), entries.clone());
        insist(stop, events, PATIENCE, keep).await.map_err(|error| error.to_string())?;
        self.remark("goes on where the attempt before could not");
        Ok(())
    }

    async fn keep(&self, mark: &JournalMark, random_id: Option<i64>) -> Result<(), String> {
        let entry = JournalEntry { at: Utc::now(), attempt: self.attempt, mark: mark.clone(), random_id };
        let (stop, events, ledger) = (&self.shared.stop, &self.shared.events, &self.shared.ledger);
        let keep = || ledger.journal(self.run_id.clone(), entry.clone());
        insist(stop, events, PATIENCE, keep).await.map_err(|error| error.to_string())
    }

    /// The last line.
    pub(super) fn outcome(&mut self, verdict: &Verdict) {
        self.line(TranscriptEvent::Outcome { outcome: verdict.outcome, text: verdict.reason.clone() });
    }

    /// A line of our own.
    pub(super) fn remark(&mut self, text: impl Into<String>) {
        self.line(TranscriptEvent::Note { text: text.into() });
    }

    fn line(&mut self, event: TranscriptEvent) {
        let Some(transcript) = &mut self.transcript else { return };
        if let Err(error) = transcript.append(&TranscriptLine { at: Utc::now(), event }) {
            warn!(%error, "the transcript ends here");
            self.transcript = None;
        }
    }
}

fn labels(message: &ChatMessage) -> Vec<Vec<String>> {
    message.keyboard.iter().map(|row| row.iter().map(|button| button.text.clone()).collect()).collect()
}

impl Recorder for RunRecorder {
    async fn mark(&mut self, mark: &JournalMark, random_id: Option<i64>) -> Result<(), String> {
        if let JournalMark::Begun { step, .. } = mark {
            let text = self.steps.get(*step).cloned().unwrap_or_default();
            debug!(step, "step");
            self.line(TranscriptEvent::Step { step: *step, attempt: self.attempt, text });
        }
        self.keep(mark, random_id).await
    }

    fn note(&mut self, note: Note<'_>) {
        let event = match note {
            Note::Sent { message_id, text } => TranscriptEvent::Sent { message_id, text: text.to_owned() },
            Note::Message(message) => TranscriptEvent::Message {
                message_id: message.id,
                text: message.text.clone(),
                buttons: labels(message),
            },
            Note::Edited(message) => {
                TranscriptEvent::Edit { message_id: message.id, text: message.text.clone(), buttons: labels(message) }
            }
            Note::Clicked { message_id, label } => TranscriptEvent::Clicked { message_id, text: label.to_owned() },
            Note::Asked { answer } => TranscriptEvent::Note {
                text: match answer {
                    Ok(Answer::Label(index)) => format!("a model chose button {}", index + 1),
                    Ok(Answer::Typed(text)) => format!("a model answered {text}"),
                    Err(reason) => format!("no model answered: {reason}"),
                },
            },
            Note::Remark(text) => TranscriptEvent::Note { text: text.to_owned() },
            Note::Done(quiet) => TranscriptEvent::Note { text: format!("done: {quiet}") },
            Note::Popup(popup) => TranscriptEvent::Popup { text: popup.text.clone().unwrap_or_default() },
            Note::Trouble(error) => {
                warn!(%error, "trouble with Telegram");
                self.error_codes.extend(error.code());
                if matches!(error, CallError::FloodWait(_) | CallError::Unauthorised(_)) {
                    self.account_trouble = Some(error.clone());
                }
                TranscriptEvent::Note { text: error.to_string() }
            }
        };
        self.line(event);
    }
}
