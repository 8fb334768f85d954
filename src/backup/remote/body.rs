//! What a request carries, and the watch over whether it moves.

use std::fs::File as BlockingFile;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use reqwest::RequestBuilder;
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::time::Instant;

use super::settings::Timeouts;
use super::traffic::Traffic;

/// Read from a file at a time, in bytes.
const CHUNK: usize = 64 * 1024;

/// Told how many bytes of a transfer are done, from its beginning.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(u64) + Send + Sync>>);

impl Progress {
    /// Calls `told` after each part. A transfer that starts over counts from zero again.
    pub fn new(told: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    /// For nobody.
    pub fn silent() -> Self {
        Self(None)
    }

    pub(super) fn tell(&self, done: u64) {
        if let Some(told) = &self.0 {
            told(done);
        }
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Progress(told)" } else { "Progress(silent)" })
    }
}

/// What a request carries.
pub(super) enum Payload {
    Nothing,
    Small(Bytes),
    File {
        path: PathBuf,
        /// Checked against what is read, because the length is promised before.
        length: u64,
        progress: Progress,
        /// Digest of what was sent last, when it was sent to the end.
        digest: Arc<Mutex<Option<[u8; 32]>>>,
    },
}

/// Why the file could not be read to its end, when that is why a request failed.
#[derive(Debug, Clone, Default)]
pub(super) struct Failure(Arc<Mutex<Option<String>>>);

impl Failure {
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, cause: &io::Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause.to_string());
    }
}

impl Payload {
    pub(super) fn is_small(&self) -> bool {
        matches!(self, Self::Small(_))
    }

    /// The request with its body. Each attempt reads a file from its beginning.
    pub(super) async fn attach(
        &self,
        request: RequestBuilder,
        activity: &Activity,
        traffic: &Arc<Traffic>,
    ) -> Result<(RequestBuilder, Failure), String> {
        let failure = Failure::default();
        match self {
            Self::Nothing => Ok((request, failure)),
            Self::Small(bytes) => {
                traffic.sent(bytes.len());
                Ok((request.body(bytes.clone()), failure))
            }
            Self::File { path, length, progress, digest } => {
                let file = File::open(path).await.map_err(|error| format!("{}: {error}", path.display()))?;
                progress.tell(0);
                *digest.lock().unwrap_or_else(PoisonError::into_inner) = None;
                let body = FileBody {
                    file,
                    left: *length,
                    length: *length,
                    hasher: Sha256::new(),
                    progress: progress.clone(),
                    digest: Arc::clone(digest),
                    failure: failure.clone(),
                    activity: activity.clone(),
                    traffic: Arc::clone(traffic),
                };
                Ok((request.body(reqwest::Body::wrap(body)), failure))
            }
        }
    }
}

/// The length of a file that is to be sent.
pub(super) async fn length_of(path: PathBuf) -> io::Result<u64> {
    tokio::task::spawn_blocking(move || {
        let metadata = BlockingFile::open(path)?.metadata()?;
        if metadata.is_file() { Ok(metadata.len()) } else { Err(io::Error::other("it is no file")) }
    })
    .await
    .map_err(io::Error::other)?
}

struct FileBody {
    file: File,
    left: u64,
    length: u64,
    hasher: Sha256,
    progress: Progress,
    digest: Arc<Mutex<Option<[u8; 32]>>>,
    failure: Failure,
    activity: Activity,
    traffic: Arc<Traffic>,
}

impl FileBody {
    fn took(&mut self, part: &[u8]) {
        self.left -= part.len() as u64;
        self.hasher.update(part);
        self.traffic.sent(part.len());
        self.progress.tell(self.length - self.left);
        if self.left == 0 {
            let digest = std::mem::take(&mut self.hasher).finalize().into();
            *self.digest.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest);
            self.activity.finished();
        } else {
            self.activity.moved();
        }
    }

    fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let mut part = vec![0; usize::try_from(self.left).unwrap_or(CHUNK).min(CHUNK)];
        let mut buffer = ReadBuf::new(&mut part);
        ready!(Pin::new(&mut self.file).poll_read(context, &mut buffer))?;
        let filled = buffer.filled().len();
        if filled == 0 {
            return Poll::Ready(Err(io::Error::other("the file became shorter while it was sent")));
        }
        part.truncate(filled);
        self.took(&part);
        Poll::Ready(Ok(Bytes::from(part)))
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let part = ready!(this.poll_part(context)).inspect_err(|error| this.failure.set(error));
        Poll::Ready(Some(part.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// When a request that does not move is given up.
#[derive(Debug, Clone)]
pub(super) struct Activity {
    timeouts: Timeouts,
    watch: Arc<Mutex<Watch>>,
}

#[derive(Debug, Clone, Copy)]
struct Watch {
    due: Instant,
    limit: Duration,
}

impl Activity {
    /// For a request that was not sent yet. Storing a few bytes may take as long as the end of a large body.
    pub(super) fn new(timeouts: Timeouts, stores_a_little: bool) -> Self {
        let limit = timeouts.connect + if stores_a_little { timeouts.answer } else { timeouts.idle };
        Self { timeouts, watch: Arc::new(Mutex::new(Watch { due: Instant::now() + limit, limit })) }
    }

    /// A part of the body went out.
    fn moved(&self) {
        self.set(self.timeouts.idle);
    }

    /// All of the body went out; the server may need time to store it.
    fn finished(&self) {
        self.set(self.timeouts.answer);
    }

    fn set(&self, limit: Duration) {
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = Watch { due: Instant::now() + limit, limit };
    }

    fn watch(&self) -> Watch {
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The limit that is in force.
    pub(super) fn limit(&self) -> Duration {
        self.watch().limit
    }

    /// Ends when nothing moved for too long.
    pub(super) async fn ceased(&self) {
        loop {
            let due = self.watch().due;
            tokio::time::sleep_until(due).await;
            if self.watch().due <= due {
                return;
            }
        }
    }
}
