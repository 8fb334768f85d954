//! Secrets that are planted everywhere and must turn up nowhere.

use std::fmt::Write as _;
use std::path::Path;

use telegram_sim::{Fault, derived_key};

use crate::kit::{Stage, ask, world};

const API_HASH: &str = "planted-api-hash";
const SEED: &str = "planted-key-seed";
const PROXY_PASSWORD: &str = "planted-proxy-password";
const BASIC: &str = "planted-basic-password";
const PHONES: [&str; 2] = ["+10000000001", "10000000003"];
const CODE: &str = "24680";
const TWO_STEP: &str = "correct horse";
/// printf me:planted-basic-password | base64
const AUTHORIZATION: &str = "Authorization: Basic bWU6cGxhbnRlZC1iYXNpYy1wYXNzd29yZA==";

/// What must not be seen, with a name for it.
fn secrets() -> Vec<(String, String)> {
    let mut secrets: Vec<(String, String)> = [API_HASH, SEED, PROXY_PASSWORD, BASIC, CODE, TWO_STEP]
        .into_iter()
        .chain(PHONES)
        .map(|secret| (secret.to_owned(), secret.to_owned()))
        .collect();
    let key = derived_key(SEED, "alice");
    let hex = key[..16].iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    });
    let numbers: Vec<String> = key[..6].iter().map(u8::to_string).collect();
    secrets.push(("alice's key in hex".to_owned(), hex));
    secrets.push(("alice's key as numbers".to_owned(), numbers.join(", ")));
    secrets.push(("alice's key as JSON".to_owned(), numbers.join(",")));
    secrets
}

#[track_caller]
fn assert_clean(what: &str, text: &str) {
    for (name, secret) in secrets() {
        assert!(!text.contains(&secret), "{name} is in {what}:\n{text}");
    }
}

/// The texts of all files below a folder.
fn texts(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(texts(&path));
        } else {
            found.push((
                path.display().to_string(),
                String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned(),
            ));
        }
    }
    found
}

#[tokio::test]
async fn no_secret_is_in_anything_that_people_or_programs_read() {
    let stage = Stage::of(world().key_seed(SEED)).await;
    stage.sign_in("alice", 1001);
    let settings =
        stage.settings().replace("[telegram]\n", &format!("[telegram]\napi_id = 77\napi_hash = '{API_HASH}'\n"));
    stage.write("tgsignd.toml", &settings);
    stage.write(
        "accounts/alice.toml",
        &format!("[accounts.alice]\nphone = '{}'\n[accounts.carol]\n[accounts.dave]\n", PHONES[0]),
    );
    let proxied = format!("[accounts.bob]\nproxy = 'socks5://me:{PROXY_PASSWORD}@127.0.0.1:1'\n");
    stage.write("accounts/bob.toml", &proxied);
    std::fs::copy(stage.session("alice"), stage.session("bob")).unwrap();
    let keys = "schedule = '@yearly'\nchat = '@quick_bot'\nsteps = [{ send = '/sign' }]\nretry = { attempts = 1 }";
    for account in ["alice", "bob", "carol", "dave"] {
        stage.task(account, &format!("accounts = ['{account}']\n{keys}"));
    }

    let run = stage.tgsignd(&["run", "-vv"]).variable("TG_SIGNER_WEB_BASIC_AUTH_USERNAME", "me");
    let daemon = stage.daemon_as(run.variable("TG_SIGNER_WEB_BASIC_AUTH_PASSWORD", BASIC)).await;

    // The proxy is not there, which takes a while to find out; meanwhile all goes well, Telegram refuses, a connection breaks.
    let without_proxy = tokio::spawn(stage.tgsignd(&["once", "bob"]).ends());
    let mut said = String::new();
    let mut say = |ended: crate::kit::Ended| write!(said, "{}{}", ended.stdout, ended.stderr).unwrap();
    say(stage.tgsignd(&["once", "alice"]).ends().await);
    stage.centre.inject("messages.sendMessage", Fault::error(400, "INPUT_USER_DEACTIVATED"));
    say(stage.tgsignd(&["once", "alice"]).ends().await);
    stage.centre.inject("messages.sendMessage", Fault::DropAfter);
    say(stage.tgsignd(&["once", "alice"]).ends().await);
    let phone = PHONES[1];
    say(stage.tgsignd(&["login", "carol"]).typing(&format!("+{phone}\n{CODE}9\n{CODE}\n")).ends().await);
    say(stage
        .tgsignd(&["login", "dave"])
        .typing(&format!("+10000000004\n12345\n{TWO_STEP}r\n{TWO_STEP}\n"))
        .ends()
        .await);
    stage.centre.forget_key("alice");
    say(stage.tgsignd(&["once", "alice"]).ends().await);
    for arguments in [
        &["status"][..],
        &["status", "--format", "json"],
        &["check"],
        &["check", "--resolve", "--format", "json"],
        &["plan", "--next", "400d"],
        &["logs"],
        &["logs", "--format", "json"],
    ] {
        say(stage.tgsignd(arguments).ends().await);
    }

    say(without_proxy.await.unwrap());

    // Errors beside every secret: the reader is shown where, and never what.
    stage.write("tgsignd.toml", &settings.replace(&format!("'{API_HASH}'"), &format!("'{API_HASH}' x")));
    daemon.line(|line| line.field("level") == "ERROR" && line.message().starts_with("tgsignd.toml:")).await;
    say(stage.tgsignd(&["check"]).ends().await);
    stage.write("tgsignd.toml", &settings.replace(SEED, &format!("{SEED}\" x = \"")));
    say(stage.tgsignd(&["check"]).ends().await);
    stage.write("accounts/bob.toml", &proxied.replace("socks5", "http"));
    say(stage.tgsignd(&["check"]).ends().await);
    say(stage.tgsignd(&["status"]).ends().await);
    assert_clean("what the commands said", &said);
    assert!(said.contains("alice: succeeded") && said.contains("carol is signed in"), "{said}");

    for page in ["/metrics", "/healthz"] {
        let got = ask(&daemon.address, &format!("GET {page}"), &[AUTHORIZATION]).await;
        assert_eq!(got.status, 200);
        assert_clean(page, &got.body);
    }
    let log = daemon.stop().await;
    assert!(log.lines().iter().any(|line| ["DEBUG", "TRACE"].contains(&line.field("level"))), "the log is verbose");
    assert_clean("the log", &log.text());
    let transcripts = texts(&stage.datadir().join("logs"));
    assert!(transcripts.len() >= 4, "{transcripts:?}");
    for (file, text) in transcripts {
        assert_clean(&file, &text);
    }
    for (file, text) in
        texts(&stage.datadir().join("state")).into_iter().filter(|(file, _)| !file.contains("last-good"))
    {
        assert_clean(&file, &text);
    }
}
