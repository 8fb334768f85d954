//! Shell: the one select loop and everything that lives beside it.
//!
//! | file | what it owns |
//! |---|---|
//! | [`service`] | the loop |
//! | [`account`], `attempt`, `recorder`, `advice` | one actor for each account, and what it does for an order |
//! | [`watcher`], [`workdir`], [`reload`], [`last_good`] | from a changed folder to a configuration |
//! | [`datadir`], `insist`, `forgotten` | folders, lock and ledger; a ledger that refuses, or has lost its end |
//! | `given_up` | slots that are not run, recorded before what comes after them |
//! | [`logging`], `systemd` | log lines, and what systemd is told |
//! | [`ticker`] | wakes the loop at the kernel's deadline |
//! | [`secrets`] | reads what secret references point to |
//! | [`backup_setup`] | from the configuration to an engine of the backup |
//! | [`backup`] | when the copy on the WebDAV server is made, and who may sign in |
//! | [`backup_formats`] | sessions and ledgers, explained to the backup |
//! | [`control`] | the socket through which commands reach the daemon |

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell reads the clock, the disk and the network"
)]

pub mod account;
mod advice;
pub mod alone;
mod attempt;
pub mod backup;
pub mod backup_formats;
pub mod backup_setup;
pub mod control;
pub mod datadir;
mod forgotten;
mod given_up;
mod insist;
pub mod last_good;
pub mod logging;
mod recorder;
pub mod rehearsal;
pub mod reload;
pub mod secrets;
pub mod service;
mod systemd;
pub mod ticker;
pub mod watcher;
pub mod workdir;
