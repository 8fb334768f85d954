//! The engine as it is seen from outside.

use chrono::{DateTime, Utc};

use crate::backup::sync::Engine;
use crate::kernel::status::{BackupRole, BackupStatus, Check, Requests, Restored};

/// What the engine knows of itself; the rest of `status` stays.
pub(super) fn refresh(status: &mut BackupStatus, engine: &Engine) {
    let position = engine.position();
    let committed = position.committed.as_ref().map(|committed| &committed.manifest);
    status.generation = committed.map(|manifest| manifest.generation.number());
    status.last_size_bytes = committed.map(|manifest| manifest.parts().map(|(_, part)| part.size).sum());
    status.generations = engine.generations_listed().or(status.generations);
    let notebook = engine.notebook();
    status.drill = notebook.last_drill().map(|(at, passed)| Check { at, passed });
    status.server = notebook.probed.as_ref().map(|(_, proved)| proved.level().sentence().to_owned());
    status.month_bytes = notebook.month.sent + notebook.month.received;
    let traffic = engine.traffic();
    let totals = &mut status.totals;
    totals.uploaded_bytes = traffic.sent;
    let answers = engine.answers().into_iter();
    totals.requests = answers.map(|((method, status), count)| Requests { method, status, count }).collect();
    totals.etag_disagreements = notebook.disagreements;
}

/// Of an engine that has just been opened. `restored` is the restore that this process began with.
pub(super) fn first(engine: &Engine, role: BackupRole, restored: Option<Restored>) -> BackupStatus {
    let mut status = BackupStatus { role, restored, ..BackupStatus::default() };
    // Seeded from what is known, or every restart would look like a backup that never succeeded.
    status.last_success_at = engine.last_committed();
    refresh(&mut status, engine);
    status
}

/// What is on the server is what is here.
pub(super) fn saved(status: &mut BackupStatus, now: DateTime<Utc>, everything: bool) {
    status.last_success_at = Some(now);
    (status.error, status.conflict) = (None, None);
    if everything {
        status.unsaved_since = None;
    }
}
