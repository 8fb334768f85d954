//! What the simulated Telegram holds when it starts: accounts, bots, groups and options.
//!
//! | module | what it holds |
//! |---|---|
//! | `model` | the world as Rust values, with builder methods |
//! | `check` | what must hold between them |
//! | `toml` | the world as TOML |
//! | `rules` | the rules of scripted bots in it |

mod check;
mod model;
mod rules;
mod toml;

pub use check::WorldError;
pub(crate) use model::Options;
pub use model::{Account, BotProfile, Group, GroupKind, World};
