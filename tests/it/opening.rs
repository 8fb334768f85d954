//! The step `open`, against a real HTTPS server on this machine.

use std::sync::Arc;

use telegram_sim::{Event, World};

use crate::kit::{Https, Stage, authority, ok};

const ALICE: &str =
    "[accounts.alice]\nphone = \"+10000000001\"\nuser_id = 1001\nfirst_name = \"Alice\"\nsigned_in = true\n";

fn flow(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/flows").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The flow `page`, on this port instead of its own.
async fn stage(port: u16, change: impl Fn(String) -> String) -> Arc<Stage> {
    let placed = |text: String| text.replace("localhost:8443", &format!("localhost:{port}"));
    let bot = placed(flow("page.bot.toml"));
    let stage = Stage::of(World::from_toml(&format!("{ALICE}{bot}")).unwrap()).await;
    stage.sign_in("alice", 1001);
    stage.write("page.toml", &change(placed(flow("page.toml"))));
    Arc::new(stage)
}

async fn run(stage: &Stage) -> String {
    let once = stage.tgsignd(&["once", "page"]).variable("SSL_CERT_FILE", authority()).ends().await;
    format!("{}{}", once.stdout, once.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_learns_who_opens_it_and_the_bot_says_the_rest() {
    // The bot hears of it when the page is opened: the server tells it through this.
    let (opened, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let server = Https::start(move |_| {
        let _ = opened.send(());
        ok("<script>location = 'https://evil.example/'</script>签到失败")
    });
    let stage = stage(server.address.port(), |flow| flow).await;
    let bot = Arc::clone(&stage);
    tokio::spawn(async move {
        heard.recv().await;
        bot.centre.bot_says("page", "alice", "签到成功，积分 +1");
    });
    let said = run(&stage).await;
    assert!(said.contains("alice: succeeded: the bot said"), "{said}");
    let requests = server.requests();
    assert_eq!(requests.len(), 1, "once, and nothing that the page asks for: {requests:?}");
    assert_eq!(requests[0].line, "GET /checkin?id=1001&hash=simulated HTTP/1.1");
    assert!(requests[0].headers.iter().any(|header| header.to_lowercase().starts_with("user-agent: tgsignd/")));
    let accepted = |event: &Event| matches!(event, Event::LoginAccepted { .. });
    assert_eq!(stage.centre.log().iter().filter(|entry| accepted(&entry.event)).count(), 1);
    let logs = stage.tgsignd(&["logs", "--format", "json"]).ends().await.success();
    assert!(!logs.contains("hash=simulated"), "what tells who opens a page is a secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_authorise_the_page_learns_nothing() {
    let server = Https::start(|_| ok(""));
    let stage = stage(server.address.port(), |flow| {
        flow.replace(", authorise = true", "")
            .replace("{ expect = '签到成功', within = \"1m\" },", "{ wait = \"1s\" },")
    })
    .await;
    run(&stage).await;
    assert_eq!(server.requests()[0].line, "GET /checkin HTTP/1.1");
    assert!(!stage.centre.log().iter().any(|entry| matches!(entry.event, Event::LoginAccepted { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_elsewhere_is_not_opened_and_a_refusal_is_no_sign_in() {
    let elsewhere = Https::start(|_| ok(""));
    let at = elsewhere.address.port();
    let server = Https::start(move |request| {
        if request.line.contains("checkin") {
            format!("HTTP/1.1 302 Found\r\nLocation: https://localhost:{at}/\r\nContent-Length: 0\r\n\r\n")
        } else {
            String::new()
        }
    });
    let redirected = stage(server.address.port(), |flow| flow.replace("within = \"1m\"", "within = \"1s\"")).await;
    let said = run(&redirected).await;
    assert!(said.contains("alice: unknown: it is not known whether step 2 was carried out"), "{said}");
    assert_eq!((server.requests().len(), elsewhere.requests().len()), (1, 0), "the redirect leads to an unnamed host");

    let named = stage(at, |flow| flow.replace(&format!("localhost:{at}"), "sign.example")).await;
    let said = run(&named).await;
    assert!(said.contains(&format!("leads to localhost:{at}, which the step does not name under `hosts`")), "{said}");
    assert_eq!(elsewhere.requests().len(), 0);

    let refusing = Https::start(|_| "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_owned());
    let refused = stage(refusing.address.port(), |flow| flow).await;
    let said = run(&refused).await;
    assert!(said.contains("alice: failed: step 2 was not done: localhost answered 403"), "{said}");

    let untrusted = stage(refusing.address.port(), |flow| flow).await;
    let once = untrusted.tgsignd(&["once", "page"]).ends().await;
    assert!(once.stdout.contains("localhost cannot be reached"), "{once:?}");
    assert_eq!(refusing.requests().len(), 1, "a certificate that nobody vouches for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_asked_over_https() {
    let server = Https::start(|request| {
        assert!(request.line.starts_with("POST /v1/chat/completions"), "{request:?}");
        assert!(request.body.contains("data:image/png;base64,"), "{request:?}");
        ok(r#"{"choices":[{"message":{"content":"红"}}]}"#)
    });
    let bot = flow("image.bot.toml");
    let stage = Stage::of(World::from_toml(&format!("{ALICE}{bot}")).unwrap()).await;
    stage.sign_in("alice", 1001);
    stage.write("flow.toml", &flow("image.toml"));
    let port = server.address.port();
    stage.write(
        "tgsignd.toml",
        &format!("{}\n[ai]\nbase_url = \"https://localhost:{port}/v1\"\nmodel = \"seer\"\n", stage.settings()),
    );
    let once = stage.tgsignd(&["once", "image"]).variable("SSL_CERT_FILE", authority()).ends().await;
    assert!(once.success().contains("alice: succeeded"));
    assert_eq!(server.requests().len(), 1);
    let distrusting = stage.tgsignd(&["once", "image"]).ends().await;
    assert!(distrusting.stdout.contains("the server cannot be reached"), "{distrusting:?}");
}
