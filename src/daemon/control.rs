//! The control socket: how commands reach the running daemon.
//!
//! A Unix socket in the data directory, 0600. One request is one JSON line; the answer is one JSON line for each
//! [`Reply`], and the daemon closes the connection after the last. Only the daemon's own user and root are heard.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::account::Ended;
use super::rehearsal::Rehearsal;
use crate::kernel::OnceError;
use crate::kernel::record::RunRecord;
use crate::kernel::status::Status;
use crate::names::{AccountName, TaskName};

/// Longest request in bytes; a request is a name or two.
const MAX_REQUEST: u64 = 16 * 1024;

/// How long a client may take to send its request.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);

/// Connections served at once; the others wait in the listener's queue.
const MAX_CONNECTIONS: usize = 16;

/// What a command asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// The observable status, once.
    Status,
    /// Run a task now, on all of its accounts or on one. One [`Reply::Run`] for each.
    Once {
        /// The task.
        task: TaskName,
        /// Only this account.
        account: Option<AccountName>,
        /// Only say what it would do: one [`Reply::Rehearsed`] for each.
        #[serde(default)]
        dry_run: bool,
    },
    /// The newest ended runs, newest first.
    Runs {
        /// Only of this task.
        task: Option<TaskName>,
        /// At most that many.
        limit: usize,
    },
    /// Commit to the backup now; [`Reply::Told`] says what became of it.
    BackupNow,
    /// Decide about a backup that is not as this host left it; [`Reply::Told`] says what became of it.
    BackupResolve {
        /// Which side is kept.
        keep: KeepSide,
        /// Of a fork, the manifest to restore.
        manifest: Option<String>,
    },
    /// Close the account's connection and read its session anew: it has just signed in.
    Reconnect {
        /// The account.
        account: AccountName,
    },
}

/// A side of a backup that two sides claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeepSide {
    /// What is in the data directory.
    Local,
    /// What is on the server.
    Remote,
}

/// What the daemon answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
// Not tagged inside: serde could not read the numbers that are keys of maps in a status then.
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To [`Request::Status`].
    Status(Box<Status>),
    /// To [`Request::Once`]: one run ended.
    Run(Box<Ended>),
    /// To [`Request::Once`] without running.
    Rehearsed(Box<Rehearsal>),
    /// To [`Request::Runs`].
    Runs {
        /// Newest first.
        runs: Vec<RunRecord>,
    },
    /// Done, and what came of it, for people.
    Told {
        /// One or more sentences.
        message: String,
    },
    /// Done, without anything to tell.
    Done,
    /// The request cannot be carried out.
    Refused {
        /// Whose fault it is.
        kind: RefusalKind,
        /// What is wrong, and what to do.
        message: String,
    },
}

/// Whose fault it is that a request cannot be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// What was asked for does not exist.
    Usage,
    /// The same request may work later.
    TryAgain,
    /// Something else went wrong.
    Failure,
}

impl From<&OnceError> for RefusalKind {
    fn from(error: &OnceError) -> Self {
        match error {
            OnceError::NoSuchTask(_) | OnceError::NotItsAccount { .. } => Self::Usage,
            OnceError::Running { .. } | OnceError::Stopping => Self::TryAgain,
        }
    }
}

/// A request on its way to the daemon's loop; dropping `replies` ends the connection.
#[derive(Debug)]
pub struct Call {
    /// What is asked.
    pub request: Request,
    /// Where the answers go.
    pub replies: mpsc::Sender<Reply>,
}

/// Where the socket lies.
pub fn path(datadir: &Path) -> PathBuf {
    datadir.join("state").join("control.sock")
}

/// A Unix address has at most 107 bytes; through `/proc/self/fd` any folder is near enough.
fn with_short_path<T>(path: &Path, use_path: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    if path.as_os_str().len() <= 100 {
        return use_path(path);
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let folder = fs::File::open(folder)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
    use_path(&short)
}

/// Binds the socket. The caller holds the data directory's lock, so a socket that is there was left by a dead daemon.
pub fn bind(datadir: &Path) -> io::Result<UnixListener> {
    let path = path(datadir);
    match fs::symlink_metadata(&path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(&path)?,
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is not a socket")),
        Err(_) => {}
    }
    let listener = with_short_path(&path, |path| UnixListener::bind(path))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves the socket until the task is aborted.
pub async fn serve(listener: UnixListener, calls: mpsc::Sender<Call>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve_one(stream, calls.clone()));
            }
            Err(error) => {
                warn!(%error, "the control socket does not accept connections");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn serve_one(stream: UnixStream, calls: mpsc::Sender<Call>) {
    let own = rustix::process::geteuid().as_raw();
    match stream.peer_cred().map(|peer| peer.uid()) {
        Ok(uid) if uid == own || uid == 0 => {}
        Ok(uid) => return warn!(uid, "refused a stranger on the control socket"),
        Err(error) => return warn!(%error, "refused an unknown peer on the control socket"),
    }
    if let Err(error) = answer(stream, calls).await {
        debug!(%error, "control connection ended early");
    }
}

async fn answer(stream: UnixStream, calls: mpsc::Sender<Call>) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut limited = BufReader::new(read.take(MAX_REQUEST));
    tokio::time::timeout(REQUEST_LIMIT, limited.read_line(&mut line)).await??;
    let (replies, mut answers) = mpsc::channel(16);
    match serde_json::from_str(&line) {
        Ok(request) => {
            if calls.send(Call { request, replies }).await.is_err() {
                return Ok(());
            }
        }
        Err(error) => {
            let message = format!("not a request this daemon knows ({error}); are both of the same version?");
            let _ = replies.send(Reply::Refused { kind: RefusalKind::Failure, message }).await;
            drop(replies);
        }
    }
    while let Some(reply) = answers.recv().await {
        let mut line = serde_json::to_vec(&reply)?;
        line.push(b'\n');
        write.write_all(&line).await?;
    }
    write.shutdown().await
}

/// A client's connection.
pub struct Client {
    lines: tokio::io::Lines<BufReader<UnixStream>>,
}

impl Client {
    /// Sends `request` to the daemon of `datadir`. `Ok(None)`: no daemon listens there.
    pub async fn call(datadir: &Path, request: &Request) -> io::Result<Option<Self>> {
        let path = path(datadir);
        let connected = match with_short_path(&path, |path| std::os::unix::net::UnixStream::connect(path)) {
            Ok(stream) => stream,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        connected.set_nonblocking(true)?;
        let mut stream = UnixStream::from_std(connected)?;
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        Ok(Some(Self { lines: BufReader::new(stream).lines() }))
    }

    /// The next answer; `None` after the last.
    pub async fn next(&mut self) -> io::Result<Option<Reply>> {
        match self.lines.next_line().await? {
            Some(line) => Ok(Some(serde_json::from_str(&line)?)),
            None => Ok(None),
        }
    }
}
