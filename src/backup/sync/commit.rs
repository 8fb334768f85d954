//! A new generation, when there is anything new.

use std::fmt;

use chrono::{DateTime, Utc};

use super::collect::{Collected, Inputs, Sealed};
use super::converse::{Conversation, explain};
use super::engine::{Engine, nonce, writer};
use super::error::SyncError;
use crate::backup::archive::LeftOut;
use crate::backup::digest::Sha256Digest;
use crate::backup::held::Glance;
use crate::backup::log::{Above, Commit, Committed as Generation, Plan, Survey};
use crate::backup::remote::Level;

/// Why a commit was asked for, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// An account signed in or out.
    Login,
    /// A configuration was accepted.
    Configuration,
    /// A run ended.
    Run,
    /// It is time.
    Interval,
    /// The process stops.
    Stop,
    /// A person asked for it.
    Command,
    /// Another host takes over.
    Release,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Login => "login",
            Self::Configuration => "configuration",
            Self::Run => "run",
            Self::Interval => "interval",
            Self::Stop => "stop",
            Self::Command => "command",
            Self::Release => "release",
        })
    }
}

/// How a commit ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// There is a new generation, read back and the only newest one.
    Committed(Box<Committed>),
    /// The newest generation holds the same: nothing was sealed and nothing was sent.
    Unchanged,
}

/// A new generation.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// It.
    pub generation: Generation,
    /// Bytes of its new archives.
    pub bytes: u64,
    /// Session files that were too damaged to take along.
    pub left_out: Vec<LeftOut>,
    /// Old objects that went.
    pub deleted: usize,
    /// Why not everything that should go went.
    pub tidying: Option<String>,
}

impl Engine {
    /// Adds a generation, unless the newest one of ours has the same contents.
    ///
    /// # Errors
    /// [`SyncError::Refused`] when the log is not as we left it: nothing was changed, a person has to decide, and what else the
    /// process does goes on. After any error the next commit may be tried as usual.
    pub async fn commit(&mut self, inputs: &Inputs, reason: Reason) -> Result<Outcome, SyncError> {
        let ended = self.commit_above(inputs, reason, None).await;
        self.note(Utc::now());
        ended
    }

    /// The same for a person, who wants to know how things are: the server is looked at even when nothing changed here.
    ///
    /// # Errors
    /// Those of [`Engine::commit`].
    pub async fn commit_seen(&mut self, inputs: &Inputs, reason: Reason) -> Result<Outcome, SyncError> {
        match self.survey().await? {
            Survey::Head(_) | Survey::Landed(_) => {}
            Survey::Empty if self.position.committed.is_none() => {}
            other => return Err(SyncError::refusal(other)),
        }
        self.commit(inputs, reason).await
    }

    pub(super) async fn commit_above(
        &mut self,
        inputs: &Inputs,
        reason: Reason,
        above: Option<Above>,
    ) -> Result<Outcome, SyncError> {
        self.must_own()?;
        let instance = self.instance.clone().ok_or(SyncError::NoSigner)?;
        let has_history = self.takes_history(inputs);
        let glance = self.glance(inputs).await?;
        if above.is_none() && self.is_known_to_hold(glance, has_history) {
            self.remember(glance, has_history, Utc::now());
            return Ok(Outcome::Unchanged);
        }
        let scratch = self.scratch()?;
        let collected = self.collect(inputs, has_history, &scratch).await?;
        let now = collected.time;
        if above.is_none() && self.holds(&collected) {
            self.remember(glance, has_history, now);
            return Ok(Outcome::Unchanged);
        }
        self.know_the_server().await?;
        let sealed = self.seal(collected, &scratch).await?;
        let plan = Plan {
            instance,
            epoch: self.epoch,
            writer: writer(),
            time: now,
            core: sealed.core.1.clone(),
            history: sealed.history.as_ref().map(|(_, part)| part.clone()),
            nonces: [nonce()?, nonce()?, nonce()?],
            above,
        };
        let generation = self.converse(plan, &sealed).await?;
        drop(scratch);
        self.remember(glance, has_history, now);
        tracing::debug!(generation = generation.manifest.generation.number(), %reason, "the generation was read back");
        let (deleted, tidying) = match self.tidy(now).await {
            Ok(deleted) => (deleted, None),
            Err(error) => (0, Some(error.to_string())),
        };
        let bytes = sealed.core.1.size + sealed.history.as_ref().map_or(0, |(_, part)| part.size);
        Ok(Outcome::Committed(Box::new(Committed { generation, bytes, left_out: sealed.left_out, deleted, tidying })))
    }

    /// Whether nothing was written since the newest generation was seen to have the same contents.
    fn is_known_to_hold(&self, glance: Option<Glance>, with_history: bool) -> bool {
        let committed = self.position.committed.as_ref().filter(|_| self.position.intended.is_none());
        let (Some(glance), Some(committed)) = (glance, committed) else { return false };
        let recipients = self.keys.recipients.fingerprint();
        self.memory.held.covers(glance, with_history, &committed.manifest, recipients)
    }

    /// The newest generation has what the data directory has: remembered for the next look.
    fn remember(&mut self, glance: Option<Glance>, with_history: bool, now: DateTime<Utc>) {
        if let (Some(glance), Some(committed)) = (glance, &self.position.committed) {
            self.memory.held.saw(glance, with_history, &committed.manifest);
        }
        if with_history {
            self.notebook.history_at = Some(now);
        }
    }

    /// Whether the newest generation has the same contents for the same readers. Decided without the server, before anything is
    /// sealed.
    fn holds(&self, collected: &Collected) -> bool {
        let Some(committed) = self.position.committed.as_ref().filter(|_| self.position.intended.is_none()) else {
            return false;
        };
        let recipients = self.keys.recipients.fingerprint();
        let manifest = &committed.manifest;
        let same = |part: &crate::backup::manifest::PartObject, digest: &Sha256Digest| {
            part.content == *digest && part.recipients == recipients
        };
        let history = match (&collected.history, &manifest.history) {
            (None, _) => true,
            (Some((_, digest)), Some(part)) => same(part, digest),
            (Some(_), None) => false,
        };
        history && same(&manifest.core, &collected.core.1)
    }

    /// Before the first upload to a server it is tried out, so that nobody trusts one that cannot keep a backup.
    async fn know_the_server(&mut self) -> Result<(), SyncError> {
        let known = self.notebook.probed.as_ref().filter(|(place, _)| place == self.place()).map(|(_, found)| *found);
        let level = match known {
            Some(capabilities) => capabilities.level(),
            None => self.probe().await?.level(),
        };
        if level == Level::Unusable { Err(SyncError::UnusableServer(level.sentence().to_owned())) } else { Ok(()) }
    }

    async fn converse(&mut self, plan: Plan, sealed: &Sealed) -> Result<Generation, SyncError> {
        let (position, key, trusted) = (self.position.clone(), self.signer()?.clone(), self.keys.trusted.clone());
        let first = Commit::begin(position, plan, key, trusted);
        let conversation = Conversation { engine: self, sealed, trouble: None };
        let (ending, trouble) = conversation.hold(first).await;
        self.position = ending.position;
        ending.result.map_err(|stop| explain(stop, trouble))
    }

    /// When the last generation of ours was collected.
    pub fn last_committed(&self) -> Option<DateTime<Utc>> {
        self.position.committed.as_ref().map(|committed| committed.manifest.time)
    }
}
