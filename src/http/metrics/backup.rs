//! The backup's part of the page; nothing where there is no backup.

use super::family::{Family, counter, counters, gauge, gauges, known_gauge};
use super::label;
use crate::kernel::status::{BackupResult, BackupRole, BackupStatus, Status};

pub(super) fn families(status: &Status) -> Vec<Family> {
    let enabled = gauge("backup_enabled", "Whether there is a [backup].", status.backup.is_some());
    let mut families = vec![enabled];
    if let Some(backup) = &status.backup {
        families.extend(of_generations(backup));
        families.extend(of_server(backup));
    }
    families
}

fn of_generations(backup: &BackupStatus) -> Vec<Family> {
    let totals = &backup.totals;
    let attempts = BackupResult::ALL.map(|result| {
        let count = totals.attempts.get(&result).copied().unwrap_or(0);
        (label("result", result.as_str()), count.into())
    });
    let roles = BackupRole::ALL.map(|role| (label("role", role.as_str()), (role == backup.role).into()));
    #[expect(clippy::cast_precision_loss, reason = "exact for the next 285,000 years")]
    let restore = backup.restored.map(|restored| restored.took_ms as f64 / 1000.0);
    vec![
        gauges("backup_role_info", "Whether this process is the one that signs in: 1 for its role.", roles),
        counters("backup_attempts", "Attempts to bring the server up to date.", attempts),
        known_gauge(
            "backup_last_success_timestamp_seconds",
            "When what is here was last known to be on the server.",
            backup.last_success_at,
        ),
        known_gauge(
            "backup_unsaved_since_timestamp_seconds",
            "Since when something here is not on the server.",
            backup.unsaved_since,
        ),
        known_gauge("backup_last_size_bytes", "The newest generation, encrypted.", backup.last_size_bytes),
        known_gauge("backup_generation", "Number of the newest generation.", backup.generation),
        known_gauge("backup_generations", "Generations on the server.", backup.generations),
        gauge("backup_conflict", "1 while a person has to decide which side is kept.", backup.conflict.is_some()),
        known_gauge(
            "backup_last_drill_successful",
            "Whether the last restore drill worked.",
            backup.drill.map(|drill| drill.passed),
        ),
        known_gauge(
            "backup_last_drill_timestamp_seconds",
            "When the last restore drill was.",
            backup.drill.map(|drill| drill.at),
        ),
        known_gauge("backup_last_restore_duration_seconds", "The restore that this process began with.", restore),
    ]
}

fn of_server(backup: &BackupStatus) -> Vec<Family> {
    let totals = &backup.totals;
    let requests = totals.requests.iter().map(|requests| {
        let code = requests.status.map_or("none".to_owned(), |status| status.to_string());
        (vec![("method", requests.method.clone()), ("code", code)], requests.count.into())
    });
    vec![
        counter("backup_uploaded_bytes", "Bytes sent to the server.", totals.uploaded_bytes),
        gauge("backup_month_bytes", "Bytes sent and received in this month (UTC).", backup.month_bytes),
        counter(
            "backup_etag_disagreements",
            "Times that the server's entity tag said one thing and the digest of what it gave another.",
            totals.etag_disagreements,
        ),
        counters("webdav_requests", "Requests to the server, by the status of the answer.", requests),
    ]
}
