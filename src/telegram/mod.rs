//! Shell: Telegram through grammers.
//!
//! | file | what it owns |
//! |---|---|
//! | [`session`] | the account's key and known peers in one file |
//! | [`data_centre`] | Telegram's servers, or simulated ones |
//! | [`connection`] | calls with limits, updates |
//! | [`error`] | the classes of failure the daemon acts on |
//! | [`peer`], [`chats`] | which chat a task means |
//! | [`messages`] | Telegram's messages as the script sees them |
//! | [`login`] | phone, code, password |

pub mod chats;
pub mod connection;
pub mod data_centre;
pub mod error;
pub mod login;
pub mod messages;
pub mod peer;
pub mod session;
