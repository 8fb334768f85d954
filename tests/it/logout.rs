//! `tgsignd logout`.

use telegram_sim::{Event, Fault};

use crate::kit::Stage;

const SIGN: &str = "schedule = '@yearly'\nchat = '@quick_bot'\nsteps = [{ send = '/sign' }]";

/// How often an account ended its session.
fn signed_out(stage: &Stage) -> usize {
    stage.centre.log().iter().filter(|entry| matches!(entry.event, Event::SignedOut)).count()
}

#[tokio::test]
async fn the_session_ends_at_telegram_and_here_with_and_without_a_daemon() {
    for connect in [None, Some("on-demand"), Some("always")] {
        let stage = Stage::new().await;
        stage.task("sign", SIGN);
        if let Some(connect) = connect {
            let telegram = format!("[telegram]\nconnect = '{connect}'");
            stage.write("tgsignd.toml", &stage.settings().replace("[telegram]", &telegram));
        }
        let daemon = if connect.is_some() { Some(stage.daemon().await) } else { None };
        if let Some(daemon) = &daemon {
            stage.tgsignd(&["once", "sign"]).ends().await.success();
            daemon.status_when(|status| status.accounts["alice"].authorized == Some(true)).await;
        }
        let told = stage.tgsignd(&["logout", "alice"]).ends().await.success();
        assert!(told.contains("alice is signed out, and its session is deleted."), "{told}");
        assert_eq!(told.contains("The running daemon uses it no longer."), daemon.is_some(), "{told}");
        assert_eq!(signed_out(&stage), 1, "{connect:?}");
        assert!(!stage.session("alice").exists() && !stage.session("alice").with_extension("session-logout").exists());

        let once = stage.tgsignd(&["once", "sign"]).ends().await;
        assert!(format!("{}{}", once.stdout, once.stderr).contains("tgsignd login alice"), "{once:?}");
        stage.tgsignd(&["logout", "alice"]).ends().await.fails_with(1, &["alice is not signed in"]);
        if let Some(daemon) = daemon {
            daemon.status_when(|status| status.accounts["alice"].authorized == Some(false)).await;
            daemon.stop().await;
        }
    }
}

#[tokio::test]
async fn an_account_that_cannot_be_signed_out_keeps_its_session() {
    let stage = Stage::new().await;
    stage.task("sign", SIGN);
    let before = std::fs::read(stage.session("alice")).unwrap();
    stage.centre.inject("auth.logOut", Fault::Ignore);
    let ended = stage.tgsignd(&["logout", "alice"]).ends().await;
    ended.fails_with(75, &["alice stays signed in", "no answer from Telegram"]);
    assert_eq!(std::fs::read(stage.session("alice")).unwrap(), before);
    stage.tgsignd(&["once", "sign"]).ends().await.success();
}

#[tokio::test]
async fn a_session_that_telegram_ended_is_deleted() {
    let stage = Stage::new().await;
    stage.task("sign", SIGN);
    stage.centre.revoke("alice");
    stage.tgsignd(&["logout", "alice"]).ends().await.success();
    assert!(!stage.session("alice").exists());
}

#[tokio::test]
async fn who_is_not_in_the_workdir_is_named() {
    let stage = Stage::new().await;
    stage.tgsignd(&["logout", "mallory"]).ends().await.fails_with(2, &["there is no account mallory"]);
}
