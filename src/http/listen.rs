//! TCP addresses and Unix sockets.

use std::fs::Permissions;
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};

use crate::config::Listen;

/// The owner and his group, in which the proxy is, may connect.
const SOCKET_MODE: u32 = 0o660;

/// Something that takes connections.
#[derive(Debug)]
pub enum Listener {
    /// On a TCP address.
    Tcp(TcpListener),
    /// On a Unix socket. Its file goes first: once nobody listens, another process may put its own there.
    Unix(SocketFile, UnixListener),
}

/// The file of a Unix socket; removed when dropped.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A file that stays is taken for stale at the next start.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The listener cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {cause}; {advice}")]
pub struct BindError {
    address: String,
    cause: Error,
    advice: &'static str,
}

/// Starts to listen. Port 0 becomes a free one, see [`Listener::address`].
pub async fn bind(listen: &Listen) -> Result<Listener, BindError> {
    match listen {
        Listen::Tcp(address) => match TcpListener::bind(address).await {
            Ok(listener) => Ok(Listener::Tcp(listener)),
            Err(cause) => Err(BindError { address: address.to_string(), advice: advice(&cause), cause }),
        },
        Listen::Unix(path) => bind_unix(path).await.map_err(|cause| {
            let advice = advice(&cause);
            BindError { address: format!("unix:{}", path.display()), cause, advice }
        }),
    }
}

fn advice(cause: &Error) -> &'static str {
    match cause.kind() {
        ErrorKind::AddrInUse => {
            "another program (a second tgsignd?) has it; stop that one or set another [http] listen"
        }
        ErrorKind::PermissionDenied => "ports below 1024 and this folder need more rights; set another [http] listen",
        ErrorKind::AddrNotAvailable => "this host does not have that address; set another [http] listen",
        ErrorKind::NotFound => "create its folder, or set another [http] listen",
        _ => "set another [http] listen",
    }
}

async fn bind_unix(path: &Path) -> Result<Listener, Error> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(Error::new(ErrorKind::AlreadyExists, "a file that is no socket has this name"));
        }
        Ok(_) => remove_stale(path).await?,
    }
    let listener = UnixListener::bind(path)?;
    let file = SocketFile(path.to_owned());
    std::fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE))?;
    Ok(Listener::Unix(file, listener))
}

/// Removes the file of a socket that nobody listens on.
async fn remove_stale(path: &Path) -> Result<(), Error> {
    match UnixStream::connect(path).await {
        Ok(_) => Err(Error::new(ErrorKind::AddrInUse, "somebody listens there")),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        Err(error) => Err(error),
    }
}

/// Bytes in both directions.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Listener {
    /// Where it listens, as the log says it.
    pub fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => listener.local_addr().map_or_else(|error| error.to_string(), |it| it.to_string()),
            Self::Unix(SocketFile(path), _) => format!("unix:{}", path.display()),
        }
    }

    pub(super) async fn accept(&self) -> Result<Box<dyn Stream>, Error> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(|(stream, _)| Box::new(stream) as Box<dyn Stream>),
            Self::Unix(_, listener) => listener.accept().await.map(|(stream, _)| Box::new(stream) as Box<dyn Stream>),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let first = bind(&Listen::Tcp("127.0.0.1:0".parse().unwrap())).await.unwrap();
        let error = bind(&Listen::Tcp(first.address().parse().unwrap())).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot listen on {}: ", first.address())), "{error}");
        assert!(error.contains("a second tgsignd?"), "{error}");
    }

    #[tokio::test]
    async fn only_a_stale_socket_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("http.sock");
        let listen = Listen::Unix(path.clone());
        let first = bind(&listen).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, SOCKET_MODE);
        let error = bind(&listen).await.unwrap_err().to_string();
        assert!(error.contains("somebody listens there"), "{error}");
        drop(first);
        assert!(!path.exists());

        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a killed process leaves its file");
        drop(bind(&listen).await.unwrap());

        std::fs::write(&path, "precious").unwrap();
        let error = bind(&listen).await.unwrap_err().to_string();
        assert!(error.contains("no socket has this name"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }
}
