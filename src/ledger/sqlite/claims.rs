//! Claims with their journal and their attempts.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Params};
use serde_json::Value;

use super::column::{Reader, from_index, from_instant};
use super::fault::Fault;
use crate::ledger::{Claim, ClaimHistory, ClaimResult, JournalEntry, NotRun, RunRecord, Trigger};
use crate::names::{RunId, RunKey};
use crate::script::Outcome;

pub(super) fn claim(connection: &Connection, claim: &Claim) -> Result<ClaimResult, Fault> {
    let key = &claim.key;
    let inserted = connection
        .prepare_cached(
            "INSERT INTO claims (run_id, task, account, slot, trigger, fire_at, claimed_at, script)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (task, account, slot) DO NOTHING",
        )?
        .execute((
            claim.run_id.as_str(),
            key.task.as_str(),
            key.account.as_str(),
            key.slot.unix_seconds(),
            claim.trigger.as_str(),
            from_instant(claim.fire_at),
            from_instant(claim.claimed_at),
            claim.script.to_string(),
        ))?;
    if inserted == 1 { Ok(ClaimResult::New) } else { holder(connection, key) }
}

fn holder(connection: &Connection, key: &RunKey) -> Result<ClaimResult, Fault> {
    let mut statement =
        connection.prepare("SELECT run_id, outcome FROM claims WHERE task = ?1 AND account = ?2 AND slot = ?3")?;
    let mut rows = statement.query((key.task.as_str(), key.account.as_str(), key.slot.unix_seconds()))?;
    let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let reader = Reader { row, what: "claims" };
    Ok(ClaimResult::Taken { run_id: reader.run_id()?, outcome: reader.optional_outcome()? })
}

fn row_of(connection: &Connection, run_id: &RunId) -> Result<i64, Fault> {
    connection
        .prepare_cached("SELECT id FROM claims WHERE run_id = ?1")?
        .query_row([run_id.as_str()], |row| row.get(0))
        .optional()?
        .ok_or_else(|| Fault::UnknownRun(run_id.clone()))
}

pub(super) fn journal(connection: &Connection, run_id: &RunId, entry: &JournalEntry) -> Result<(), Fault> {
    let claim = row_of(connection, run_id)?;
    let mark =
        serde_json::to_string(&entry.mark).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    connection
        .prepare_cached("INSERT INTO journal (claim, at, attempt, mark, random_id) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute((claim, from_instant(entry.at), entry.attempt, mark, entry.random_id))?;
    Ok(())
}

pub(super) fn finish(connection: &Connection, record: &RunRecord) -> Result<(), Fault> {
    let claim = row_of(connection, &record.run_id)?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO attempts (claim, attempt, started_at, ended_at, outcome, reason, evidence, failed_step)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute((
            claim,
            record.attempt,
            record.started_at.map(from_instant),
            from_instant(record.ended_at),
            record.outcome.as_str(),
            &record.reason,
            record.evidence.to_string(),
            record.failed_step.map(from_index),
        ))?;
    // A closed claim stays closed: its script is gone.
    connection
        .prepare_cached(
            "UPDATE claims SET
                 outcome = ?2,
                 resume_at = CASE WHEN closed_at IS NULL THEN ?3 END,
                 closed_at = CASE WHEN closed_at IS NULL AND ?3 IS NOT NULL THEN NULL ELSE ?4 END,
                 script = CASE WHEN ?3 IS NULL THEN NULL ELSE script END
             WHERE id = ?1",
        )?
        .execute((claim, record.outcome.as_str(), record.resume_at.map(from_instant), from_instant(record.ended_at)))?;
    Ok(())
}

pub(super) fn record_without_run(
    connection: &Connection,
    key: &RunKey,
    what: NotRun,
    reason: &str,
    at: DateTime<Utc>,
) -> Result<ClaimResult, Fault> {
    let taken = Claim {
        run_id: RunId::new(key, at),
        key: key.clone(),
        trigger: Trigger::Scheduled,
        fire_at: key.slot.instant(),
        claimed_at: at,
        script: Value::Null,
    };
    let result = claim(connection, &taken)?;
    if result == ClaimResult::New {
        finish(connection, &without_run(taken, what.into(), reason))?;
    }
    Ok(result)
}

fn without_run(taken: Claim, outcome: Outcome, reason: &str) -> RunRecord {
    RunRecord {
        run_id: taken.run_id,
        key: taken.key,
        trigger: taken.trigger,
        fire_at: taken.fire_at,
        claimed_at: taken.claimed_at,
        started_at: None,
        ended_at: taken.claimed_at,
        attempt: 0,
        outcome,
        reason: reason.to_owned(),
        evidence: Value::Null,
        failed_step: None,
        resume_at: None,
    }
}

pub(super) fn open_claims(connection: &Connection) -> Result<Vec<ClaimHistory>, Fault> {
    histories(connection, "SELECT * FROM claims WHERE closed_at IS NULL ORDER BY claimed_at, id", [])
}

pub(super) fn run(connection: &Connection, run_id: &RunId) -> Result<Option<ClaimHistory>, Fault> {
    Ok(histories(connection, "SELECT * FROM claims WHERE run_id = ?1", [run_id.as_str()])?.pop())
}

fn histories(connection: &Connection, select: &str, parameters: impl Params) -> Result<Vec<ClaimHistory>, Fault> {
    let mut statement = connection.prepare(select)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let reader = Reader { row, what: "claims" };
        let id: i64 = reader.number("id")?;
        found.push(ClaimHistory {
            claim: Claim {
                run_id: reader.run_id()?,
                key: reader.key()?,
                trigger: reader.trigger()?,
                fire_at: reader.instant("fire_at")?,
                claimed_at: reader.instant("claimed_at")?,
                script: reader.optional_json("script")?,
            },
            resume_at: reader.optional_instant("resume_at")?,
            attempts: attempts_of(connection, id)?,
            journal: journal_of(connection, id)?,
        });
    }
    Ok(found)
}

fn attempts_of(connection: &Connection, claim: i64) -> Result<Vec<RunRecord>, Fault> {
    let mut statement = connection.prepare(
        "SELECT claims.run_id, task, account, slot, trigger, fire_at, claimed_at, resume_at, attempts.*
         FROM attempts JOIN claims ON claims.id = attempts.claim WHERE claim = ?1 ORDER BY attempt",
    )?;
    let mut rows = statement.query([claim])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(record(&Reader { row, what: "attempts" })?);
    }
    // Only the last one decides whether the claim is taken up again.
    if let Some((_, earlier)) = found.split_last_mut() {
        for record in earlier {
            record.resume_at = None;
        }
    }
    Ok(found)
}

/// A row of `attempts` joined with its claim.
pub(super) fn record(reader: &Reader) -> Result<RunRecord, Fault> {
    Ok(RunRecord {
        run_id: reader.run_id()?,
        key: reader.key()?,
        trigger: reader.trigger()?,
        fire_at: reader.instant("fire_at")?,
        claimed_at: reader.instant("claimed_at")?,
        started_at: reader.optional_instant("started_at")?,
        ended_at: reader.instant("ended_at")?,
        attempt: reader.number("attempt")?,
        outcome: reader.outcome()?,
        reason: reader.text("reason")?,
        evidence: reader.json("evidence")?,
        failed_step: reader.optional_index("failed_step")?,
        resume_at: reader.optional_instant("resume_at")?,
    })
}

fn journal_of(connection: &Connection, claim: i64) -> Result<Vec<JournalEntry>, Fault> {
    let mut statement = connection.prepare("SELECT * FROM journal WHERE claim = ?1 ORDER BY id")?;
    let mut rows = statement.query([claim])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let reader = Reader { row, what: "journal" };
        found.push(JournalEntry {
            at: reader.instant("at")?,
            attempt: reader.number("attempt")?,
            mark: reader.json("mark")?,
            random_id: reader.optional_number("random_id")?,
        });
    }
    Ok(found)
}
