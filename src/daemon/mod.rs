//! Shell.

pub mod ticker;
