//! Carries out what [`crate::backup::log::Commit`] asks for.

use std::path::Path;

use super::collect::Sealed;
use super::engine::{Engine, Transfer};
use super::error::SyncError;
use super::look::{listing, small};
use crate::backup::digest::Sha256Digest;
use crate::backup::log::{Answer, Ending, Request, Step, Stop};
use crate::backup::manifest::{LARGEST_MANIFEST, Part};
use crate::backup::remote::{Creation, Problem, RemoteError};

/// A conversation with the server.
pub(super) struct Conversation<'a> {
    pub(super) engine: &'a mut Engine,
    pub(super) sealed: &'a Sealed,
    /// The last error, which says more than its text: whether to wait, or to change the configuration.
    pub(super) trouble: Option<SyncError>,
}

impl Conversation<'_> {
    /// From the first question to the end.
    pub(super) async fn hold(mut self, mut step: Step) -> (Ending, Option<SyncError>) {
        loop {
            match step {
                Step::Ask(commit, request) => {
                    let answer = self.perform(request).await;
                    step = commit.answer(answer);
                }
                Step::End(ending) => return (ending, self.trouble),
            }
        }
    }

    async fn perform(&mut self, request: Request) -> Answer {
        match request {
            Request::List => match listing(self.engine.remote.list().await) {
                Ok(listing) => Answer::Listed(listing),
                Err(error) => self.failed(error),
            },
            Request::Fetch(name) => match small(self.engine.remote.get(&name, LARGEST_MANIFEST as u64).await) {
                Ok(bytes) => Answer::Fetched(bytes),
                Err(error) => self.failed(error),
            },
            Request::Upload { part, name } => match self.upload(part, &name).await {
                Ok(answer) => answer,
                Err(error) => self.failed(error),
            },
            Request::Check { name, size, sha256 } => match self.check(&name, size, sha256).await {
                Ok(answer) => answer,
                Err(error) => self.failed(error),
            },
            Request::Put { name, bytes } => match self.engine.remote.put(&name, bytes, Creation::OnlyNew).await {
                Ok(()) => Answer::Done,
                // An attempt before the one that failed may have been stored.
                Err(error) => Answer::Unclear(self.remember(error)),
            },
            Request::Delete(name) => match self.engine.remote.delete(&name).await {
                Ok(_) => Answer::Done,
                // What is left is written down as ours and goes later; it must not hide why the commit failed.
                Err(error) => Answer::Failed(error.to_string()),
            },
            Request::Save(position) => match self.engine.keep(*position) {
                Ok(()) => Answer::Done,
                Err(error) => {
                    let text = error.to_string();
                    self.trouble = Some(error);
                    Answer::Failed(text)
                }
            },
        }
    }

    async fn upload(&mut self, part: Part, name: &str) -> Result<Answer, RemoteError> {
        if !self.engine.memory.directory_made {
            self.engine.remote.ensure_directory().await?;
            self.engine.memory.directory_made = true;
        }
        let sealed = match part {
            Part::Core => Some(&self.sealed.core),
            Part::History => self.sealed.history.as_ref(),
        };
        let Some((file, part_sealed)) = sealed else { return Ok(Answer::Failed("there is no such part".to_owned())) };
        let transfer = Transfer { action: "uploading", part: part.as_str(), total: part_sealed.size };
        let progress = (self.engine.watcher)(transfer);
        let sent = self.engine.remote.upload(name, file, &progress).await?;
        let as_sealed = (sent.length, Sha256Digest::from_bytes(sent.sha256)) == (part_sealed.size, part_sealed.sha256);
        if as_sealed { Ok(Answer::Done) } else { Ok(Answer::Failed(changed_here(file))) }
    }

    /// Reads back what was stored.
    async fn check(&mut self, name: &str, size: u64, sha256: Sha256Digest) -> Result<Answer, RemoteError> {
        let transfer = Transfer { action: "reading back", part: "archive", total: size };
        let progress = (self.engine.watcher)(transfer);
        match self.engine.remote.digest(name, size, &progress).await {
            Ok(read) if (read.length, Sha256Digest::from_bytes(read.sha256)) == (size, sha256) => Ok(Answer::Done),
            Ok(_) => Ok(Answer::Differs),
            Err(error) if error.is_missing() || matches!(error.problem, Problem::TooLarge { .. }) => {
                Ok(Answer::Differs)
            }
            Err(error) => Err(error),
        }
    }

    fn failed(&mut self, error: RemoteError) -> Answer {
        Answer::Failed(self.remember(error))
    }

    fn remember(&mut self, error: RemoteError) -> String {
        let text = error.to_string();
        self.trouble = Some(SyncError::Remote(error));
        text
    }
}

/// What a conversation's end means to whoever asked for it.
pub(super) fn explain(stop: Stop, trouble: Option<SyncError>) -> SyncError {
    match stop {
        Stop::Refused(survey) | Stop::Forked(survey) => SyncError::refusal(*survey),
        Stop::NotStored(name) => SyncError::NotStored(name),
        Stop::UsedUp => SyncError::UsedUp,
        Stop::Unclear(why) => SyncError::Unclear(trouble.map_or(why, |error| error.to_string())),
        Stop::Failed(why) => trouble.unwrap_or(SyncError::Unclear(why)),
    }
}

fn changed_here(file: &Path) -> String {
    format!("{} changed while it was sent", file.display())
}
