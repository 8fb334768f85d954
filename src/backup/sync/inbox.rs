//! What came from another machine, and the answer to it.
//!
//! A letter is believed when it opens, its signature is trusted and it is newer than what was applied before: a server that keeps
//! an old letter and shows it again changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::engine::{Engine, writer};
use super::error::SyncError;
use crate::backup::applied::Applied;
use crate::backup::keys::Identity;
use crate::backup::manifest::{
    LARGEST_ANSWER, LARGEST_LETTER, Letter as Content, LetterAnswer, LetterContent, Nonce, ObjectName,
};
use crate::backup::member::Member;
use crate::backup::position::write_durably;
use crate::backup::remote::Problem;
use crate::config::secret::Secret;
use crate::names::AccountName;

/// age's header and the tags of its pieces.
const LARGEST_SEALED: u64 = LARGEST_LETTER as u64 + 1024 * 1024;
/// Older letters are not applied any more, and older answers are removed.
const OLDEST: TimeDelta = TimeDelta::days(7);
/// How far the clock of another machine may be ahead.
const AHEAD: TimeDelta = TimeDelta::hours(1);

/// Something that came.
#[derive(Debug)]
pub struct Letter {
    name: String,
    nonce: Nonce,
    /// When it was pushed, and what that replaces; only for what is authentic.
    subject: Option<(String, DateTime<Utc>)>,
    /// Who sent it, for people.
    pub writer: String,
    /// What it is.
    pub delivery: Delivery,
}

/// What came.
#[derive(Debug)]
pub enum Delivery {
    /// A workdir, to be validated as a whole, within the limits of [`super::pushed::forbidden`].
    Workdir(BTreeMap<String, Vec<u8>>),
    /// The session of an account; it is one.
    Session {
        /// The account.
        account: AccountName,
        /// The file.
        file: Secret<Vec<u8>>,
    },
    /// Nothing that may be used, and why. It needs an answer as well.
    Unusable(String),
}

/// What became of a letter, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is in force.
    Applied(String),
    /// It is not, and why.
    Refused(String),
}

impl Engine {
    /// What came and was not answered yet, the oldest last. Each needs an [`Engine::answer`].
    pub async fn inbox_poll(&mut self) -> Result<Vec<Letter>, SyncError> {
        let listing = self.list().await?;
        let mut letters = Vec::new();
        for name in listing.keys() {
            let Some(ObjectName::Inbox { nonce, .. }) = ObjectName::parse(&self.position.stem, name) else { continue };
            if listing.contains_key(&ObjectName::Answer { nonce }.to_text(&self.position.stem)) {
                continue;
            }
            let sealed = match self.remote.get(name, LARGEST_SEALED).await {
                Ok(object) => object.bytes,
                Err(error) if error.is_missing() => continue,
                // Of no letter; a longer one keeps nobody else's from being read.
                Err(error) if matches!(error.problem, Problem::TooLarge { .. }) => Vec::new(),
                Err(error) => return Err(error.into()),
            };
            letters.push(self.read_letter(name, nonce, &sealed, Utc::now()));
        }
        letters.sort_by_key(|letter| std::cmp::Reverse(letter.subject.as_ref().map(|(_, time)| *time)));
        Ok(letters)
    }

    /// Answers a letter and removes it.
    pub async fn answer(&mut self, letter: &Letter, verdict: Verdict) -> Result<(), SyncError> {
        self.must_own()?;
        let now = Utc::now();
        let (applied, message) = match verdict {
            Verdict::Applied(message) => (true, message),
            Verdict::Refused(message) => (false, message),
        };
        let message = message.chars().take(LARGEST_ANSWER / 16).collect();
        let answer = LetterAnswer {
            letter: letter.name.clone(),
            applied,
            message,
            writer: writer(),
            time: now.trunc_subsecs(0),
        };
        if let (true, Some((subject, time))) = (applied, &letter.subject) {
            self.applied.add(subject, *time);
            let file = applied_file(&self.places.datadir);
            write_durably(&file, &self.applied.to_bytes()).map_err(SyncError::disk(file))?;
        }
        let name = ObjectName::Answer { nonce: letter.nonce }.to_text(&self.position.stem);
        let bytes = answer.to_bytes(self.signer()?);
        self.note(now);
        self.store(&name, bytes).await?;
        self.remote.delete(&letter.name).await?;
        self.forget_old_answers(now).await
    }

    fn read_letter(&self, name: &str, nonce: Nonce, sealed: &[u8], now: DateTime<Utc>) -> Letter {
        let mut letter = Letter {
            name: name.to_owned(),
            nonce,
            subject: None,
            writer: "somebody unknown".to_owned(),
            delivery: Delivery::Unusable(String::new()),
        };
        letter.delivery = match self.open_letter(name, sealed) {
            Ok(content) => {
                letter.writer.clone_from(&content.writer);
                let subject = subject(&content.content);
                let judged = self.is_current(&subject, content.time, now).and_then(|()| self.usable(content.content));
                letter.subject = Some((subject, content.time));
                judged.unwrap_or_else(Delivery::Unusable)
            }
            Err(why) => Delivery::Unusable(why),
        };
        letter
    }

    fn open_letter(&self, name: &str, sealed: &[u8]) -> Result<Content, String> {
        let identity =
            self.keys.identity.as_ref().ok_or("the daemon has no identity, so it cannot open what is pushed")?;
        let bytes = open(identity, sealed)?;
        let signed = Content::parse(&bytes).map_err(|error| error.to_string())?;
        if !self.keys.trusted.contains(&signed.signer) {
            return Err(format!("it is signed by {}, which the daemon does not trust", signed.signer));
        }
        if signed.content.name != name {
            return Err("it was pushed under another name: somebody copied it".to_owned());
        }
        Ok(signed.content)
    }

    fn is_current(&self, subject: &str, time: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), String> {
        if self.applied.covers(subject, time) {
            return Err("a newer one was applied already".to_owned());
        }
        if now - time > OLDEST {
            return Err(format!("it is older than {} days; push it again", OLDEST.num_days()));
        }
        if time - now > AHEAD {
            return Err("it is from the future; set the clock of the machine that pushed it".to_owned());
        }
        Ok(())
    }

    fn usable(&self, content: LetterContent) -> Result<Delivery, String> {
        match content {
            LetterContent::Workdir { files } => {
                if let Some(path) = files.keys().find(|path| Member::workdir(path).is_none()) {
                    return Err(format!("{path:?} is no file of a workdir"));
                }
                Ok(Delivery::Workdir(files.into_iter().map(|(path, text)| (path, text.into_bytes())).collect()))
            }
            LetterContent::Session { account, file } => {
                let bytes = BASE64_STANDARD_NO_PAD.decode(file).map_err(|_| "the session is not base64")?;
                self.files.session_meaning(&bytes)?;
                Ok(Delivery::Session { account, file: Secret::new(bytes) })
            }
        }
    }

    /// Answers that nobody fetched within a week.
    async fn forget_old_answers(&mut self, now: DateTime<Utc>) -> Result<(), SyncError> {
        let listing = self.list().await?;
        for name in listing.keys() {
            let Some(ObjectName::Answer { .. }) = ObjectName::parse(&self.position.stem, name) else { continue };
            let Some(bytes) = self.fetch(name).await? else { continue };
            let ours = LetterAnswer::parse(&bytes).ok().filter(|signed| self.keys.trusted.contains(&signed.signer));
            if ours.is_some_and(|signed| now - signed.content.time > OLDEST) {
                self.remote.delete(name).await?;
            }
        }
        Ok(())
    }
}

fn applied_file(datadir: &Path) -> PathBuf {
    datadir.join(Member::Inbox.to_string())
}

/// What was applied in a data directory; nothing where that cannot be read.
pub(super) fn applied(datadir: &Path) -> Applied {
    applied_bytes(datadir).and_then(|bytes| Applied::parse(&bytes)).unwrap_or_default()
}

/// The same as it is written, for the archive.
pub(super) fn applied_bytes(datadir: &Path) -> Option<Vec<u8>> {
    fs::read(applied_file(datadir)).ok().filter(|bytes| Applied::parse(bytes).is_some())
}

/// What a letter replaces.
fn subject(content: &LetterContent) -> String {
    match content {
        LetterContent::Workdir { .. } => "workdir".to_owned(),
        LetterContent::Session { account, .. } => format!("session of {account}"),
    }
}

fn open(identity: &Identity, sealed: &[u8]) -> Result<Vec<u8>, String> {
    let decryptor = age::Decryptor::new_buffered(sealed).map_err(|error| error.to_string())?;
    let reader = decryptor.decrypt(std::iter::once(identity.for_age())).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    reader.take(LARGEST_LETTER as u64 + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}
