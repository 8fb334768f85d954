//! tgsignd performs the daily check-in of Telegram bots and groups from its owner's own accounts, and proves from the
//! bot's own words that it worked.
//!
//! Bytes become a valid [`config::Snapshot`]; a pure [`kernel`] turns events into effects; thin shells carry the effects
//! out and bring the results back as events. This page is the map:
//!
//! | module | kind | what it owns |
//! |---|---|---|
//! | [`names`] | pure | the names of accounts, tasks, slots and runs |
//! | [`schedule`] | pure | cron, time zones, jitter and the missed-run policy: which slots, fired when |
//! | [`script`] | pure | steps, matching and outcomes: a conversation as a state machine |
//! | [`config`] | pure | workdir bytes → [`config::Snapshot`], or every diagnostic at once |
//! | [`kernel`] | pure | `(now, Event) → Vec<Effect>` and the observable status |
//! | [`telegram`] | shell | grammers: sessions, connections, login, peers |
//! | [`ai`] | shell | any OpenAI-compatible model, or a program, as a solver |
//! | [`ledger`] | shell | claims, runs, evidence and transcripts on disk |
//! | [`backup`] | shell | encrypted generations of the state on a WebDAV server, and the way back |
//! | [`http`] | shell | health and metrics, read-only views of the status |
//! | [`daemon`] | shell | the one select loop, account actors, ticker, watcher, control socket |
//! | [`cli`] | shell | one file a command |
//!
//! Arrows point one way: `names ← schedule, script ← config ← kernel ← {telegram, ai, ledger, backup, http} ← daemon ← cli`.
//! Shells do not import each other; `tests/it/layers.rs` and `clippy.toml` keep it so.

pub mod ai;
pub mod backup;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod http;
pub mod kernel;
pub mod ledger;
pub mod names;
pub mod schedule;
pub mod script;
pub mod telegram;
