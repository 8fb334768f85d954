//! Values become the parts of a [`Snapshot`](super::Snapshot). Every function reports what is wrong at its place, goes on
//! where it can, and returns `None` or an invalid field when its result cannot be used.

mod account;
mod account_names;
mod ai;
mod backup;
mod chat;
mod environment;
mod fingerprint;
mod pattern;
mod schedule;
mod settings;
mod steps;
mod task;
mod value;
mod webdav;
mod words;

pub(super) use account::account;
pub(super) use account_names::AccountNames;
pub(super) use ai::ai;
pub(super) use backup::backup;
pub(super) use environment::Environment;
pub(super) use pattern::Patterns;
pub(super) use schedule::Schedules;
pub(super) use settings::{history, http, log, telegram};
pub(super) use task::{Parts, World};
