//! Shell: health and metrics, read-only views of the [`Status`](crate::kernel::status::Status).
//!
//! | file | what it holds |
//! |---|---|
//! | `metrics` | the status as `OpenMetrics` text |
//! | `process` | what the operating system knows about this process |
//! | `health` | the status as live, ready and a list of components |
//! | `guard` | who may read `/metrics` and `/healthz` |
//! | `listen` | TCP addresses and Unix sockets |
//! | `answer` | a request and the status become a response |
//! | `server` | connections and their limits |

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell reads the clock, the disk and the network"
)]

mod answer;
mod guard;
pub mod health;
mod listen;
pub mod metrics;
mod process;
mod server;

pub use listen::{BindError, Listener, bind};
pub use process::ProcessMetrics;
pub use server::serve;
