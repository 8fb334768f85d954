//! Before anything touches Telegram: the state comes back into an empty data directory, and the process before lets go.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::condition;
use crate::backup::log::{Hold, Relation, Survey, TAKEOVER_WAIT};
use crate::backup::place::Only;
use crate::backup::sync::{Access, Engine, Places, Remedy, RestoreOrder, SyncError};
use crate::config::Backup;
use crate::daemon::backup_setup::{self, SetupError};
use crate::daemon::datadir;
use crate::kernel::record::Instance;
use crate::kernel::status::{BackupRole, BackupStatus, Restored};

/// Pauses while the server cannot be reached, doubled up to the last.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(1));

/// How long `TGSIGND_FIRST_BOOT` holds, so that one that was forgotten does not begin anew over a backup that was moved away.
const FIRST_BOOT_HOLDS: TimeDelta = TimeDelta::hours(48);

/// Why the daemon cannot begin. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The configuration or a key has to change.
    #[error("{0}")]
    Configuration(String),
    /// A person has to look.
    #[error("{0}")]
    Failure(String),
}

/// Whether an empty server is what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstBoot(pub bool);

impl FirstBoot {
    /// From the flag `--first-boot` and the variable `TGSIGND_FIRST_BOOT`, a date (UTC) that holds for two days.
    ///
    /// # Errors
    /// A variable that is no date.
    pub fn new(flag: bool, variable: Option<&str>, now: DateTime<Utc>) -> Result<Self, BootError> {
        let Some(text) = variable.filter(|text| !text.is_empty()) else { return Ok(Self(flag)) };
        let date = text.parse::<NaiveDate>().map_err(|_| {
            let message = format!("TGSIGND_FIRST_BOOT must be a date such as {}", now.format("%Y-%m-%d"));
            BootError::Configuration(message)
        })?;
        let age = now - date.and_time(NaiveTime::MIN).and_utc();
        // West of Greenwich today's date may be tomorrow's there.
        let holds = (-TimeDelta::hours(24)..=FIRST_BOOT_HOLDS).contains(&age);
        if !holds {
            warn!("TGSIGND_FIRST_BOOT={text} is not of these two days and has no effect");
        }
        Ok(Self(flag || holds))
    }
}

/// Whether the data directory holds no state that could be lost: neither sessions nor a ledger.
pub fn is_empty(datadir: &Path) -> bool {
    let has_sessions = std::fs::read_dir(datadir.join("sessions")).is_ok_and(|mut entries| entries.next().is_some());
    !has_sessions && !datadir::database(datadir).exists()
}

/// The engine of a data directory that this process owns.
///
/// # Errors
/// Settings or secrets that cannot be used.
pub fn open(settings: &Backup, places: Places, instance: Option<&Instance>) -> Result<Engine, BootError> {
    backup_setup::open(settings, places, Access::Owner, instance).map_err(|error| match error {
        SetupError::Sync(error) => refusal(&error),
        other => BootError::Configuration(other.to_string()),
    })
}

/// Brings the newest generation into the empty data directory; `None` when there is none and this is the first boot.
/// A server that cannot be reached is waited for, and `tell` hears of it.
///
/// # Errors
/// There is no backup and nobody said that this is the first boot; a wrong key; a generation that is not sound.
pub async fn restore_into_empty(
    engine: &mut Engine,
    first_boot: FirstBoot,
    tell: &dyn Fn(BackupStatus),
) -> Result<Option<Restored>, BootError> {
    let began = Instant::now();
    let order = RestoreOrder { generation: None, to: None, only: Only::ALL };
    let mut pause = PAUSES.0;
    loop {
        let failure = match engine.restore(&order).await {
            Ok(restoration) => {
                let manifest = &restoration.head.manifest;
                let restored = Restored {
                    generation: manifest.generation.number(),
                    made_at: manifest.time,
                    took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                };
                let age = Utc::now() - manifest.time;
                warn!(
                    generation = restored.generation,
                    made_at = %manifest.time,
                    "restored; what was done in the {} s since then is not in the backup, and is looked for in the chats",
                    age.num_seconds().max(0)
                );
                return Ok(Some(restored));
            }
            Err(SyncError::Empty(place)) if first_boot.0 => {
                info!(%place, "there is no backup yet, and this is the first boot: beginning with nothing");
                return Ok(None);
            }
            Err(SyncError::Empty(place)) => {
                return Err(BootError::Configuration(format!(
                    "the data directory is empty, and so is the backup at {place}. If this is the first boot, say so: run \
                     --first-boot, or TGSIGND_FIRST_BOOT={}; if not, check url and remote_path",
                    Utc::now().format("%Y-%m-%d")
                )));
            }
            Err(failure) => failure,
        };
        if failure.remedy() != Remedy::Wait {
            return Err(refusal(&failure));
        }
        wait(engine, &failure, &mut pause, BackupRole::Starting, tell).await;
    }
}

/// Becomes the owner of the sessions: waits for the process before to let go. `false`: a later one took over meanwhile.
///
/// # Errors
/// A server or key that needs a person.
pub async fn take_over(engine: &mut Engine, tell: &dyn Fn(BackupStatus)) -> Result<bool, BootError> {
    let mut pause = PAUSES.0;
    info!(
        place = engine.place(),
        at_most_seconds = TAKEOVER_WAIT.as_secs(),
        "taking over; a process that signs in is waited for"
    );
    loop {
        tell(condition::first(engine, BackupRole::TakingOver, None));
        let failure = match engine.take_over().await {
            Ok(Hold::Holder) => return Ok(true),
            Ok(Hold::Superseded(_)) => return Ok(false),
            Err(failure) => failure,
        };
        if failure.remedy() != Remedy::Wait {
            return Err(refusal(&failure));
        }
        wait(engine, &failure, &mut pause, BackupRole::TakingOver, tell).await;
    }
}

/// Spares the next start the wait for this one, which failed. What it announced may not even have been stored.
pub async fn let_go(engine: &mut Engine) {
    if let Err(error) = engine.release().await {
        debug!(%error, "no release was written");
    }
}

/// Whether the process before committed once more after what was restored here.
pub async fn is_outdated(engine: &mut Engine) -> bool {
    match engine.survey().await {
        Ok(Survey::Foreign(_, relation)) => {
            matches!(relation, Relation::LaterBoot(_) | Relation::SameInstance)
        }
        _ => false,
    }
}

async fn wait(
    engine: &Engine,
    failure: &SyncError,
    pause: &mut Duration,
    role: BackupRole,
    tell: &dyn Fn(BackupStatus),
) {
    error!(error = %failure, again_in = pause.as_secs(), "the backup's server is needed before anything is signed in");
    let status = BackupStatus { error: Some(failure.to_string()), ..condition::first(engine, role, None) };
    tell(status);
    tokio::time::sleep(*pause).await;
    *pause = (*pause * 2).min(PAUSES.1);
}

fn refusal(error: &SyncError) -> BootError {
    match error.remedy() {
        Remedy::Configure | Remedy::NothingThere => BootError::Configuration(error.to_string()),
        Remedy::Wait | Remedy::Decide | Remedy::Repair => BootError::Failure(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_first_boot_is_one_for_two_days() {
        let now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        let says = |flag, text| FirstBoot::new(flag, text, now).unwrap().0;
        for (date, holds) in [
            ("2026-11-19", false),
            ("2026-11-21", true),
            ("2026-11-22", true),
            ("2026-11-23", true),
            ("2026-11-24", false),
        ] {
            assert_eq!(says(false, Some(date)), holds, "{date}");
        }
        assert!(!says(false, None) && says(true, None) && !says(false, Some("")));
        assert!(FirstBoot::new(false, Some("yes"), now).is_err());
    }
}
