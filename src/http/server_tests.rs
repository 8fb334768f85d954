#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::config::Listen;
use crate::config::secret::Secret;
use crate::http::listen::bind;
use crate::http::metrics::tests::busy_status;

struct Server {
    address: String,
    status: watch::Sender<Arc<Status>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

fn any_port() -> Listen {
    Listen::Tcp("127.0.0.1:0".parse().unwrap())
}

async fn start(guard: Guard) -> Server {
    start_on(&any_port(), guard, Patience::USUAL).await
}

async fn start_on(listen: &Listen, guard: Guard, patience: Patience) -> Server {
    let mut fresh = busy_status();
    fresh.heartbeat = chrono::Utc::now();
    let (status, receiver) = watch::channel(Arc::new(fresh));
    let listener = bind(listen).await.unwrap();
    let address = listener.address();
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(serve_with(patience, listener, receiver, guard, async move {
        let _ = stopped.await;
    }));
    Server { address, status, stop, task }
}

impl Server {
    async fn send(&self, request: &str) -> String {
        exchange(TcpStream::connect(&self.address).await.unwrap(), request).await
    }

    async fn get(&self, path: &str) -> String {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await
    }
}

async fn exchange(mut stream: impl Stream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn code(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[tokio::test]
async fn every_page_answers_and_nothing_else_does() {
    let server = start(Guard::Proxy).await;
    for (path, expected) in [("/metrics", "# EOF\n"), ("/livez", "live\n"), ("/readyz", "ready\n"), ("/healthz", "}\n")]
    {
        let answer = server.get(path).await;
        assert_eq!(code(&answer), "200", "{answer}");
        assert!(answer.ends_with(expected), "{answer}");
        let head = server.send(&format!("HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert_eq!(code(&head), "200");
        assert!(head.ends_with("\r\n\r\n") && head.contains("content-length: "), "{head}");
    }
    for path in ["/", "/metrics/", "/etc/passwd", "//metrics", "/debug"] {
        assert_eq!(code(&server.get(path).await), "404", "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "NONSENSE"] {
        let answer = server.send(&format!("{method} /metrics HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert_eq!(code(&answer), "405", "{method}");
        assert!(answer.contains("allow: GET, HEAD\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn every_answer_is_safe_for_browsers_and_caches() {
    let server = start(Guard::Proxy).await;
    for path in ["/metrics", "/healthz", "/none"] {
        let answer = server.get(path).await.to_lowercase();
        for header in [
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "content-security-policy: default-src 'none'",
        ] {
            assert!(answer.contains(&format!("\r\n{header}\r\n")), "{header} in {answer}");
        }
        assert!(!answer.contains("\r\nserver:"), "{answer}");
    }
    let metrics = server.get("/metrics").await;
    assert!(metrics.contains(&format!("content-type: {}\r\n", crate::http::metrics::CONTENT_TYPE)), "{metrics}");
}

#[tokio::test]
async fn pages_follow_the_status() {
    let server = start(Guard::Proxy).await;
    server.status.send_modify(|status| Arc::make_mut(status).ledger.ready = false);
    let answer = server.get("/readyz").await;
    assert_eq!(code(&answer), "503");
    assert!(answer.contains("retry-after: 5\r\n"), "{answer}");
    assert_eq!(code(&server.get("/healthz").await), "503");
    assert_eq!(code(&server.get("/livez").await), "200");
    server.status.send_modify(|status| Arc::make_mut(status).heartbeat -= chrono::TimeDelta::hours(1));
    assert_eq!(code(&server.get("/livez").await), "503");
}

#[tokio::test]
async fn a_closed_guard_hides_what_is_not_for_everybody() {
    let server = start(Guard::Closed).await;
    for (path, expected) in [("/metrics", "404"), ("/healthz", "404"), ("/livez", "200"), ("/readyz", "200")] {
        assert_eq!(code(&server.get(path).await), expected, "{path}");
    }
}

#[tokio::test]
async fn basic_auth_asks_opens_and_slows_guessing() {
    let guard = Guard::Basic { username: "alice".to_owned(), password: Secret::new("secret".to_owned()) };
    let server = start(guard).await;
    let with =
        |credentials: &str| format!("GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n\r\n");
    let challenge = server.get("/healthz").await;
    assert!(
        code(&challenge) == "401" && challenge.contains("www-authenticate: Basic realm=\"tgsignd\""),
        "{challenge}"
    );
    assert_eq!(code(&server.send(&with("YWxpY2U6c2VjcmV0")).await), "200");
    for _ in 0..10 {
        assert_eq!(code(&server.send(&with("YWxpY2U6d3Jvbmc=")).await), "401");
    }
    let limited = server.send(&with("YWxpY2U6c2VjcmV0")).await;
    assert!(code(&limited) == "429" && limited.contains("retry-after: "), "{limited}");
    assert_eq!(code(&server.get("/livez").await), "200");
}

#[tokio::test]
async fn a_unix_socket_answers_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let server = start_on(&Listen::Unix(path.clone()), Guard::Proxy, Patience::USUAL).await;
    let stream = UnixStream::connect(&path).await.unwrap();
    assert_eq!(code(&exchange(stream, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await), "200");
    server.stop.send(()).unwrap();
    server.task.await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn heads_that_are_too_large_or_nonsense_are_refused() {
    let server = start(Guard::Proxy).await;
    let long = format!("GET /livez HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(BUFFER));
    let many = format!("GET /livez HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(MAX_HEADERS + 1));
    for request in [long.as_str(), many.as_str(), "\0\0\0\0\r\n\r\n"] {
        let answer = server.send(request).await;
        assert!(code(&answer).starts_with('4'), "{answer}");
    }
    assert_eq!(code(&server.get("/livez").await), "200");
}

async fn hold_all_places(server: &Server) -> Vec<TcpStream> {
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        idle.push(TcpStream::connect(&server.address).await.unwrap());
    }
    idle
}

#[tokio::test]
async fn a_newcomer_takes_the_place_of_whoever_has_held_one_longest() {
    let server = start(Guard::Proxy).await;
    let mut idle = hold_all_places(&server).await;
    // Connections are accepted in order: this one finds all places taken.
    assert_eq!(code(&server.get("/livez").await), "200");
    let end = idle[0].read_to_end(&mut Vec::new()).await;
    assert!(matches!(end, Ok(0)) || end.is_err(), "{end:?}");
    let youngest = idle.pop().unwrap();
    assert_eq!(code(&exchange(youngest, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await), "200");
}

#[tokio::test]
async fn who_never_finishes_a_head_is_cut_off() {
    for patience in [
        Patience { head: Duration::from_millis(20), ..Patience::USUAL },
        Patience { request: Duration::from_millis(20), ..Patience::USUAL },
    ] {
        let server = start_on(&any_port(), Guard::Proxy, patience).await;
        for mut connection in hold_all_places(&server).await {
            // It may have been cut off before this arrives.
            let _ = connection.write_all(b"GET /livez HTTP/1.1\r\n").await;
            let end = connection.read_to_end(&mut Vec::new()).await;
            assert!(matches!(end, Ok(0)) || end.is_err(), "{patience:?}: {end:?}");
        }
        assert_eq!(code(&server.get("/livez").await), "200");
    }
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_idle_clients() {
    let patience = Patience { drain: Duration::ZERO, ..Patience::USUAL };
    let server = start_on(&any_port(), Guard::Proxy, patience).await;
    let mut idle = TcpStream::connect(&server.address).await.unwrap();
    server.stop.send(()).unwrap();
    server.task.await.unwrap();
    let end = idle.read_to_end(&mut Vec::new()).await;
    assert!(matches!(end, Ok(0)) || end.is_err(), "{end:?}");
    assert!(TcpStream::connect(&server.address).await.is_err());
}
