//! The backup of the running daemon.
//!
//! | file | what it does |
//! |---|---|
//! | `boot` | before anything touches Telegram: restore into an empty data directory, take over from the process before |
//! | `timetable` | pure: what is due when |
//! | `actor` | the task that owns the engine: commits, looks, reads the inbox, drills, lets go |
//! | `condition` | the engine as [`BackupStatus`](crate::kernel::status::BackupStatus) |

mod actor;
mod boot;
mod condition;
mod timetable;

pub use actor::{BackupHandle, Delivered, Report};
pub use boot::{BootError, FirstBoot, is_empty, is_outdated, let_go, open, restore_into_empty, take_over};
