//! An HTTPS server on this machine, with the certificate of `tests/cases/tls`, and a client that believes it and no other.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::http::{Answer, read, written};
use super::within_limit;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// For example `GET /checkin?id=1 HTTP/1.1`.
    pub(crate) line: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

/// A server that answers each connection once, with whatever `answer` says: status line, headers and body.
pub(crate) struct Https {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/tls")
}

/// The certificate of `localhost`, and its key.
pub(crate) fn certificate() -> (PathBuf, PathBuf) {
    (folder().join("localhost.pem"), folder().join("localhost.key"))
}

/// Sends `METHOD PATH` with header lines to a port of this machine, by TLS.
pub(crate) async fn ask_tls(port: u16, request: &str, headers: &[&str]) -> Answer {
    let request = written(request, &format!("localhost:{port}"), headers);
    let exchange = move || {
        let mut trusted = RootCertStore::empty();
        trusted.add(CertificateDer::from_pem_file(authority()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(trusted).with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", port)).unwrap());
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        read(&request, &text)
    };
    within_limit(tokio::task::spawn_blocking(exchange), || "an answer by TLS".to_owned()).await.unwrap()
}

/// What `SSL_CERT_FILE` has to be for the server to be believed.
pub(crate) fn authority() -> PathBuf {
    folder().join("authority.pem")
}

/// An answer with a body.
pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

impl Https {
    pub(crate) fn start(answer: impl Fn(&Request) -> String + Send + Sync + 'static) -> Self {
        let (chain, key) = certificate();
        let chain = CertificateDer::pem_file_iter(chain).unwrap();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.map(Result::unwrap).collect(), key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (config, answer, seen) = (Arc::new(config), Arc::new(answer), Arc::clone(&requests));
        // Ends with the process; a connection that fails costs nothing else.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (config, answer, seen) = (Arc::clone(&config), Arc::clone(&answer), Arc::clone(&seen));
                std::thread::spawn(move || serve(stream, config, &*answer, &seen));
            }
        });
        Self { address, requests }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    answer: &dyn Fn(&Request) -> String,
    seen: &Mutex<Vec<Request>>,
) -> Option<()> {
    let connection = ServerConnection::new(config).ok()?;
    let mut reader = BufReader::new(StreamOwned::new(connection, stream));
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let length = lines.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    let request = Request { line: lines.first()?.clone(), headers: lines.split_off(1), body };
    seen.lock().unwrap().push(request.clone());
    let mut stream = reader.into_inner();
    stream.write_all(answer(&request).as_bytes()).ok()?;
    stream.conn.send_close_notify();
    stream.flush().ok()
}
