//! PURE: workdir bytes become a [`Snapshot`], or every diagnostic at once.

pub mod secret;
mod snapshot;

pub use snapshot::*;
