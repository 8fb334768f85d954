//! Connections and their limits.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::answer::Desk;
use super::guard::Doorkeeper;
use super::listen::{Listener, Stream};
use crate::config::Guard;
use crate::kernel::status::Status;

/// Connections that are open at the same time. A further one takes the place of the oldest: who asks at once is answered
/// within milliseconds, and whoever has been here longer than all others is the one that only holds a place.
const CONNECTIONS: usize = 128;

/// So long nobody loses a place: in a rush, those who came a moment ago have not had the time to ask.
const FIRST_MOMENT: Duration = Duration::from_millis(100);

/// How long clients may take.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// From accepting to the end of the request's head.
    head: Duration,
    /// From accepting to the last byte of the answer. One connection carries one request.
    request: Duration,
    /// For answers that are on their way when the shutdown begins.
    drain: Duration,
}

impl Patience {
    const USUAL: Self =
        Self { head: Duration::from_secs(5), request: Duration::from_secs(15), drain: Duration::from_secs(1) };
}

const MAX_HEADERS: usize = 64;

/// hyper's smallest; a head that does not fit is refused.
const BUFFER: usize = 8192;

/// Between two tries after accepting failed (no file descriptors left, in general).
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Answers `GET /metrics /livez /readyz /healthz` from the newest status until `shutdown` is ready.
///
/// Nothing that a client does ends it.
pub async fn serve(
    listener: Listener,
    status: watch::Receiver<Arc<Status>>,
    guard: Guard,
    shutdown: impl Future<Output = ()>,
) {
    serve_with(Patience::USUAL, listener, status, guard, shutdown).await;
}

async fn serve_with(
    patience: Patience,
    listener: Listener,
    status: watch::Receiver<Arc<Status>>,
    guard: Guard,
    shutdown: impl Future<Output = ()>,
) {
    let desk = Arc::new(Desk { status, door: Mutex::new(Doorkeeper::new(guard, Instant::now())) });
    let mut connections = JoinSet::new();
    let mut by_age: VecDeque<(Instant, AbortHandle)> = VecDeque::new();
    let mut shutdown = pin!(shutdown);
    'open: loop {
        let stream = tokio::select! {
            () = &mut shutdown => break,
            stream = accept(&listener) => stream,
        };
        loop {
            while connections.try_join_next().is_some() {}
            by_age.retain(|(_, connection)| !connection.is_finished());
            let Some((since, oldest)) = by_age.front().filter(|_| by_age.len() >= CONNECTIONS) else { break };
            tokio::select! {
                () = &mut shutdown => break 'open,
                _ = connections.join_next() => {}
                () = tokio::time::sleep_until(*since + FIRST_MOMENT) => {
                    oldest.abort();
                    by_age.pop_front();
                }
            }
        }
        by_age.push_back((Instant::now(), connections.spawn(converse(patience, stream, desk.clone()))));
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    // Whoever reads too slowly is cut off when the set is dropped.
    let _ = tokio::time::timeout(patience.drain, drained).await;
}

/// The next connection, however long it takes.
async fn accept(listener: &Listener) -> Box<dyn Stream> {
    let mut told = false;
    loop {
        match listener.accept().await {
            Ok(stream) => return stream,
            Err(error) => {
                if !told {
                    let address = listener.address();
                    tracing::warn!(%error, address, "no connection can be accepted; trying again every second");
                    told = true;
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(patience: Patience, stream: Box<dyn Stream>, desk: Arc<Desk>) {
    let service = service_fn(|request| {
        let answer = desk.answer(&request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_headers(MAX_HEADERS)
        .max_buf_size(BUFFER)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(patience.request, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection ended early"),
        Err(_) => tracing::debug!("a connection was too slow"),
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
