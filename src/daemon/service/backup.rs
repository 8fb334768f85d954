//! What the backup's actor tells, and what it is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::Service;
use crate::backup::position::write_durably;
use crate::backup::sync::{Reason, pushed};
use crate::config::secret::Secret;
use crate::config::{FileContent, Sources};
use crate::daemon::backup::{BackupHandle, Delivered, Report};
use crate::daemon::reload;
use crate::daemon::workdir::{self, Reread};
use crate::kernel::Event;
use crate::names::AccountName;
use crate::telegram::session::SessionFile;

/// The actor, and what comes from it.
pub(super) struct Link {
    pub(super) handle: BackupHandle,
    pub(super) reports: mpsc::Receiver<Report>,
}

/// Whether the process goes on signing in.
pub(super) enum Heeded {
    GoesOn,
    Superseded,
}

/// The next report; never, where there is no backup.
pub(super) async fn next_report(link: &mut Option<Link>) -> Option<Report> {
    match link {
        Some(link) => link.reports.recv().await,
        None => std::future::pending().await,
    }
}

impl Service {
    pub(super) async fn heed(&mut self, report: Report) -> Heeded {
        self.dirty = true;
        match report {
            Report::Status(status) => self.kernel.status().backup = Some(*status),
            Report::Alarm { kind, reason } => {
                *self.kernel.status().totals.alarms.entry(kind.to_owned()).or_default() += 1;
                error!(alarm = kind, "{reason}");
            }
            Report::Delivered { content, answer } => {
                let verdict = match content {
                    Delivered::Workdir(files) => self.take_workdir(files).await,
                    Delivered::Session { account, file } => self.take_session(&account, &file),
                };
                let _ = answer.send(verdict);
            }
            Report::Superseded => return Heeded::Superseded,
        }
        Heeded::GoesOn
    }

    /// Tells the backup what there is to save.
    pub(super) fn worth_saving(&self, event: &Event) {
        if let (Some(link), Event::Ended { .. }) = (&self.backup, event) {
            link.handle.changed(Reason::Run);
        }
    }

    /// A last commit and the release, while there is time.
    pub(super) async fn finish_backup(&mut self, end: Instant) {
        let Some(Link { handle, mut reports }) = self.backup.take() else { return };
        let finished = handle.finish();
        tokio::pin!(finished);
        loop {
            tokio::select! {
                () = &mut finished => return,
                Some(report) = reports.recv() => {
                    let _ = self.heed(report).await;
                }
                () = tokio::time::sleep_until(end) => {
                    warn!("the backup was not finished in time; the next start says what is missing");
                    return;
                }
            }
        }
    }

    async fn take_workdir(&mut self, files: BTreeMap<String, Vec<u8>>) -> Result<String, String> {
        let contents = files.iter().map(|(name, bytes)| (name.clone(), FileContent::Bytes(bytes.clone()))).collect();
        let sources = Sources { files: contents, environment: self.environment.clone() };
        let accepted = reload::accept(Ok(sources)).map_err(|rejected| rejected.0.join("\n"))?;
        let ours = self.kernel.snapshot();
        let listener = ours.map_or_else(|| accepted.snapshot.http.listen.clone(), |ours| ours.http.listen.clone());
        let forbidden = pushed::forbidden(ours.map(Arc::as_ref), &accepted.snapshot, &listener);
        if !forbidden.is_empty() {
            return Err(pushed::refusal(&forbidden));
        }
        let (folder, count) = (self.workdir.clone(), files.len());
        let written = tokio::task::spawn_blocking(move || workdir::replace(&folder, &files)).await;
        let written = written.map_err(|error| error.to_string())?;
        written.map_err(|error| format!("{}: {error}", self.workdir.display()))?;
        info!(files = count, "the workdir was replaced by what was pushed");
        self.reload(Reread::Everything).await;
        Ok(format!("{count} files: {}", self.summary()))
    }

    fn take_session(&mut self, account: &AccountName, file: &Secret<Vec<u8>>) -> Result<String, String> {
        let path = SessionFile::path(&self.shared.sessions(), account.as_str());
        write_durably(&path, file.expose()).map_err(|error| format!("{}: {error}", path.display()))?;
        info!(%account, "the session was replaced by what was pushed");
        self.session_renewed(account);
        Ok(format!("the session of {account} is in use"))
    }

    /// The session file of an account is another one.
    pub(super) fn session_renewed(&self, account: &AccountName) {
        if let Some(handle) = self.accounts.get(account) {
            handle.reconnect();
        }
        if let Some(link) = &self.backup {
            link.handle.changed(Reason::Login);
        }
    }
}
