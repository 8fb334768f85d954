//! The transcript of one run, for people: `logs/runs/RUN_ID.jsonl`, one JSON object a line.
//!
//! It is no evidence and nothing is decided by it, so it is written without syncing; but what leads to a message is handed to
//! the operating system before the message is sent, so that a crash of the daemon leaves a transcript that ends there.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::names::RunId;
use crate::script::Outcome;

/// Bytes that wait in memory at most.
const BUFFER: usize = 64 * 1024;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptLine {
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    #[serde(flatten)]
    pub event: TranscriptEvent,
}

/// What happened; `kind` in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TranscriptEvent {
    /// A step of the script begins.
    Step {
        /// Position in the script, from 0.
        step: usize,
        /// Of the slot, from 1.
        attempt: u32,
        /// The step as a person would write it.
        text: String,
    },
    /// Telegram took our message.
    Sent {
        /// Its number in the chat.
        message_id: i32,
        /// As sent.
        text: String,
    },
    /// Telegram took our press of a button.
    Clicked {
        /// The message that carries the button.
        message_id: i32,
        /// The button's label.
        text: String,
    },
    /// A message of the other side.
    Message {
        /// Its number in the chat.
        message_id: i32,
        /// Text or caption.
        text: String,
        /// Labels, row by row.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        buttons: Vec<Vec<String>>,
    },
    /// A message of the other side was changed.
    Edit {
        /// Its number in the chat.
        message_id: i32,
        /// The new text or caption.
        text: String,
        /// The new labels, row by row.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        buttons: Vec<Vec<String>>,
    },
    /// The answer to a press of a button.
    Popup {
        /// What it says.
        text: String,
    },
    /// Anything else worth a line: a flood wait, a reconnect.
    Note {
        /// What happened.
        text: String,
    },
    /// The attempt ended.
    Outcome {
        /// How.
        outcome: Outcome,
        /// One line for people.
        text: String,
    },
}

impl TranscriptEvent {
    /// After these something leaves for Telegram, or the run is over.
    fn is_written_at_once(&self) -> bool {
        matches!(self, Self::Step { .. } | Self::Outcome { .. })
    }
}

/// A transcript that is being written. Dropping it writes what still waits.
#[derive(Debug)]
pub struct Transcript {
    file: File,
    waiting: Vec<u8>,
}

impl Transcript {
    /// Begins the transcript of a run, or goes on with it at a later attempt. `dir` (0700) is created when it is missing.
    pub fn create(dir: &Path, run_id: &RunId) -> std::io::Result<Self> {
        let path = path(dir, run_id);
        let open = || OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path);
        let mut file = match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
                open()?
            }
            opened => opened?,
        };
        let mut waiting = Vec::new();
        if ends_within_a_line(&mut file)? {
            waiting.push(b'\n');
        }
        Ok(Self { file, waiting })
    }

    /// Adds one line.
    pub fn append(&mut self, line: &TranscriptLine) -> std::io::Result<()> {
        serde_json::to_writer(&mut self.waiting, line)?;
        self.waiting.push(b'\n');
        if line.event.is_written_at_once() || self.waiting.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// Hands everything to the operating system. What could not be written is dropped: a full disk must not fill the memory.
    pub fn flush(&mut self) -> std::io::Result<()> {
        let written = self.file.write_all(&self.waiting);
        self.waiting.clear();
        written
    }
}

impl Drop for Transcript {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.flush();
    }
}

/// Whether a crash cut the last line.
fn ends_within_a_line(file: &mut File) -> std::io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Where the transcript of a run is.
pub fn path(dir: &Path, run_id: &RunId) -> PathBuf {
    dir.join(format!("{run_id}.jsonl"))
}

/// Reads a transcript back. A line that a crash cut is left out.
pub fn read(dir: &Path, run_id: &RunId) -> std::io::Result<Vec<TranscriptLine>> {
    let text = std::fs::read(path(dir, run_id))?;
    Ok(text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

/// The transcripts that were written less than `younger_than` before `now`, the newest first, with when that was.
pub fn recent(dir: &Path, younger_than: Duration, now: SystemTime) -> std::io::Result<Vec<(RunId, SystemTime)>> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Some(run_id) = run_of(&entry.path()) else { continue };
        let Ok(metadata) = entry.metadata() else { continue };
        // One that is empty was begun on a full disk, or before its claim was known.
        let Some(written) = metadata.modified().ok().filter(|_| metadata.len() > 0) else { continue };
        if now.duration_since(written).is_ok_and(|age| age < younger_than) {
            found.push((run_id, written));
        }
    }
    found.sort_by_key(|(_, written)| std::cmp::Reverse(*written));
    Ok(found)
}

/// Removes transcripts that were last written more than `older_than` before `now`, and answers how many. Other files, and
/// transcripts that cannot be removed, stay.
pub fn prune(dir: &Path, older_than: Duration, now: SystemTime) -> std::io::Result<usize> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut removed = 0;
    for entry in entries {
        let path = entry?.path();
        if run_of(&path).is_some() && is_older(&path, older_than, now) && std::fs::remove_file(&path).is_ok() {
            removed += 1;
        }
    }
    Ok(removed)
}

/// The run of a transcript; `None` for other files.
fn run_of(path: &Path) -> Option<RunId> {
    path.extension().filter(|extension| *extension == "jsonl")?;
    path.file_stem()?.to_str()?.parse().ok()
}

/// A file from the future is not old.
fn is_older(path: &Path, than: Duration, now: SystemTime) -> bool {
    let written = std::fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    written.is_ok_and(|written| now.duration_since(written).is_ok_and(|age| age > than))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn line(event: TranscriptEvent) -> TranscriptLine {
        TranscriptLine { at: DateTime::from_timestamp(1_790_000_000, 0).unwrap(), event }
    }

    fn step() -> TranscriptLine {
        line(TranscriptEvent::Step { step: 0, attempt: 1, text: "send /checkin".to_owned() })
    }

    fn message() -> TranscriptLine {
        let buttons = vec![vec!["签到".to_owned()]];
        line(TranscriptEvent::Message { message_id: 7, text: "早上好\n你好".to_owned(), buttons })
    }

    fn run(number: u8) -> RunId {
        format!("0123456789{number:02x}").parse().unwrap()
    }

    #[test]
    fn what_leads_to_a_message_is_there_before_the_run_ends() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("logs/runs");
        let mut transcript = Transcript::create(&dir, &run(1)).unwrap();
        transcript.append(&step()).unwrap();
        assert_eq!(read(&dir, &run(1)).unwrap(), [step()]);
        transcript.append(&message()).unwrap();
        assert_eq!(read(&dir, &run(1)).unwrap(), [step()], "a message waits");
        drop(transcript);
        assert_eq!(read(&dir, &run(1)).unwrap(), [step(), message()]);

        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&path(&dir, &run(1)))), (0o700, 0o600));
    }

    #[test]
    fn a_line_has_the_documented_shape() {
        let text = serde_json::to_string(&message()).unwrap();
        let expected = r#"{"at":"2026-09-21T14:13:20Z","kind":"message","message_id":7,"text":"早上好\n你好","buttons":[["签到"]]}"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn a_line_cut_by_a_crash_harms_no_other() {
        let folder = tempfile::tempdir().unwrap();
        Transcript::create(folder.path(), &run(1)).unwrap().append(&step()).unwrap();
        let file = path(folder.path(), &run(1));
        OpenOptions::new().append(true).open(&file).unwrap().write_all(br#"{"at":"2026-"#).unwrap();
        let end = line(TranscriptEvent::Outcome { outcome: Outcome::Succeeded, text: "ok".to_owned() });
        Transcript::create(folder.path(), &run(1)).unwrap().append(&end).unwrap();
        assert_eq!(read(folder.path(), &run(1)).unwrap(), [step(), end]);
    }

    #[test]
    fn only_old_transcripts_go() {
        let folder = tempfile::tempdir().unwrap();
        let hour = Duration::from_hours(1);
        for number in 0..3 {
            Transcript::create(folder.path(), &run(number)).unwrap();
        }
        std::fs::write(folder.path().join("notes.jsonl"), "mine").unwrap();
        let now = SystemTime::now();
        let old = File::options().append(true).open(path(folder.path(), &run(0))).unwrap();
        old.set_modified(now - hour * 3).unwrap();
        let future = File::options().append(true).open(path(folder.path(), &run(1))).unwrap();
        future.set_modified(now + hour * 30).unwrap();
        assert_eq!(prune(folder.path(), hour * 2, now).unwrap(), 1);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
        assert_eq!(prune(folder.path(), hour * 2, now + hour * 9).unwrap(), 1);
        assert_eq!(prune(&folder.path().join("none"), hour, now).unwrap(), 0);
    }
}
