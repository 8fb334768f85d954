//! Shell: claims, runs, evidence and transcripts on disk.
//!
//! | file | what it holds |
//! |---|---|
//! | `record` | what is kept, as plain data |
//! | `engine` | [`Ledger`] and [`Engine`]: what an engine has to do |
//! | `sqlite` | the engine on `state/state.db` |
//! | `handle` | [`LedgerHandle`]: the thread that owns the engine, with group commit |
//! | `lock` | [`DirectoryLock`]: one process owns a data directory |
//! | `transcript` | `logs/runs/RUN_ID.jsonl` |

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell reads the clock, the disk and the network"
)]

#[cfg(test)]
mod contract;
mod engine;
mod error;
mod handle;
mod lock;
mod record {
    pub(in crate::ledger) use crate::kernel::record::*;
}
mod sqlite;
pub mod transcript;

pub use crate::kernel::record::*;
pub use engine::{Durability, Engine, Ledger, Tasks};
pub use error::{LedgerError, StorageProblem};
pub use handle::LedgerHandle;
pub use lock::{DirectoryLock, LockError};
pub use sqlite::SqliteLedger;
