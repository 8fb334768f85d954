//! What is in the data directory, sealed into files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::engine::{Engine, Files};
use super::error::{SyncError, blocking};
use super::inbox;
use super::scratch::Scratch;
use crate::backup::archive::{Contents, LeftOut};
use crate::backup::digest::Sha256Digest;
use crate::backup::held::Glance;
use crate::backup::keys::Recipients;
use crate::backup::log::NewPart;
use crate::kernel::record::LedgerVersion;

/// What goes into a generation, besides the sessions and the ledger, which are found in the data directory.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The files of the workdir by their relative paths, as they are in force.
    pub workdir: BTreeMap<String, Vec<u8>>,
    /// Claims from then on are part of the core: now minus the longest window of any task.
    pub since: DateTime<Utc>,
    /// Whether the whole ledger goes along.
    pub history: History,
    /// The version of the ledger that is open, asked for now; `None` where none is open. With it a look at a data directory in
    /// which nothing changed copies nothing.
    pub ledger: Option<LedgerVersion>,
}

/// Whether the whole ledger goes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// The generation before lends its own.
    Leave,
    /// When it was not looked at for a day, or there is none yet.
    WhenDue,
    /// Now, when it changed.
    Include,
}

/// Contents that were read and not sealed yet.
pub(super) struct Collected {
    pub(super) time: DateTime<Utc>,
    pub(super) core: (Contents, Sha256Digest),
    pub(super) history: Option<(Contents, Sha256Digest)>,
}

/// Archives that wait to be uploaded.
pub(super) struct Sealed {
    pub(super) core: (PathBuf, NewPart),
    pub(super) history: Option<(PathBuf, NewPart)>,
    pub(super) left_out: Vec<LeftOut>,
}

/// How old the history on the server may become.
const HISTORY_EVERY: chrono::TimeDelta = chrono::TimeDelta::hours(24);

impl Engine {
    /// Whether a commit with [`History::WhenDue`] would take the whole ledger along.
    pub fn history_is_due(&self, now: DateTime<Utc>) -> bool {
        let committed = self.position.committed.as_ref();
        let has_one = committed.is_some_and(|committed| committed.manifest.history.is_some());
        let recent = |at: DateTime<Utc>| now - at < HISTORY_EVERY && at <= now;
        !(has_one && self.notebook.history_at.is_some_and(recent))
    }

    pub(super) fn takes_history(&self, inputs: &Inputs) -> bool {
        match inputs.history {
            History::Leave => false,
            History::WhenDue => self.history_is_due(Utc::now()),
            History::Include => true,
        }
    }

    /// `None` where the ledger's version is not known.
    pub(super) async fn glance(&self, inputs: &Inputs) -> Result<Option<Glance>, SyncError> {
        let Some(ledger) = inputs.ledger else { return Ok(None) };
        let (files, datadir) = (Arc::clone(&self.files), self.places.datadir.clone());
        let (workdir, since) = (inputs.workdir.clone(), inputs.since);
        blocking(move || {
            let contents = Contents::without_ledger(&datadir.join("sessions"), &workdir, &*files)?;
            let others = with_inbox(contents, &datadir).digest(&*files)?;
            Ok(Some(Glance { ledger, others, since }))
        })
        .await
    }

    pub(super) async fn collect(
        &self,
        inputs: &Inputs,
        with_history: bool,
        scratch: &Scratch,
    ) -> Result<Collected, SyncError> {
        let files = Arc::clone(&self.files);
        let datadir = self.places.datadir.clone();
        let (sessions, ledger) = (datadir.join("sessions"), datadir.join("state").join("state.db"));
        let (recent, whole) = (scratch.path("recent.db"), scratch.path("whole.db"));
        let (workdir, since) = (inputs.workdir.clone(), inputs.since);
        blocking(move || {
            let time = Utc::now();
            files.copy_recent(&ledger, &recent, since).map_err(SyncError::Ledger)?;
            let core = with_inbox(Contents::core(&sessions, &workdir, &recent, &*files)?, &datadir);
            let digest = core.digest(&*files)?;
            let history = if with_history {
                files.copy_ledger(&ledger, &whole).map_err(SyncError::Ledger)?;
                let history = Contents::history(&whole);
                let digest = history.digest(&*files)?;
                Some((history, digest))
            } else {
                None
            };
            Ok(Collected { time, core: (core, digest), history })
        })
        .await
    }

    pub(super) async fn seal(&self, collected: Collected, scratch: &Scratch) -> Result<Sealed, SyncError> {
        let (files, recipients, level) = (Arc::clone(&self.files), self.keys.recipients.clone(), self.settings.level);
        let (core_file, history_file) = (scratch.path("core.age"), scratch.path("history.age"));
        blocking(move || {
            let left_out = collected.core.0.left_out().to_vec();
            let core = seal_one(&collected.core.0, &*files, &recipients, level, core_file)?;
            let history =
                collected.history.map(|(contents, _)| seal_one(&contents, &*files, &recipients, level, history_file));
            Ok(Sealed { core, history: history.transpose()?, left_out })
        })
        .await
    }
}

fn with_inbox(contents: Contents, datadir: &Path) -> Contents {
    match inbox::applied_bytes(datadir) {
        Some(applied) => contents.with_inbox(applied),
        None => contents,
    }
}

fn seal_one(
    contents: &Contents,
    files: &dyn Files,
    recipients: &Recipients,
    level: u32,
    into: PathBuf,
) -> Result<(PathBuf, NewPart), SyncError> {
    let part = contents.seal(files, recipients, level, &into)?;
    Ok((into, part))
}
