//! Requests, answers and metrics.

use std::path::Path;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::within_limit;

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: String,
    pub(crate) body: String,
}

impl Answer {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.headers.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The value of the one series with this name and at least these labels.
    #[track_caller]
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |line: &str, (label, value): &(&str, &str)| line.contains(&format!("{label}=\"{value}\""));
        let fits = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| has(line, label))
        };
        let found: Vec<&str> = self.body.lines().filter(fits).collect();
        assert!(found.len() < 2, "several series fit: {found:#?}");
        found.first().and_then(|line| line.rsplit_once(' ')?.1.parse().ok())
    }
}

/// Sends `METHOD PATH` with header lines to a TCP address.
pub(crate) async fn ask(address: &str, request: &str, headers: &[&str]) -> Answer {
    exchange(TcpStream::connect(address).await.unwrap(), request, headers).await
}

/// The same through a Unix socket.
pub(crate) async fn ask_unix(path: &Path, request: &str) -> Answer {
    exchange(UnixStream::connect(path).await.unwrap(), request, &[]).await
}

/// A request as it is sent to a host of this name.
pub(super) fn written(request: &str, host: &str, headers: &[&str]) -> String {
    let more: String = headers.iter().flat_map(|line| [line, "\r\n"]).collect();
    format!("{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n")
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str, headers: &[&str]) -> Answer {
    let request = written(request, "test", headers);
    let mut text = String::new();
    let exchange = async {
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.read_to_string(&mut text).await.unwrap();
    };
    within_limit(exchange, || format!("the answer to {request:?}")).await;
    read(&request, &text)
}

/// An answer that came until its end.
#[track_caller]
pub(super) fn read(request: &str, text: &str) -> Answer {
    let (headers, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer to {request:?}: {text:?}"));
    let status = headers.split(' ').nth(1).and_then(|code| code.parse().ok());
    Answer { status: status.unwrap(), headers: headers.to_owned(), body: body.to_owned() }
}
