//! Shell: an encrypted copy of the state on a WebDAV server.
//!
//! | file | what it owns |
//! |---|---|
//! | [`remote`] | one directory on a WebDAV server: everything that is said to it |

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a shell reads the clock and talks")]

pub mod remote;
