//! What the past says: positions, activity, finished runs, retention and sizes.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension};

use super::claims::record;
use super::column::{Reader, from_index, from_instant};
use super::fault::Fault;
use crate::config::secret::Secret;
use crate::kernel::status::LedgerSizes;
use crate::ledger::{ActivePair, Instance, LastEnded, Position, RunFilter, RunRecord, Tasks};
use crate::names::{AccountName, RunKey, Slot, TaskName};

pub(super) fn positions(connection: &Connection) -> Result<Vec<Position>, Fault> {
    // A bare column beside MAX() comes from the row that has the maximum; SQLite promises that.
    let mut statement = connection.prepare(
        "WITH pairs AS (
             SELECT task, account,
                 MAX(CASE WHEN trigger <> 'manual' THEN slot END) AS last_slot,
                 MAX(CASE WHEN outcome IN ('succeeded', 'already_done', 'delivered') THEN closed_at END) AS last_success
             FROM claims GROUP BY task, account
         ), latest AS (
             SELECT task, account, id, run_id, slot, MAX(closed_at) FROM claims
             WHERE closed_at IS NOT NULL GROUP BY task, account
         ), ended AS (
             SELECT claim, MAX(attempt), ended_at, outcome, reason, evidence
             FROM attempts WHERE claim IN (SELECT id FROM latest) GROUP BY claim
         )
         SELECT task, account, last_slot, last_success, deadline_alarms.slot AS told, latest.run_id, latest.slot, ended.*, (
             SELECT COUNT(*) FROM claims
             WHERE task = pairs.task AND account = pairs.account AND closed_at > COALESCE(last_success, ?1)
                 AND outcome IN ('failed', 'unknown', 'missed', 'interrupted')
         ) AS failures
         FROM pairs FULL JOIN deadline_alarms USING (task, account)
         LEFT JOIN latest USING (task, account) LEFT JOIN ended ON ended.claim = latest.id
         ORDER BY task, account",
    )?;
    let mut rows = statement.query([i64::MIN])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let reader = Reader { row, what: "claims" };
        found.push(Position {
            task: reader.parsed("task")?,
            account: reader.parsed("account")?,
            last_slot: reader.optional_slot("last_slot")?,
            last: last_ended(&reader)?,
            last_success_at: reader.optional_instant("last_success")?,
            consecutive_failures: reader.number("failures")?,
            deadline_alarm: reader.optional_slot("told")?,
        });
    }
    Ok(found)
}

fn last_ended(reader: &Reader) -> Result<Option<LastEnded>, Fault> {
    let Some(outcome) = reader.optional_outcome()? else { return Ok(None) };
    Ok(Some(LastEnded {
        run_id: reader.run_id()?,
        slot: reader.slot("slot")?,
        ended_at: reader.instant("ended_at")?,
        outcome,
        reason: reader.text("reason")?,
        evidence: reader.json("evidence")?,
    }))
}

pub(super) fn keep_deadline_alarm(connection: &Connection, key: &RunKey) -> Result<(), Fault> {
    connection.execute(
        "INSERT INTO deadline_alarms (task, account, slot) VALUES (?1, ?2, ?3)
         ON CONFLICT (task, account) DO UPDATE SET slot = MAX(slot, excluded.slot)",
        (key.task.as_str(), key.account.as_str(), key.slot.unix_seconds()),
    )?;
    Ok(())
}

pub(super) fn active_since(
    connection: &Connection,
    of: &Tasks,
    pairs: &[ActivePair],
    now: DateTime<Utc>,
) -> Result<Vec<DateTime<Utc>>, Fault> {
    let mut known = known_activity(connection, of)?;
    let mut since = Vec::with_capacity(pairs.len());
    let mut keep =
        connection.prepare("INSERT OR REPLACE INTO active (task, account, schedule, since) VALUES (?1, ?2, ?3, ?4)")?;
    for pair in pairs {
        let name = (pair.task.as_str().to_owned(), pair.account.as_str().to_owned());
        match known.remove(&name) {
            Some((schedule, instant)) if schedule == pair.schedule => since.push(instant),
            _ => {
                keep.execute((&name.0, &name.1, &pair.schedule, from_instant(now)))?;
                since.push(now);
            }
        }
    }
    let mut forget = connection.prepare("DELETE FROM active WHERE task = ?1 AND account = ?2")?;
    for (task, account) in known.keys() {
        forget.execute((task, account))?;
    }
    Ok(since)
}

pub(super) fn active(connection: &Connection) -> Result<Vec<(ActivePair, DateTime<Utc>)>, Fault> {
    let mut statement = connection.prepare("SELECT * FROM active ORDER BY task, account")?;
    let mut rows = statement.query([])?;
    let mut active = Vec::new();
    while let Some(row) = rows.next()? {
        let reader = Reader { row, what: "active" };
        let pair = ActivePair {
            task: reader.parsed("task")?,
            account: reader.parsed("account")?,
            schedule: reader.text("schedule")?,
        };
        active.push((pair, reader.instant("since")?));
    }
    Ok(active)
}

type Activity = BTreeMap<(String, String), (String, DateTime<Utc>)>;

fn known_activity(connection: &Connection, of: &Tasks) -> Result<Activity, Fault> {
    let mut known = Activity::new();
    let mut remember = |mut rows: rusqlite::Rows<'_>| -> Result<(), Fault> {
        while let Some(row) = rows.next()? {
            let reader = Reader { row, what: "active" };
            let pair = (reader.text("task")?, reader.text("account")?);
            known.insert(pair, (reader.text("schedule")?, reader.instant("since")?));
        }
        Ok(())
    };
    match of {
        Tasks::All => remember(connection.prepare("SELECT * FROM active")?.query([])?)?,
        Tasks::Named(tasks) => {
            let mut statement = connection.prepare("SELECT * FROM active WHERE task = ?1")?;
            for task in tasks {
                remember(statement.query([task.as_str()])?)?;
            }
        }
    }
    Ok(known)
}

pub(super) fn runs(connection: &Connection, filter: &RunFilter) -> Result<Vec<RunRecord>, Fault> {
    // An attempt that a later one followed was not the one to be taken up again.
    let mut statement = connection.prepare(
        "SELECT claims.run_id, task, account, slot, trigger, fire_at, claimed_at, attempts.*,
             CASE WHEN attempt = (SELECT MAX(attempt) FROM attempts AS every WHERE every.claim = claims.id)
                 THEN resume_at END AS resume_at
         FROM attempts JOIN claims ON claims.id = attempts.claim
         WHERE (?1 IS NULL OR task = ?1) AND (?2 IS NULL OR account = ?2) AND ended_at >= ?3
         ORDER BY ended_at DESC, claims.id DESC, attempt DESC LIMIT ?4",
    )?;
    let mut rows = statement.query((
        filter.task.as_ref().map(TaskName::as_str),
        filter.account.as_ref().map(AccountName::as_str),
        filter.since.map_or(i64::MIN, from_instant),
        from_index(filter.limit),
    ))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(record(&Reader { row, what: "attempts" })?);
    }
    Ok(found)
}

pub(super) fn prune(
    connection: &Connection,
    before: DateTime<Utc>,
    window_start: DateTime<Utc>,
    limit: usize,
) -> Result<usize, Fault> {
    let removed = connection
        .prepare(
            "DELETE FROM claims WHERE id IN (
                 SELECT id FROM claims AS old WHERE closed_at < ?1 AND slot < ?2
                     AND EXISTS (SELECT 1 FROM claims WHERE task = old.task AND account = old.account
                         AND (closed_at, id) > (old.closed_at, old.id))
                     AND (outcome NOT IN ('succeeded', 'already_done', 'delivered')
                         OR EXISTS (SELECT 1 FROM claims WHERE task = old.task AND account = old.account
                             AND outcome IN ('succeeded', 'already_done', 'delivered')
                             AND (closed_at, id) > (old.closed_at, old.id)))
                     AND (trigger = 'manual'
                         OR EXISTS (SELECT 1 FROM claims WHERE task = old.task AND account = old.account
                             AND trigger <> 'manual' AND slot > old.slot))
                 ORDER BY closed_at LIMIT ?3)",
        )?
        .execute((from_instant(before), Slot::at(window_start).unix_seconds(), from_index(limit)))?;
    Ok(removed)
}

pub(super) fn instance(connection: &Connection) -> Result<Instance, Fault> {
    let instance = connection
        .query_row("SELECT id, install_seed, random_id_secret FROM instance", [], |row| {
            Ok(Instance { id: row.get(0)?, install_seed: row.get(1)?, random_id_secret: Secret::new(row.get(2)?) })
        })
        .optional()?;
    instance.ok_or_else(|| Fault::Unreadable { what: "instance".to_owned(), cause: "it is empty".to_owned() })
}

pub(super) fn sizes(connection: &Connection, file: &Path) -> Result<LedgerSizes, Fault> {
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let count = |table: &str| -> rusqlite::Result<(String, u64)> {
        let rows: i64 = connection.query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |row| row.get(0))?;
        Ok((table.to_owned(), rows.unsigned_abs()))
    };
    let rows = ["claims", "attempts", "journal"].into_iter().map(count).collect::<Result<_, _>>()?;
    Ok(LedgerSizes { db_bytes: bytes(file), wal_bytes: bytes(Path::new(&log)), rows })
}
