//! Shell: the way back: age → gzip → tar → staging → verified → in place.
//!
//! | file | what it owns |
//! |---|---|
//! | `open` | sealed archives: digest, identity, decryption |
//! | `unpack` | archives, hostile ones too, into an empty folder |
//! | `stage` | [`Staging`]: what was unpacked, verified and made one tree |
//! | `swap` | `Swap`: many renames that happen all or not at all, whatever stops them |
//! | `restore` | [`restore()`]: from sealed files to a data directory |
#![allow(clippy::disallowed_methods, reason = "a shell reads and writes the disk")]

mod error;
#[cfg(test)]
mod hostile;
mod open;
mod restore;
mod stage;
mod swap;
#[cfg(test)]
mod tests;
mod unpack;

pub use error::RestoreError;
pub use open::open;
pub use restore::{Only, Order, Report, restore};
pub use stage::{Sealed, Staging};
pub use swap::{Recovered, recover};
pub use unpack::{Limits, fuzz, unpack};
