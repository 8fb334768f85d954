//! Shell: the one select loop and everything that lives beside it.
//!
//! | file | what it owns |
//! |---|---|
//! | [`ticker`] | wakes the loop at the kernel's deadline |
//! | [`workdir`] | reads the workdir |
//! | [`secrets`] | reads what secret references point to |
//! | [`control`] | the socket through which commands reach the daemon |

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a shell reads the clock, the disk and the network")]

pub mod control;
pub mod secrets;
pub mod ticker;
pub mod workdir;
