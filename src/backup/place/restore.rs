//! From sealed files to a data directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::RestoreError;
use super::stage::{self, Sealed, Staging};
use super::swap::{self, Item, Watch, recover};
use super::unpack::Limits;
use crate::backup::formats::Formats;
use crate::backup::keys::Identity;
use crate::backup::member::Member;
use crate::backup::position::write_durably;
use crate::names::AccountName;

/// What is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Only {
    /// Session files. Sessions of accounts that the backup does not know stay.
    pub sessions: bool,
    /// The ledger, and what was applied from the inbox.
    pub ledger: bool,
    /// The workdir.
    pub workdir: bool,
}

impl Only {
    /// Everything.
    pub const ALL: Self = Self { sessions: true, ledger: true, workdir: true };
}

/// What to restore and where to.
pub struct Order<'a> {
    /// The data directory; this process has to hold its lock, and nothing in it may be open.
    pub datadir: &'a Path,
    /// The workdir that this host is configured with.
    pub workdir: &'a Path,
    /// The core part.
    pub core: Sealed<'a>,
    /// The history part, if the generation has one.
    pub history: Option<Sealed<'a>>,
    /// What opens them.
    pub identity: &'a Identity,
    /// Checks them.
    pub formats: &'a dyn Formats,
    /// Which of it.
    pub only: Only,
    /// How much it may be.
    pub limits: Limits,
    /// The new `state/backup.json` ([`crate::backup::position::to_bytes`]), which goes to its place together with the rest; none to
    /// leave the position as it is.
    pub position: Option<Vec<u8>>,
}

/// What a restore brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Accounts whose sessions were put in place.
    pub sessions: Vec<AccountName>,
    /// Whether the ledger was.
    pub ledger: bool,
    /// Where the workdir's files are now: the workdir, or a folder below `restored/`.
    pub workdir: Option<PathBuf>,
}

/// Restores a generation: unpacks and verifies all of it, then puts it in place at once. Whatever fails, what was there stays; a
/// process that is killed in between leaves it to [`recover`] at the next start.
pub fn restore(order: &Order) -> Result<Report, RestoreError> {
    restore_watched(order, &mut |_| Ok(()))
}

pub(super) fn restore_watched(order: &Order, watch: Watch) -> Result<Report, RestoreError> {
    recover(order.datadir)?;
    let folder = stage::folder(order.datadir);
    let staging = Staging::fill(&folder, order.core, order.history, order.identity, order.formats, order.limits)?;
    let mut report = Report::default();
    let mut items = Vec::new();
    let workdir = workdir_place(order);
    for member in staging.members() {
        let from = Path::new("tree").join(member.to_string());
        let to = match member {
            Member::Session(account) if order.only.sessions => {
                report.sessions.push(account.clone());
                PathBuf::from(member.to_string())
            }
            Member::Ledger if order.only.ledger => {
                report.ledger = true;
                PathBuf::from(member.to_string())
            }
            Member::Inbox if order.only.ledger => PathBuf::from(member.to_string()),
            Member::Workdir(path) if order.only.workdir => {
                report.workdir = Some(order.datadir.join(&workdir));
                workdir.join(path)
            }
            _ => continue,
        };
        items.push(Item { from, to });
    }
    if let Some(position) = &order.position {
        let staged = folder.join("backup.json");
        write_durably(&staged, position).map_err(RestoreError::disk(&staged))?;
        items.push(Item { from: "backup.json".into(), to: Path::new("state").join("backup.json") });
    }
    // From here on the folder belongs to the swap: a plan in it has to outlive this call, whatever ends it.
    staging.keep();
    swap::perform(order.datadir, items, watch)?;
    Ok(report)
}

/// Where the files of the workdir go, relative to the data directory: the workdir itself when it lies there and has nothing in it
/// that is read, because local configuration wins; else a new folder below `restored/`.
fn workdir_place(order: &Order) -> PathBuf {
    let inside = order.workdir.strip_prefix(order.datadir).ok().filter(|inside| !inside.as_os_str().is_empty());
    match inside {
        Some(inside) if is_empty(order.workdir) => inside.to_owned(),
        _ => aside(order.datadir),
    }
}

fn is_empty(workdir: &Path) -> bool {
    match fs::read_dir(workdir) {
        Ok(entries) => {
            let hidden = |entry: &io::Result<fs::DirEntry>| {
                entry.as_ref().is_ok_and(|entry| entry.file_name().as_encoded_bytes().starts_with(b"."))
            };
            entries.filter(|entry| !hidden(entry)).count() == 0
        }
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn aside(datadir: &Path) -> PathBuf {
    let name = |number: u32| {
        Path::new("restored").join(if number == 1 { "workdir".to_owned() } else { format!("workdir-{number}") })
    };
    let free = |place: &PathBuf| fs::symlink_metadata(datadir.join(place)).is_err();
    (1..u32::MAX).map(name).find(free).unwrap_or_else(|| name(1))
}
