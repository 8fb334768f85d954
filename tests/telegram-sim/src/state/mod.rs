//! The living world behind one lock: who exists, what was said, who listens.
//!
//! | module | what it holds |
//! |---|---|
//! | `message_box` | one numbering of messages with its update state |
//! | `people` | accounts, bots, strangers and groups, and how they are found |
//! | `posting` | sending, editing and deleting, with the copies and pushes that follow |

mod message_box;
mod people;
mod posting;

pub(crate) use message_box::{Body, Change, ChatKey, Stored, Window};
pub(crate) use people::{AuthKey, Login, Named, PasswordState, State, Subscriber, UserRef};
pub(crate) use posting::{BoxRef, Draft, Place};
