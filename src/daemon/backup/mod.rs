//! The backup of the running daemon.
//!
//! | file | what it does |
//! |---|---|
//! | `boot` | before anything touches Telegram: restore into an empty data directory, take over from the process before |
//! | `timetable` | pure: what is due when |
//! | `handle` | the way to the actor, and what comes from it |
//! | `actor` | the task that owns the engine: commits, looks, drills, lets go |
//! | `inbox` | what was pushed, to the daemon's loop and back |
//! | `ownership` | whether this process may sign in still |
//! | `condition` | the engine as [`BackupStatus`](crate::kernel::status::BackupStatus) |

mod actor;
mod boot;
mod condition;
mod handle;
mod inbox;
mod ownership;
mod timetable;

pub use boot::{
    BootError, Brought, FirstBoot, Orders, is_empty, is_outdated, let_go, open, restore_into_empty, set_aside, settle,
    take_over,
};
pub use handle::{BackupHandle, Delivered, Report};
pub use ownership::{NOTICED_WITHIN, Ownership, Superseded};
