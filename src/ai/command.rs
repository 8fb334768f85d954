//! A program as a solver: the picture on its input, the answer on its output.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::late;
use crate::script::{Question, Wanted};

/// Longest answer that is read, in bytes.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// A program with its arguments. No shell is involved, and it gets no environment but the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solver {
    program: PathBuf,
    arguments: Vec<String>,
}

impl Solver {
    /// `program` is an absolute path.
    pub fn new(program: PathBuf, arguments: Vec<String>) -> Self {
        Self { program, arguments }
    }

    /// The program's path, for messages.
    pub fn program(&self) -> String {
        self.program.display().to_string()
    }

    /// What it prints. It is told the question in `TGSIGND_INSTRUCTIONS`, `TGSIGND_QUESTION` and, a line each,
    /// `TGSIGND_OPTIONS`; after `timeout` its whole process group is killed.
    pub async fn ask(&self, question: &Question, picture: Option<&[u8]>, timeout: Duration) -> Result<String, String> {
        let options = match &question.wanted {
            Wanted::OneOf(labels) => labels.iter().map(|label| label.replace(['\n', '\0'], " ")).collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .env("TGSIGND_INSTRUCTIONS", question.instructions().replace('\0', " "))
            .env("TGSIGND_QUESTION", question.text.replace('\0', " "))
            .env("TGSIGND_OPTIONS", options.join("\n"))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("it cannot be started: {error}"))?;
        // Whatever it started goes with it, also when this run is cut off.
        let _group = Group(child.id());
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let feed = async {
            if let (Some(mut input), Some(picture)) = (input, picture) {
                // A program that needs no picture may close its input.
                let _ = input.write_all(picture).await;
            }
        };
        let talk = async {
            let ((), answer) = tokio::join!(feed, read(output));
            let ended = child.wait().await.map_err(|error| error.to_string())?;
            if ended.success() { answer } else { Err(format!("it ended with {ended}")) }
        };
        tokio::time::timeout(timeout, talk).await.unwrap_or_else(|_| Err(late(timeout)))
    }
}

async fn read(output: Option<impl AsyncRead + Unpin>) -> Result<String, String> {
    let mut answer = Vec::new();
    if let Some(output) = output {
        output.take(LONGEST_ANSWER + 1).read_to_end(&mut answer).await.map_err(|error| error.to_string())?;
    }
    if answer.len() as u64 > LONGEST_ANSWER {
        return Err(format!("its answer is longer than {} KiB", LONGEST_ANSWER / 1024));
    }
    String::from_utf8(answer).map_err(|_| "its answer is not UTF-8 text".to_owned())
}

/// The process group of a child, killed when this is dropped.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0.and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
            // It may have ended by itself.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}
