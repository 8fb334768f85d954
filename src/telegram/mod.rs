//! Shell: Telegram through grammers.
//!
//! | file | what it owns |
//! |---|---|
//! | [`session`] | the account's key in a file |
//! | [`known_peers`] | the chats it has met in another |
//! | [`data_centre`] | Telegram's servers, or simulated ones |
//! | [`network`] | the thread on which connections live |
//! | [`connection`] | calls with limits, updates |
//! | [`error`] | the classes of failure the daemon acts on |
//! | [`peer`], [`chats`] | which chat a task means |
//! | [`messages`] | Telegram's messages as the script sees them |
//! | [`history`] | reading a chat, taking from it |
//! | [`sending`] | adding messages to a chat |
//! | [`pictures`] | fetching photos |
//! | [`pages`] | getting the pages of buttons |
//! | [`quiet`] | reading, joining, leaving |
//! | [`run`] | carrying a conversation out |
//! | [`login`] | phone, code, password |

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a shell reads the clock, talks and spawns")]

pub mod chats;
pub mod connection;
pub mod data_centre;
pub mod error;
pub mod history;
pub mod known_peers;
pub mod login;
pub mod messages;
pub mod network;
pub mod pages;
pub mod peer;
pub mod pictures;
pub mod quiet;
pub mod run;
pub mod sending;
pub mod session;
