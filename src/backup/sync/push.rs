//! What another machine sends to the daemon.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use chrono::{SubsecRound, Utc};
use tokio::time::{Instant, sleep};

use super::engine::{Engine, nonce, writer};
use super::error::SyncError;
use crate::backup::archive::LARGEST_SESSION;
use crate::backup::keys::Recipients;
use crate::backup::manifest::{
    InboxKind, LARGEST_ANSWER, LARGEST_LETTER, Letter, LetterAnswer, LetterContent, Nonce, ObjectName,
};
use crate::backup::member::Member;
use crate::names::AccountName;

/// Between two looks for an answer.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A letter on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushed {
    kind: InboxKind,
    nonce: Nonce,
}

/// The daemon's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Whether it was applied.
    pub applied: bool,
    /// What became of it.
    pub message: String,
    /// Which daemon.
    pub writer: String,
}

impl Engine {
    /// Sends a workdir. The daemon validates it as a whole.
    pub async fn push_workdir(&mut self, files: &BTreeMap<String, Vec<u8>>) -> Result<Pushed, SyncError> {
        let mut texts = BTreeMap::new();
        for (path, bytes) in files {
            if Member::workdir(path).is_none() {
                return Err(SyncError::Push(format!("{path}: the daemon reads no such file")));
            }
            let text =
                String::from_utf8(bytes.clone()).map_err(|_| SyncError::Push(format!("{path}: it is not UTF-8")))?;
            texts.insert(path.clone(), text);
        }
        self.push(InboxKind::Workdir, LetterContent::Workdir { files: texts }).await
    }

    /// Sends the session of an account. Whoever pushes has to stop using it.
    pub async fn push_session(&mut self, account: &AccountName, session: &[u8]) -> Result<Pushed, SyncError> {
        if session.len() as u64 > LARGEST_SESSION {
            return Err(SyncError::Push(format!("the session of {account} is larger than any session")));
        }
        self.files
            .session_meaning(session)
            .map_err(|why| SyncError::Push(format!("the session of {account}: {why}")))?;
        let file = BASE64_STANDARD_NO_PAD.encode(session);
        self.push(InboxKind::Session, LetterContent::Session { account: account.clone(), file }).await
    }

    async fn push(&mut self, kind: InboxKind, content: LetterContent) -> Result<Pushed, SyncError> {
        let pushed = Pushed { kind, nonce: nonce()? };
        let name = ObjectName::Inbox { kind, nonce: pushed.nonce }.to_text(&self.position.stem);
        let letter = Letter { name: name.clone(), writer: writer(), time: Utc::now().trunc_subsecs(0), content };
        let bytes = letter.to_bytes(self.signer()?);
        if bytes.len() > LARGEST_LETTER {
            return Err(SyncError::Push(format!("it has more than {LARGEST_LETTER} bytes")));
        }
        let sealed = seal(&self.keys.recipients, &bytes).map_err(|error| SyncError::Push(error.to_string()))?;
        self.remote.ensure_directory().await?;
        self.store(&name, sealed).await?;
        Ok(pushed)
    }

    /// The daemon's answer, if there is one already; it is removed when it was read.
    pub async fn reply(&mut self, pushed: Pushed) -> Result<Option<Reply>, SyncError> {
        let name = ObjectName::Answer { nonce: pushed.nonce }.to_text(&self.position.stem);
        let letter = ObjectName::Inbox { kind: pushed.kind, nonce: pushed.nonce }.to_text(&self.position.stem);
        let bytes = match self.remote.get(&name, LARGEST_ANSWER as u64).await {
            Ok(object) => object.bytes,
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let problem = |problem: String| SyncError::Damaged { name: name.clone(), problem };
        let signed = LetterAnswer::parse(&bytes).map_err(|error| problem(error.to_string()))?;
        if !self.keys.trusted.contains(&signed.signer) {
            return Err(SyncError::Untrusted { name, key: signed.signer });
        }
        if signed.content.letter != letter {
            return Err(problem("it answers something else".to_owned()));
        }
        let _ = self.remote.delete(&name).await;
        let LetterAnswer { applied, message, writer, .. } = signed.content;
        Ok(Some(Reply { applied, message, writer }))
    }

    /// Waits for the answer; `None` when there is none within `limit`.
    pub async fn await_reply(&mut self, pushed: Pushed, limit: Duration) -> Result<Option<Reply>, SyncError> {
        let began = Instant::now();
        loop {
            match self.reply(pushed).await {
                Ok(Some(reply)) => return Ok(Some(reply)),
                Err(SyncError::Remote(error)) if error.is_transient() => {
                    tracing::warn!(%error, "waiting for the answer");
                }
                Err(error) => return Err(error),
                Ok(None) => {}
            }
            let left = limit.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            sleep(left.min(LOOK_EVERY)).await;
        }
    }
}

fn seal(recipients: &Recipients, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let encryptor = age::Encryptor::with_recipients(recipients.for_age()).map_err(std::io::Error::other)?;
    let mut sealed = Vec::new();
    let mut writer = encryptor.wrap_output(&mut sealed)?;
    writer.write_all(bytes)?;
    writer.finish()?;
    Ok(sealed)
}
