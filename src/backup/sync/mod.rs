//! Shell: everything that combines the server with the log: committing, looking, restoring, verifying, taking over, the inbox.
//!
//! An [`Engine`] is one data directory and one directory on a server. The daemon's actor holds one as [`Access::Owner`]; a
//! command that only looks opens one as [`Access::Reader`], which writes nothing, here or there.
//!
//! | file | what it owns |
//! |---|---|
//! | `setup` | settings and secrets → [`Keys`] and a destination |
//! | `engine` | [`Engine`]: what all operations share |
//! | `look` | what is on the server: [`Engine::survey`], [`Engine::head_check`], [`Engine::generations`] |
//! | `collect` | what is in the data directory, sealed into files |
//! | `commit` | [`Engine::commit`]: a new generation, when there is anything new |
//! | `converse` | carries out what [`super::log::Commit`] asks for |
//! | `tidy` | retention |
//! | `restore`, `verify` | the way back, and trying it out |
//! | `takeover` | [`Engine::take_over`], [`Engine::release`] |
//! | `lookout` | [`Lookout::hold`]: whether a later boot is there |
//! | `resolve` | [`Engine::resolve`]: what a person decided |
//! | `push`, `inbox` | what another machine sends, and what becomes of it |
//! | `pushed` | what a configuration from elsewhere may not do |
//! | `notebook` | `state/backup-notes.json`: counters, times, what the server proved to do |
//! | `scratch` | a folder for archives on their way |
//! | `explain` | surveys in words |
//! | `error` | [`SyncError`], and what helps against it |
#![allow(clippy::disallowed_methods, reason = "a shell reads the clock, the disk and the network")]

mod collect;
mod commit;
mod converse;
mod engine;
mod error;
pub mod explain;
mod inbox;
mod look;
mod lookout;
mod notebook;
mod push;
pub mod pushed;
mod resolve;
mod restore;
mod scratch;
mod setup;
mod takeover;
mod tidy;
mod verify;

pub use collect::{History, Inputs};
pub use commit::{Committed, Outcome, Reason};
pub use engine::{Access, Engine, Files, Places, Transfer, Watcher};
pub use error::{Kind, Remedy, SyncError};
pub use inbox::{Delivery, Letter, Verdict};
pub use look::{HeadCheck, Listed};
pub use lookout::Lookout;
pub use notebook::{Month, Notebook};
pub use push::{Pushed, Reply};
pub use resolve::Resolved;
pub use restore::{Restoration, RestoreOrder};
pub use setup::{Keys, Secrets, destination};
pub use verify::{Level, Verification};
