//! Before anything touches Telegram: the state comes back into an empty data directory, and the process before lets go.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use tokio::time::{Instant, timeout};
use tracing::{error, info, warn};

use super::condition;
use crate::backup::log::{Above, Hold, Keep, Relation, Survey, TAKEOVER_WAIT};
use crate::backup::place::Only;
use crate::backup::sync::{
    Access, Engine, History, Inputs, Places, Remedy, Resolved, Restoration, RestoreOrder, SyncError,
};
use crate::config::{Backup, Sources};
use crate::daemon::backup_setup::{self, SetupError};
use crate::daemon::datadir;
use crate::kernel::record::Instance;
use crate::kernel::status::{BackupRole, BackupStatus, Restored};

/// Pauses while the server cannot be reached, doubled up to the last.
const PAUSES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(1));

/// A process that is told to end while it waits may be killed after 10 s.
const LETTING_GO: Duration = Duration::from_secs(8);

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

/// What whoever starts the daemon knows about the backup.
#[derive(Debug, Clone)]
pub struct Orders {
    /// Whether an empty server is what was expected.
    pub first_boot: FirstBoot,
    /// Of a log that disagrees with itself, the manifest to restore: `TGSIGND_BACKUP_RESOLVE`, where there is no shell.
    pub resolve: Option<String>,
}

/// What a restore brought.
#[derive(Debug)]
pub struct Brought {
    /// Which generation.
    pub restored: Restored,
    /// Ends a fork once the restored ledger is open: [`settle`].
    pub settle: Option<Above>,
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
    orders: &Orders,
    tell: &dyn Fn(BackupStatus),
) -> Result<Option<Brought>, BootError> {
    let began = Instant::now();
    let order = RestoreOrder { generation: None, to: None, only: Only::ALL };
    let mut pause = PAUSES.0;
    loop {
        let failure = match engine.restore(&order).await {
            Ok(restoration) => {
                let restored = tell_what_came(&restoration, began);
                return Ok(Some(Brought { restored, settle: None }));
            }
            Err(SyncError::Empty(place)) if orders.first_boot.0 => {
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
            Err(SyncError::Refused(_)) if orders.resolve.is_some() => {
                let keep = Keep::Remote(orders.resolve.clone());
                match engine.resolve(&keep, &nothing()).await {
                    Ok(Resolved::Restored { restoration, settle }) => {
                        let restored = tell_what_came(&restoration, began);
                        return Ok(Some(Brought { restored, settle }));
                    }
                    Ok(_) => {
                        // The two sides agree since a moment ago.
                        tokio::time::sleep(PAUSES.0).await;
                        continue;
                    }
                    Err(failure) => failure,
                }
            }
            Err(failure) => failure,
        };
        if failure.remedy() != Remedy::Wait {
            return Err(refusal(&failure));
        }
        wait(engine, &failure, &mut pause, BackupRole::Starting, tell).await;
    }
}

fn tell_what_came(restoration: &Restoration, began: Instant) -> Restored {
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
    restored
}

/// Nothing of this host goes into a decision for the other side.
fn nothing() -> Inputs {
    backup_setup::inputs(&Sources::default(), Duration::ZERO, History::Leave, Utc::now())
}

/// Ends a fork after its restored side is open, so that the next boot finds one newest generation.
pub async fn settle(engine: &mut Engine, above: Above, sources: &Sources, window: Duration) {
    let inputs = backup_setup::inputs(sources, window, History::Include, Utc::now());
    match engine.settle(&inputs, above).await {
        Ok(_) => info!("the decision of TGSIGND_BACKUP_RESOLVE is the newest generation; the variable can go"),
        Err(error) => error!(%error, "the decision of TGSIGND_BACKUP_RESOLVE could not be stored"),
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
            Ok(Hold::Superseded(_)) => {
                tell(condition::first(engine, BackupRole::Superseded, None));
                return Ok(false);
            }
            Err(failure) => failure,
        };
        if failure.remedy() != Remedy::Wait {
            return Err(refusal(&failure));
        }
        wait(engine, &failure, &mut pause, BackupRole::TakingOver, tell).await;
    }
}

/// Spares the next start the wait for this one, which ends before it began.
pub async fn let_go(mut engine: Engine) {
    match timeout(LETTING_GO, engine.release()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(%error, "the next start waits longer: the release could not be written"),
        Err(_) => warn!("the next start waits longer: the release could not be written in time"),
    }
}

/// Whether another process of this instance went on from what is here, and what it saved can be restored here.
pub async fn is_outdated(engine: &mut Engine, tell: &dyn Fn(BackupStatus)) -> bool {
    let mut pause = PAUSES.0;
    loop {
        let failure = match engine.survey().await {
            Ok(Survey::Foreign(_, Relation::LaterBoot(_) | Relation::SameInstance)) => {
                return engine.keys().identity.is_some();
            }
            Ok(_) => return false,
            Err(failure) => failure,
        };
        if failure.remedy() != Remedy::Wait {
            return false;
        }
        wait(engine, &failure, &mut pause, BackupRole::TakingOver, tell).await;
    }
}

/// Keeps the ledger and the sessions, which a restore is about to replace, in `restored/replaced`. Nothing has them open.
///
/// # Errors
/// The disk.
pub fn set_aside(datadir: &Path) -> std::io::Result<()> {
    let aside = datadir.join("restored").join("replaced");
    if aside.exists() {
        std::fs::remove_dir_all(&aside)?;
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&aside)?;
    let ledger = datadir::database(datadir);
    let sessions = std::fs::read_dir(datadir.join("sessions"))?.map(|entry| Ok(entry?.path()));
    for file in sessions.chain([Ok(ledger)]).collect::<std::io::Result<Vec<_>>>()? {
        if let Some(name) = file.file_name().filter(|_| file.is_file()) {
            // A restore replaces files and writes into none.
            std::fs::hard_link(&file, aside.join(name))?;
        }
    }
    Ok(())
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
