//! Shell.

pub mod secrets;
pub mod workdir;
