//! The daemon's pages: who may read them, and what they say.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;

use crate::kit::{Invocation, Stage, ask, ask_unix, tool};

#[tokio::test]
async fn only_get_and_head_of_four_pages_are_answered() {
    let stage = Stage::new().await;
    let daemon = stage.daemon().await;
    for page in ["/livez", "/readyz", "/healthz", "/metrics"] {
        let got = daemon.get(page).await;
        assert_eq!(got.status, 200, "{page}: {got:?}");
        assert!(!got.body.is_empty());
        assert_eq!(got.header("cache-control"), Some("no-store"));
        assert_eq!(got.header("x-content-type-options"), Some("nosniff"));
        let head = ask(&daemon.address, &format!("HEAD {page}"), &[]).await;
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{page}");
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            let refused = ask(&daemon.address, &format!("{method} {page}"), &["Content-Length: 0"]).await;
            assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")), "{method} {page}");
        }
    }
    for page in ["/", "/metrics/", "/metrics/../livez", "/status", "/favicon.ico"] {
        assert_eq!(daemon.get(page).await.status, 404, "{page}");
    }
    let health: serde_json::Value = serde_json::from_str(&daemon.get("/healthz").await.body).unwrap();
    assert_eq!((&health["live"], &health["ready"]), (&true.into(), &true.into()), "{health}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_unix_socket_serves_the_same_pages_and_goes_with_the_daemon() {
    let stage = Stage::new().await;
    let socket = stage.workdir().join("http.sock");
    let listen = format!("unix:{}", socket.display());
    stage.write("tgsignd.toml", &stage.settings().replace("127.0.0.1:0", &listen));
    let daemon = stage.daemon().await;
    assert_eq!(daemon.address, listen);
    assert_eq!(ask_unix(&socket, "GET /readyz").await.status, 200);
    assert!(ask_unix(&socket, "GET /metrics").await.body.contains("tgsignd_build_info"));
    daemon.kill9().await;
    // What a killed daemon leaves is no obstacle.
    assert!(socket.exists());
    let daemon = stage.daemon().await;
    assert_eq!(ask_unix(&socket, "GET /livez").await.status, 200);
    daemon.stop().await;
    assert!(!socket.exists());
}

/// A port that was free a moment ago.
fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

#[tokio::test]
async fn on_a_platform_with_port_the_metrics_are_hidden_until_there_is_a_password() {
    let stage = Stage::new().await;
    stage.write("tgsignd.toml", &stage.settings().replace("[http]\nlisten = \"127.0.0.1:0\"\n", ""));
    let port = free_port();
    let local = format!("127.0.0.1:{port}");

    let daemon = stage.daemon_as(stage.tgsignd(&["run"]).variable("PORT", &port)).await;
    assert_eq!(daemon.address, format!("0.0.0.0:{port}"));
    for (page, status) in [("/livez", 200), ("/readyz", 200), ("/metrics", 404), ("/healthz", 404)] {
        assert_eq!(ask(&local, &format!("GET {page}"), &[]).await.status, status, "{page}");
    }
    daemon.stop().await;

    let run = stage.tgsignd(&["run"]).variable("PORT", &port);
    let run = run.variable("TG_SIGNER_WEB_BASIC_AUTH_USERNAME", "me");
    let daemon = stage.daemon_as(run.variable("TG_SIGNER_WEB_BASIC_AUTH_PASSWORD", "planted-basic")).await;
    // printf me:planted-basic | base64
    let right = "Authorization: Basic bWU6cGxhbnRlZC1iYXNpYw==";
    // printf me:wrong | base64
    let wrong = "Authorization: Basic bWU6d3Jvbmc=";
    for page in ["/metrics", "/healthz"] {
        let unknown = ask(&local, &format!("GET {page}"), &[]).await;
        assert_eq!(unknown.status, 401, "{page}");
        assert!(unknown.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Basic")));
        assert_eq!(ask(&local, &format!("GET {page}"), &[wrong]).await.status, 401, "{page}");
        assert_eq!(ask(&local, &format!("GET {page}"), &[right]).await.status, 200, "{page}");
    }
    assert_eq!(ask(&local, "GET /livez", &[]).await.status, 200);
    // Whoever guesses is stopped, even with the right password in the end.
    for _ in 0..10 {
        ask(&local, "GET /metrics", &[wrong]).await;
    }
    let limited = ask(&local, "GET /metrics", &[right]).await;
    assert_eq!(limited.status, 429);
    assert!(limited.header("retry-after").is_some(), "{limited:?}");
    let log = daemon.stop().await;
    assert!(!log.text().contains("planted-basic"));
}

/// `promtool check` reads the format before `OpenMetrics`: a counter's family is called as its series, and there is no end mark.
fn in_the_older_format(page: &str) -> String {
    let counters: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let renamed = |line: &str| match line.splitn(4, ' ').collect::<Vec<_>>()[..] {
        ["#", kind, name, rest] if counters.contains(&name) => format!("# {kind} {name}_total {rest}\n"),
        ["#", "EOF"] => String::new(),
        _ => format!("{line}\n"),
    };
    page.lines().map(renamed).collect()
}

#[tokio::test]
async fn promtool_finds_nothing_to_say_about_the_metrics() {
    let Some(promtool) = tool("promtool") else { return };
    let stage = Stage::new().await;
    stage.task("quick", "schedule = '@yearly'\nchat = '@quick_bot'\nsteps = [{ send = '/sign' }]");
    let daemon = stage.daemon().await;
    stage.tgsignd(&["once", "quick"]).ends().await.success();
    daemon.status_when(|status| status.ledger.sizes.is_some() && status.running.is_empty()).await;
    let page = daemon.metrics().await;
    assert!(page.header("content-type").is_some(), "{page:?}");
    let mut command = Invocation::clean(promtool);
    let mut check = command
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let text = in_the_older_format(&page.body);
    check.stdin.take().unwrap().write_all(text.as_bytes()).await.unwrap();
    let said = check.wait_with_output().await.unwrap();
    assert!(said.status.success(), "{said:?}\n{text}");
    assert!(said.stdout.is_empty() && said.stderr.is_empty(), "{said:?}\n{text}");
    daemon.stop().await;
}
