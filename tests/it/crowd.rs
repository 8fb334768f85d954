//! The listener in bad company: whoever asks properly is answered all the same.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::kit::{Daemon, LOOK_AGAIN, Stage, within_limit};

/// More than the listener has places for, many times over.
const CROWD: usize = 3000;

const SIGN: &str = "schedule = '@yearly'\nchat = '@quick_bot'\nsteps = [{ send = '/sign' }]";

fn raise_open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    assert!(maximum.is_none_or(|most| most > 2 * CROWD as u64), "this test needs {CROWD} sockets");
}

/// Everything that people rely on works.
async fn serves(daemon: &Daemon, stage: &Stage) {
    for _ in 0..10 {
        for path in ["/metrics", "/livez", "/readyz", "/healthz"] {
            assert_eq!(daemon.get(path).await.status, 200, "{path}");
        }
    }
    stage.tgsignd(&["once", "sign"]).ends().await.success();
}

async fn open_files(daemon: &Daemon) -> f64 {
    daemon.metrics().await.metric("process_open_fds", &[]).unwrap()
}

async fn stage() -> Stage {
    raise_open_files();
    let stage = Stage::new().await;
    stage.task("sign", SIGN);
    stage
}

#[tokio::test]
async fn thousands_of_open_connections_take_no_place_from_anybody() {
    let stage = stage().await;
    let daemon = stage.daemon().await;
    let before = open_files(&daemon).await;
    let mut crowd = Vec::new();
    for number in 0..CROWD {
        let mut stream = TcpStream::connect(&daemon.address).await.unwrap();
        // Half of them begin a request, and the daemon may have closed the connection by then.
        if number % 2 == 0 {
            let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n").await;
        }
        crowd.push(stream);
    }
    serves(&daemon, &stage).await;
    let during = open_files(&daemon).await;
    assert!(during < before + 140.0, "{before} files were open, and with {CROWD} clients {during}");
    drop(crowd);
    let goes_back = async {
        while open_files(&daemon).await > before + 10.0 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    within_limit(goes_back, || "as few open files as before".to_owned()).await;
    daemon.stop().await;
}

/// Sends headers a byte at a time, and comes back when it is thrown out.
async fn trickle(address: String) {
    loop {
        let Ok(mut stream) = TcpStream::connect(&address).await else { continue };
        for byte in b"GET /metrics HTTP/1.1\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'x')) {
            if stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Asks, and never reads the answer.
async fn ignore(address: String) {
    let Ok(mut stream) = TcpStream::connect(&address).await else { return };
    let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn slow_senders_and_readers_slow_nobody_else_down() {
    let stage = stage().await;
    let daemon = stage.daemon().await;
    let mut crowd = JoinSet::new();
    for _ in 0..200 {
        crowd.spawn(trickle(daemon.address.clone()));
        crowd.spawn(ignore(daemon.address.clone()));
    }
    serves(&daemon, &stage).await;
    crowd.shutdown().await;
    serves(&daemon, &stage).await;
    daemon.stop().await;
}

/// Sends as much as the daemon takes, and returns what it said.
async fn throw(address: &str, head: &str, filler: u8, bytes: usize) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let mut answer = Vec::new();
    let send = async {
        let block = vec![filler; 64 * 1024];
        if writing.write_all(head.as_bytes()).await.is_err() {
            return;
        }
        for _ in 0..bytes / block.len() {
            if writing.write_all(&block).await.is_err() {
                return;
            }
        }
        let _ = writing.shutdown().await;
    };
    // It may reset the connection before everything is sent or read.
    let ((), _) = tokio::join!(send, reading.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_not_kept() {
    const MANY: usize = 64 << 20;
    let stage = stage().await;
    let daemon = stage.daemon().await;
    let resident = async || daemon.metrics().await.metric("process_resident_memory_bytes", &[]).unwrap();
    let before = resident().await;
    let requests = [
        ("an address", "GET /", b'a'),
        ("a header", "GET /livez HTTP/1.1\r\nX: ", b'a'),
        ("headers", "GET /livez HTTP/1.1\r\nX: y\r\n", b'\n'),
        ("a body", "POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n", b'a'),
        ("a body with GET", "GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n", b'a'),
        ("chunks", "POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", b'a'),
        ("a method", "", b'G'),
        ("nothing but zeros", "", 0),
    ];
    for (what, head, filler) in requests {
        let answer = throw(&daemon.address, head, filler, MANY).await;
        let code = answer.split(' ').nth(1).unwrap_or("reset");
        let served = what == "a body with GET" || what == "headers";
        assert!(code.starts_with('4') || code == "reset" || (served && code == "200"), "{what}: {answer}");
        assert_eq!(daemon.get("/livez").await.status, 200, "{what}");
    }
    let after = resident().await;
    assert!(after < before + 16e6, "{before} bytes before, {after} after");
    serves(&daemon, &stage).await;
    daemon.stop().await;
}
