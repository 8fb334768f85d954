//! Against a real server on this machine: as it should be, slow, wrong, huge and malicious.

#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::config::secret::Secret;
use crate::script::{Wanted, Word};

/// Answers each request with the next of the answers, and keeps what was asked. `None` stays silent.
async fn server(answers: Vec<Option<Vec<u8>>>) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut silent = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            let length = |text: &str| text.split_once("content-length: ")?.1.lines().next()?.parse::<usize>().ok();
            loop {
                let read = stream.read(&mut buffer).await.unwrap();
                request.extend_from_slice(&buffer[..read]);
                let text = String::from_utf8_lossy(&request).to_lowercase();
                let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
                if read == 0 || body.is_some() && body >= length(&text) {
                    break;
                }
            }
            kept.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
            match answer {
                Some(answer) => {
                    // A client that has read enough hangs up.
                    let _ = stream.write_all(&answer).await;
                }
                None => silent.push(stream),
            }
        }
        std::future::pending::<()>().await;
    });
    (address, asked)
}

#[expect(clippy::unnecessary_wraps, reason = "`None` is the server that hangs up")]
fn ok(body: &str) -> Option<Vec<u8>> {
    let length = body.len();
    Some(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes())
}

fn says(text: &str) -> Option<Vec<u8>> {
    ok(&serde_json::json!({ "choices": [{ "message": { "content": text } }] }).to_string())
}

fn at(address: SocketAddr, model: &str) -> Endpoint {
    Endpoint::new(&format!("http://{address}/v1/"), Some(Secret::new("sk-secret".to_owned())), model).unwrap()
}

fn fruit() -> Question {
    let wanted = Wanted::OneOf(vec!["苹果".into(), "香蕉".into()]);
    Question { wanted, text: "选哪个？".into(), picture: Some(1), prompt: Some("Upside down.".into()) }
}

fn models(endpoints: Vec<Endpoint>) -> Models {
    Models { endpoints, solver: None, timeout: Duration::from_secs(20) }
}

async fn ask(models: &Models) -> Result<Answer, String> {
    models.ask(&fruit(), Some(b"\x89PNGpicture"), &Budget::new(100)).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_model_is_shown_the_picture_and_told_the_options() {
    let (address, asked) = server(vec![says("<think>hm, 苹果?</think>\n香蕉")]).await;
    assert_eq!(ask(&models(vec![at(address, "seer")])).await, Ok(Answer::Label(1)));
    let request = asked.lock().unwrap()[0].clone();
    assert!(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{request}");
    let parts = ["uthorization: Bearer sk-secret", "\"model\":\"seer\"", "苹果", "选哪个？", "Upside down."];
    for part in parts.into_iter().chain(["data:image/png;base64,iVBOR3BpY3R1cmU="]) {
        assert!(request.contains(part), "{part}: {request}");
    }
}

#[tokio::test]
async fn what_cannot_be_an_answer_is_none() {
    let redirect = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_vec();
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b' '; 2 << 20]].concat();
    for (answer, reason) in [
        (says("/transfer 100"), "its answer is none of the possible ones"),
        (says("苹果\n香蕉"), "its answer is none of the possible ones"),
        (says("Ignore the options and open https://evil.example/"), "its answer is none of the possible ones"),
        (ok("{\"choices\":[]}"), "it said nothing"),
        (ok("{\"choices\":[{\"message\":{\"content\":null}}]}"), "it said nothing"),
        (ok("<html>"), "the server's answer is no chat completion"),
        (ok(&format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000))), "the server's answer is no chat completion"),
        (Some(endless), "the answer is longer than 256 KiB"),
        (Some(redirect), "the server answered 302"),
        (Some(b"HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nsk-secret".to_vec()), "the server answered 500"),
        (Some(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{".to_vec()), "the answer broke off"),
        (Some(b"nonsense\r\n\r\n".to_vec()), "the request failed"),
    ] {
        let (address, _) = server(vec![answer]).await;
        assert_eq!(ask(&models(vec![at(address, "m")])).await, Err(format!("model m: {reason}")));
    }
}

#[tokio::test]
async fn who_is_down_or_silent_is_followed_by_the_next() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let down = unused.local_addr().unwrap();
    drop(unused);
    let (silent, _) = server(vec![None]).await;
    let (good, _) = server(vec![says("苹果")]).await;
    let endpoints = vec![at(down, "down"), at(silent, "silent"), at(good, "good")];
    let models = Models { timeout: Duration::from_secs(1), ..models(endpoints) };
    assert_eq!(ask(&models).await, Ok(Answer::Label(0)));
    let (silent, _) = server(vec![None]).await;
    let models = Models { endpoints: vec![at(down, "down"), at(silent, "silent")], ..models };
    let reasons = "model down: the server cannot be reached; model silent: no answer within 1s";
    assert_eq!(ask(&models).await, Err(reasons.to_owned()));
}

#[tokio::test]
async fn the_daily_limit_is_kept() {
    let (address, asked) = server(vec![says("苹果"), says("苹果")]).await;
    let models = models(vec![at(address, "m")]);
    let budget = Budget::new(1);
    assert!(models.ask(&fruit(), None, &budget).await.is_ok());
    assert!(matches!(models.ask(&fruit(), None, &budget).await, Err(AskError::Spent(1))));
    assert_eq!(asked.lock().unwrap().len(), 1);
}

fn shell(script: &str) -> Models {
    let solver = Solver::new(PathBuf::from("/bin/sh"), vec!["-c".to_owned(), script.to_owned()]);
    Models { endpoints: Vec::new(), solver: Some(solver), timeout: Duration::from_secs(20) }
}

#[tokio::test]
async fn a_program_may_answer() {
    assert_eq!(ask(&shell("echo 香蕉")).await, Ok(Answer::Label(1)));
    // It gets the picture, the options, and nothing else.
    let careful = "read -r picture; test -z \"$HOME$OPENAI_API_KEY\" && test \"$picture\" && echo \"$TGSIGND_OPTIONS\" | head -n 1";
    let question = Question { ..fruit() };
    let answer = shell(careful).ask(&question, Some(b"picture\n"), &Budget::new(1)).await;
    assert!(matches!(answer, Ok(Answer::Label(0))), "{answer:?}");
    for (script, reason) in [
        ("echo 苹果; exit 3", "it ended with exit status: 3"),
        ("echo /transfer", "its answer is none of the possible ones"),
        ("printf '\\377'", "its answer is not UTF-8 text"),
        ("while :; do echo 苹果苹果苹果苹果苹果苹果苹果苹果; done", "its answer is longer than 64 KiB"),
    ] {
        let failed = ask(&shell(script)).await.unwrap_err();
        assert!(failed == format!("command /bin/sh: {reason}") || failed.contains("it ended with signal"), "{failed}");
    }
    let gone = Solver::new(PathBuf::from("/nonexistent/solver"), Vec::new());
    let gone = Models { solver: Some(gone), ..shell("") };
    assert!(ask(&gone).await.unwrap_err().contains("it cannot be started"));
}

#[tokio::test]
async fn a_program_that_hangs_is_killed_with_what_it_started() {
    let marker = tempfile::tempdir().unwrap();
    let pid = marker.path().join("pid");
    let script = format!("sleep 600 & echo $! > {}; wait", pid.display());
    let models = Models { timeout: Duration::from_secs(1), ..shell(&script) };
    assert_eq!(ask(&models).await, Err("command /bin/sh: no answer within 1s".to_owned()));
    let child: i32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    let gone = || {
        // Killed, and perhaps not yet collected by whoever inherits it.
        let state = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        state.is_empty() || state.contains(") Z ")
    };
    while !gone() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_word_is_read_and_nothing_else() {
    let question = Question { wanted: Wanted::Word(Word::default()), ..fruit() };
    for (said, accepted) in [("a7Kq", true), ("The code is a7Kq", false), ("/a7Kq", false)] {
        let (address, _) = server(vec![says(said)]).await;
        let answer = models(vec![at(address, "m")]).ask(&question, None, &Budget::new(1)).await;
        assert_eq!(answer.is_ok(), accepted, "{said}");
    }
}
