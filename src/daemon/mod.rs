//! Shell.

pub mod logging;
