//! A relay before a server, which lets an upload get so far and no further.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What happens to an upload.
#[derive(Debug, Clone)]
struct Trap {
    /// In its path.
    part: String,
    /// So many bytes of its body reach the server.
    passes: usize,
    /// Then the connection ends, or it hangs until the server ends it.
    cuts: bool,
}

/// It listens until it is dropped.
pub(crate) struct Relay {
    address: String,
    trap: Arc<Mutex<Option<Trap>>>,
    caught: watch::Receiver<usize>,
    listens: JoinHandle<()>,
}

impl Relay {
    /// Stands before `url`.
    pub(crate) async fn before(url: &str) -> Self {
        let server = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let trap = Arc::<Mutex<Option<Trap>>>::default();
        let (tell, caught) = watch::channel(0);
        let traps = Arc::clone(&trap);
        let listens = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let (server, trap, tell) = (server.clone(), Arc::clone(&traps), tell.clone());
                tokio::spawn(async move {
                    // A server that is not there is one that hangs up.
                    let Ok(server) = TcpStream::connect(server).await else { return };
                    let (from_client, mut to_client) = client.into_split();
                    let (mut from_server, to_server) = server.into_split();
                    tokio::select! {
                        () = forward(from_client, to_server, &trap, &tell) => {}
                        _ = copy(&mut from_server, &mut to_client) => {}
                    }
                });
            }
        });
        Self { address, trap, caught, listens }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The next upload whose path has `part` in it is cut off after so many bytes of its body.
    pub(crate) fn cut(&self, part: &str, passes: usize) {
        *self.trap.lock().unwrap() = Some(Trap { part: part.to_owned(), passes, cuts: true });
    }

    /// The next upload whose path has `part` in it stops after so many bytes of its body, and waits for the server.
    pub(crate) fn hold(&self, part: &str, passes: usize) {
        *self.trap.lock().unwrap() = Some(Trap { part: part.to_owned(), passes, cuts: false });
    }

    /// Waits until so many uploads were cut or held.
    pub(crate) async fn has_caught(&self, count: usize) {
        self.caught.clone().wait_for(|caught| *caught >= count).await.unwrap();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listens.abort();
    }
}

/// Requests come one after the other, each head at the beginning of what is read.
async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    trap: &Mutex<Option<Trap>>,
    tell: &watch::Sender<usize>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let bytes = &buffer[..count];
        let head = String::from_utf8_lossy(bytes.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
        let caught = trap.lock().unwrap().take_if(|trap| head.starts_with("PUT ") && head.contains(&trap.part));
        let Some(Trap { mut passes, cuts, .. }) = caught else {
            if to.write_all(bytes).await.is_err() {
                return;
            }
            continue;
        };
        let mut request = bytes.to_vec();
        let body = loop {
            if let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
            request.extend_from_slice(&buffer[..count]);
        };
        passes += body;
        while request.len() < passes {
            let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
            request.extend_from_slice(&buffer[..count]);
        }
        let _ = to.write_all(&request[..passes]).await;
        tell.send_modify(|caught| *caught += 1);
        if !cuts {
            // What else comes is swallowed; the other direction ends when the server does.
            std::future::pending::<()>().await;
        }
        return;
    }
}
