//! `tgsignd login`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use telegram_sim::{Event, Fault};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::kit::{Invocation, LOOK_AGAIN, Stage, tool, within_limit, world};

const SIGN: &str = "schedule = '@yearly'\nchat = '@quick_bot'\nsteps = [{ send = '/sign' }]";

async fn stage() -> Stage {
    let stage = Stage::of(world()).await;
    stage.write("accounts.toml", "[accounts.carol]\n[accounts.dave]\nphone = '+10000000004'\n");
    stage
}

fn mode(stage: &Stage, account: &str) -> u32 {
    std::fs::metadata(stage.session(account)).unwrap().permissions().mode() & 0o777
}

/// Names of the files in the sessions folder.
fn sessions(stage: &Stage) -> Vec<String> {
    let folder = std::fs::read_dir(stage.datadir().join("sessions")).unwrap();
    folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_wrong_code_is_asked_for_again() {
    let stage = stage().await;
    let login = stage.tgsignd(&["login", "carol"]).typing("\n+1 (000) 000-0003\n11111\n24680\n").ends().await;
    assert!(login.stderr.contains("Wrong code."), "{login:?}");
    assert!(login.stderr.contains("Phone number with country code"), "{login:?}");
    assert_eq!(login.success(), "carol is signed in as Carol (id 1003).\n");
    assert_eq!(mode(&stage, "carol"), 0o600);
    let refused = |event: &Event| matches!(event, Event::CodeRefused { .. });
    assert_eq!(stage.centre.log().iter().filter(|entry| refused(&entry.event)).count(), 1);

    stage.task("sign", &format!("{SIGN}\naccounts = ['carol']"));
    stage.tgsignd(&["once", "sign"]).ends().await.success();
    assert_eq!(stage.sent("carol", "quick"), ["/sign"]);
}

#[tokio::test]
async fn a_wrong_password_is_asked_for_again_and_never_shown() {
    let stage = stage().await;
    let login = stage.tgsignd(&["login", "dave"]).typing("12345\nwrong horse\ncorrect horse\n").ends().await;
    assert!(login.stderr.contains("Wrong password."), "{login:?}");
    assert!(!login.stderr.contains("horse") && !login.stdout.contains("horse"), "{login:?}");
    assert!(!login.stderr.contains("12345"), "{login:?}");
    assert_eq!(login.success(), "dave is signed in as Dave (id 1004).\n");
    assert_eq!(mode(&stage, "dave"), 0o600);
}

#[tokio::test]
async fn a_login_that_fails_leaves_nothing_behind_and_spares_the_old_session() {
    let stage = stage().await;
    for (typed, says) in [
        ("+10000000003\n", "no answer on the terminal"),
        ("+10000000003\n1\n2\n3\n4\n5\n6\n", "5 wrong entries"),
        ("+19999999999\n+19999999998\n", "no answer on the terminal"),
    ] {
        stage.tgsignd(&["login", "carol"]).typing(typed).ends().await.fails_with(1, &["not signed in", says]);
        assert_eq!(sessions(&stage), [""; 0], "{typed:?}");
    }
    stage.tgsignd(&["login", "carol"]).typing("+10000000003\n24680\n").ends().await.success();
    let before = std::fs::read(stage.session("carol")).unwrap();
    stage.tgsignd(&["login", "carol"]).typing("+10000000003\n").ends().await.fails_with(1, &["not signed in"]);
    assert_eq!(sessions(&stage), ["carol.session"]);
    assert_eq!(std::fs::read(stage.session("carol")).unwrap(), before);
}

#[tokio::test]
async fn a_login_without_network_is_for_later() {
    let stage = stage().await;
    stage.centre.stop();
    let login = stage.tgsignd(&["login", "dave"]).typing("12345\n").ends().await;
    login.fails_with(75, &["not signed in", "no connection to Telegram"]);
    assert_eq!(sessions(&stage), [""; 0]);
}

#[tokio::test]
async fn an_answer_that_never_comes_ends_the_login() {
    let calls = ["auth.sendCode", "auth.signIn", "account.getPassword", "auth.checkPassword"];
    let logins: tokio::task::JoinSet<()> = calls
        .into_iter()
        .map(|call| async move {
            let stage = stage().await;
            stage.centre.inject(call, Fault::Ignore);
            let login = stage.tgsignd(&["login", "dave"]).typing("12345\ncorrect horse\n").ends().await;
            login.fails_with(75, &["not signed in", "no answer from Telegram within 30s"]);
            assert_eq!(sessions(&stage), [""; 0], "{call}");
        })
        .collect();
    logins.join_all().await;
}

#[tokio::test]
async fn a_running_daemon_uses_the_new_session_at_once() {
    let stage = stage().await;
    stage.task("sign", &format!("{SIGN}\naccounts = ['carol']"));
    let daemon = stage.daemon().await;
    let before = stage.tgsignd(&["once", "sign"]).ends().await;
    assert_eq!(before.code, Some(1), "{before:?}");
    let signed_out = daemon.status_when(|status| status.accounts["carol"].authorized == Some(false)).await;
    assert!(signed_out.accounts["carol"].error.as_ref().unwrap().contains("tgsignd login carol"));
    daemon.line(|line| line.field("alarm") == "logged_out" && line.field("account") == "carol").await;
    assert_eq!(daemon.metrics().await.metric("tgsignd_account_authorized", &[("account", "carol")]), Some(0.0));

    let login = stage.tgsignd(&["login", "carol"]).typing("+10000000003\n24680\n").ends().await.success();
    assert!(login.contains("The running daemon uses the new session from now on."), "{login}");
    let signed_in = daemon.status_when(|status| status.accounts["carol"].authorized == Some(true)).await;
    assert_eq!(signed_in.accounts["carol"].error, None);
    stage.tgsignd(&["once", "sign"]).ends().await.success();

    // And once more, with a connection that is open and a session that Telegram ended.
    stage.centre.revoke("carol");
    assert_eq!(stage.tgsignd(&["once", "sign"]).ends().await.code, Some(1));
    daemon.status_when(|status| status.accounts["carol"].authorized == Some(false)).await;
    stage.tgsignd(&["login", "carol"]).typing("+10000000003\n24680\n").ends().await.success();
    stage.tgsignd(&["once", "sign"]).ends().await.success();
    daemon.stop().await;
}

/// Waits until the login has opened its terminal, which it does to turn the echo off, after the question was shown.
async fn terminal_is_opened(stage: &Stage) {
    let datadir = stage.datadir().to_str().unwrap().to_owned();
    let is_login = |process: &Path| {
        std::fs::read_link(process.join("exe")).is_ok_and(|program| program.ends_with("tgsignd"))
            && std::fs::read_to_string(process.join("cmdline")).is_ok_and(|line| line.contains(&datadir))
    };
    let has_terminal = |process: &Path| {
        let files = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        files.filter_map(|file| std::fs::read_link(file.path()).ok()).any(|file| file == Path::new("/dev/tty"))
    };
    loop {
        let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        if processes.filter(|process| is_login(process)).any(|process| has_terminal(&process)) {
            return;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

#[tokio::test]
async fn a_terminal_does_not_show_the_password() {
    let Some(script) = tool("script") else { return };
    let stage = stage().await;
    let login = stage.tgsignd(&["login", "dave"]).line();
    let mut command: Command = Invocation::clean(script);
    command.args(["--quiet", "--return", "--command", &login, "/dev/null"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut keyboard = child.stdin.take().unwrap();
    // A terminal echoes what is typed before it is asked for, so every answer waits for its question.
    stage.sees_call("auth.sendCode").await;
    keyboard.write_all(b"12345\n").await.unwrap();
    stage.sees_call("account.getPassword").await;
    let mut screen = String::new();
    let mut shown = child.stdout.take().unwrap();
    within_limit(crate::kit::read_until(&mut shown, &mut screen, "password"), || "the question".to_owned()).await;
    within_limit(terminal_is_opened(&stage), || "the terminal without echo".to_owned()).await;
    keyboard.write_all(b"correct horse\n").await.unwrap();
    within_limit(crate::kit::read_until(&mut shown, &mut screen, "dave is signed in as Dave"), || {
        "the end of the login".to_owned()
    })
    .await;
    assert!(!screen.contains("horse"), "{screen}");
    drop(keyboard);
    assert!(within_limit(child.wait(), || "the end of script".to_owned()).await.unwrap().success());
}
