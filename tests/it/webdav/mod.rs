//! The client of the backup, against every simulated server, every fault, and the real servers that are installed.

mod faults;
mod levels;
mod real;
mod resuming;
mod round_trip;
mod tls;

use std::time::Duration;

use tgsignd::backup::remote::{Remote, RemoteSettings, RetryPolicy, Timeouts};
use tgsignd::config::secret::Secret;
use webdav_sim::Server;

/// Waits that tests can wait for.
const QUICK: RetryPolicy = RetryPolicy {
    attempts: 3,
    first: Duration::from_millis(1),
    longest: Duration::from_millis(2),
    patience: Duration::from_secs(1),
    refused: Duration::from_mins(10),
};

fn settings(url: &str) -> RemoteSettings {
    RemoteSettings {
        url: url.to_owned(),
        username: "alice".to_owned(),
        password: Secret::new("hunter2".to_owned()),
        remote_path: "/backup/tgsignd/".to_owned(),
        extra_ca: None,
        allow_http: false,
        timeouts: Timeouts::default(),
        retries: QUICK,
    }
}

/// The directory `backup/tgsignd/` of a server.
fn remote(url: &str) -> Remote {
    Remote::new(settings(url).check().unwrap()).unwrap()
}

/// A simulated server on which the directory is there, and the directory.
async fn directory(profile: webdav_sim::Profile) -> (Server, Remote) {
    let server = Server::start(profile).await.unwrap();
    server.make_directory("backup/tgsignd");
    let remote = remote(&server.url());
    (server, remote)
}

/// Bytes that repeat nowhere near.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| ((at * 31) ^ (at >> 8)).to_le_bytes()[0]).collect()
}
