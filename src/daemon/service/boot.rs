//! What has to be there before the loop begins: the state, from the backup if need be, and the right to use it.

use std::path::Path;

use chrono::{DateTime, Utc};
use tracing::{info, warn};

use super::front::Front;
use super::start::{Options, StartError, first_configuration, new_status};
use crate::backup::log::TAKEOVER_WAIT;
use crate::backup::sync::{Engine, Places};
use crate::config::{Backup, Http, SETTINGS_FILE, Snapshot};
use crate::daemon::backup::{self, BootError, Brought, Orders};
use crate::daemon::datadir::{Datadir, LockedDatadir};
use crate::daemon::reload::{self, Accepted, Rejected};
use crate::daemon::workdir::Reread;
use crate::kernel::status::Restored;

/// Puts a container without a configuration in a state in which one can be pushed.
const NO_CONFIGURATION: &str =
    "# Made by tgsignd, which found no configuration. `tgsignd push workdir` replaces it.\nversion = 1\n";

/// Everything the loop begins with.
pub(super) struct Booted {
    pub(super) datadir: Datadir,
    pub(super) accepted: Accepted,
    /// Why the workdir's own configuration is not the one in force.
    pub(super) refused: Option<Rejected>,
    pub(super) front: Front,
    pub(super) backup: Option<Owned>,
    /// Of slots up to then nobody here knows whether they were done.
    pub(super) uncertain_until: Option<DateTime<Utc>>,
}

/// The backup of a process that may sign in.
pub(super) struct Owned {
    pub(super) engine: Engine,
    pub(super) settings: Backup,
    pub(super) restored: Option<Restored>,
}

/// How a boot ended.
pub(super) enum Boot {
    Ready(Box<Booted>),
    /// Another process took over meanwhile.
    Superseded(Front),
}

/// Restores, takes over, opens. Dropping the future is safe; an engine that is in `engine` then, or after a failure, may have
/// announced this process: [`backup::let_go`].
pub(super) async fn boot(options: &mut Options, engine: &mut Option<Engine>) -> Result<Boot, StartError> {
    let locked = LockedDatadir::take(&options.datadir)?;
    let empty = backup::is_empty(&options.datadir);
    let provisional = provisional(options, empty);
    let settings = provisional.as_ref().and_then(|snapshot| snapshot.backup.clone());
    let (Some(settings), Some(provisional)) = (settings, provisional) else {
        let datadir = locked.open().await?;
        let (accepted, refused) = configuration(options)?;
        let front = open_front(options, &accepted.snapshot.http).await?;
        let booted = Booted { datadir, accepted, refused, front, backup: None, uncertain_until: None };
        return Ok(Boot::Ready(Box::new(booted)));
    };
    let front = open_front(options, &provisional.http).await?;
    let places = Places { datadir: options.datadir.clone(), workdir: options.workdir.clone() };
    let opened = engine.insert(backup::open(&settings, places, None)?);
    let owned = front.while_alive(Box::pin(own(&front, opened, locked, empty, &options.backup))).await?;
    let Some((datadir, brought)) = owned else { return Ok(Boot::Superseded(front)) };
    let (restored, settle) = brought.map_or((None, None), |brought| (Some(brought.restored), brought.settle));
    if empty {
        read_again(options, restored.is_some());
    }
    let (accepted, refused) = configuration(options)?;
    if let Some(above) = settle {
        backup::settle(opened, above, &accepted.sources, accepted.snapshot.longest_window()).await;
    }
    let uncertain_until = uncertain(opened, restored);
    let backup = engine.take().map(|engine| Owned { engine, settings, restored });
    Ok(Boot::Ready(Box::new(Booted { datadir, accepted, refused, front, backup, uncertain_until })))
}

/// The right to sign in, with the newest state there is.
async fn own(
    front: &Front,
    engine: &mut Engine,
    mut locked: LockedDatadir,
    empty: bool,
    orders: &Orders,
) -> Result<Option<(Datadir, Option<Brought>)>, StartError> {
    let tell = |status| front.tell(status);
    // Without a key to sign with, the restore has to bring one first.
    let mut owns = empty && engine.keys().signing.is_some();
    if owns && !backup::take_over(engine, &tell).await? {
        return Ok(None);
    }
    let mut brought = None;
    let mut restores = empty;
    loop {
        if restores {
            brought = backup::restore_into_empty(engine, orders, &tell).await?;
        }
        let datadir = locked.open().await?;
        engine.become_instance(&datadir.instance).map_err(|error| BootError::Configuration(error.to_string()))?;
        if !owns && !backup::take_over(engine, &tell).await? {
            return Ok(None);
        }
        owns = true;
        if !backup::is_outdated(engine, &tell).await {
            return Ok(Some((datadir, brought)));
        }
        let path = datadir.path.clone();
        locked = datadir.close().await?;
        if restores {
            info!("the process before saved more before it let go: restoring that");
        } else {
            warn!(
                "another process went on from what is here: restoring what it saved; what was here is in restored/replaced"
            );
            backup::set_aside(&path).map_err(|error| BootError::Failure(format!("{}: {error}", path.display())))?;
        }
        restores = true;
    }
}

/// The configuration that says where the backup is and where to listen, before a restore brought one.
fn provisional(options: &Options, empty: bool) -> Option<Snapshot> {
    match &options.first {
        Ok(accepted) => Some(accepted.snapshot.clone()),
        Err(_) if empty => reload::of_environment(&options.environment),
        Err(_) => {
            let kept = crate::daemon::last_good::load(&options.datadir, options.environment.clone()).ok()??;
            Some(reload::accept(Ok(kept)).ok()?.snapshot)
        }
    }
}

async fn open_front(options: &Options, http: &Http) -> Result<Front, StartError> {
    let mut status = new_status();
    status.watcher = Some(options.watcher.status());
    Front::open(http, status).await
}

fn configuration(options: &mut Options) -> Result<(Accepted, Option<Rejected>), StartError> {
    let first = std::mem::replace(&mut options.first, Err(Rejected(Vec::new())));
    first_configuration(first, &options.datadir, options.strict, &options.environment)
}

/// The workdir may have come with the restore. Where there is none at all, one is made that does nothing.
fn read_again(options: &mut Options, restored: bool) {
    if options.first.is_err() && !options.workdir.join(SETTINGS_FILE).exists() && !has_files(&options.workdir) {
        let written = std::fs::create_dir_all(&options.workdir)
            .and_then(|()| std::fs::write(options.workdir.join(SETTINGS_FILE), NO_CONFIGURATION));
        match written {
            Ok(()) => {
                warn!(workdir = %options.workdir.display(), restored, "there was no configuration; `tgsignd push workdir` brings one");
            }
            Err(error) => {
                warn!(%error, workdir = %options.workdir.display(), "there is no configuration, and none can be made there");
            }
        }
    }
    let (workdir, environment) = (options.workdir.clone(), options.environment.clone());
    options.first = options.reader.read(&workdir, environment, &Reread::Everything);
}

fn has_files(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// What another process may have done since this ledger was written: everything until now, when that was seen at this start; at
/// an earlier one, until that one was ready at the latest.
fn uncertain(engine: &Engine, restored: Option<Restored>) -> Option<DateTime<Utc>> {
    if restored.is_some() || engine.others_came_between() {
        return Some(Utc::now());
    }
    let position = engine.position();
    let restored = position.restored.as_ref().map(|restored| restored.restored);
    restored.max(position.overtaken).map(|at| at + 2 * TAKEOVER_WAIT)
}
