//! The living world behind one lock: who exists, what was said, who listens.
//!
//! | module | what it holds |
//! |---|---|
//! | `account` | what changes about an account |
//! | `keys` | authorisation keys and who they belong to |
//! | `message_box` | one numbering of messages with its update state |
//! | `people` | everyone and every group, and how they are found |
//! | `posting` | sending, editing and deleting, with the copies and pushes that follow |

mod account;
mod keys;
mod message_box;
mod people;
mod posting;

pub(crate) use account::{PasswordState, Subscriber};
pub(crate) use keys::{AuthKey, Login};
pub(crate) use message_box::{Body, Change, ChatKey, Stored, Window};
pub(crate) use people::{Named, State, UserRef};
pub(crate) use posting::{BoxRef, Draft, Place};
