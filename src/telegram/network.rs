//! The thread on which grammers works.
//!
//! A connection takes two megabytes in a few large blocks and gives them back when it closes. glibc serves large blocks from
//! gaps in its heap where it finds some, and what lasts longer than a connection would keep those gaps from closing: with
//! hundreds of connections at one instant the heap grew for hours. A thread of its own has a heap of its own (an "arena"),
//! on which nothing outlives its connection; it empties, and goes back to the system. `benches/README.md` has the figures.

use std::io;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Where connections live; they break when it is dropped.
#[derive(Debug)]
pub struct Network {
    runtime: Handle,
    /// Dropped, it ends the thread.
    _until: Option<oneshot::Sender<()>>,
}

impl Network {
    /// Starts the thread. Among the first threads of a process it gets a heap of its own, see `src/main.rs`.
    ///
    /// # Errors
    ///
    /// The system refuses a thread or a file descriptor.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let network = runtime.handle().clone();
        let (until, ended) = oneshot::channel::<()>();
        thread::Builder::new().name("telegram".to_owned()).spawn(move || {
            let _ = runtime.block_on(ended);
            runtime.shutdown_background();
        })?;
        Ok(Self { runtime: network, _until: Some(until) })
    }

    /// The caller's own thread: enough for a command, which ends before memory matters.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn here() -> Self {
        Self { runtime: Handle::current(), _until: None }
    }

    /// The runtime of the thread.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn work_is_done_on_its_thread_and_ends_with_it() {
        let network = Network::start().unwrap();
        let thread = network.runtime().spawn(async { thread::current().name().map(str::to_owned) });
        assert_eq!(thread.await.unwrap().as_deref(), Some("telegram"));

        let endless = network.runtime().spawn(pending::<()>());
        drop(network);
        assert!(endless.await.unwrap_err().is_cancelled());
    }
}
