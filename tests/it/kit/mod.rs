//! The daemon's real parts, put together so that tests read like prose.
//!
//! | file | what it holds |
//! |---|---|
//! | `stage` | a simulated data centre, a workdir and a data directory |
//! | `command` | `tgsignd …`, run to its end |
//! | `daemon` | `tgsignd run`, and what it does |
//! | `log` | its log lines, as they come |
//! | `http` | requests, answers and metrics |
//! | `webdav_servers` | Apache, nginx and others, started for one test |
//! | `relay` | a relay that cuts uploads off |
//! | `https` | a server with a certificate |
//! | `tools` | programs that are there or not |
//! | `random` | numbers that look random |
//!
//! Nothing sleeps for a fixed time: everything waits for an event, and gives up after [`LIMIT`].

mod command;
mod daemon;
mod http;
mod https;
mod log;
mod random;
pub(crate) mod relay;
mod stage;
pub(crate) mod tools;
pub(crate) mod webdav_servers;

use std::future::Future;
use std::time::Duration;

pub(crate) use command::{Ended, Invocation, read_until};
pub(crate) use daemon::Daemon;
pub(crate) use http::{Answer, ask, ask_unix};
pub(crate) use https::{Https, ask_tls, authority, certificate, ok};
pub(crate) use log::{Line, Log};
pub(crate) use random::Random;
pub(crate) use stage::{Stage, soon, world};
pub(crate) use tools::tool;

/// What takes longer will never happen. Generous, because the machine may be busy with other tests.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// Pause between two looks at something that tells nobody when it changes.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Waits for `work`, and panics with `explain` after [`LIMIT`].
pub(crate) async fn within_limit<T>(work: impl Future<Output = T>, explain: impl FnOnce() -> String) -> T {
    let Ok(done) = tokio::time::timeout(LIMIT, work).await else {
        panic!("not within {LIMIT:?}: {}", explain());
    };
    done
}
