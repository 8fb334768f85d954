//! Shell.

#![allow(clippy::disallowed_methods, reason = "a shell reads files and the environment")]

pub mod secrets;
pub mod workdir;
