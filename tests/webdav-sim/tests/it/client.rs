//! Requests, byte by byte.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use webdav_sim::{Profile, Server};

/// What came back; `status` is 0 when the connection ended before an answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let line = self
            .head
            .lines()
            .find(|line| line.split_once(':').is_some_and(|(other, _)| other.eq_ignore_ascii_case(name)))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// With the right password.
pub(crate) async fn ask(server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut all = vec![("authorization", "Basic YWxpY2U6aHVudGVyMg==")];
    all.extend_from_slice(headers);
    ask_openly(server, method, path, &all, body).await
}

/// Without a password.
pub(crate) async fn ask_openly(
    server: &Server,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let url = server.url();
    let address = url.strip_prefix("http://").unwrap().strip_suffix("/dav/").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut request = format!("{method} /dav/{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let mut answer = Vec::new();
    // Whoever refuses early may close before all is written or read.
    if stream.write_all(request.as_bytes()).await.is_ok() {
        let _ = stream.write_all(body).await;
    }
    let _ = stream.read_to_end(&mut answer).await;
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Reply { status: 0, head: String::new(), body: Vec::new() };
    };
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head, body: answer[end + 4..].to_vec() }
}

/// What `d/old` holds in a [`fresh`] server.
pub(crate) const OLD: &[u8] = b"the old content of the file";
/// What is written over it.
pub(crate) const NEW: &[u8] = b"a new content, equally long";

/// A server with a file.
pub(crate) async fn fresh(profile: Profile) -> Server {
    let server = Server::start(profile).await.unwrap();
    server.write("d/old", OLD);
    server
}
