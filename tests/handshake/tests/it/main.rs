//! What needs a client that can exchange keys: the first login, and keys that the data centre has forgotten.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../../it/kit/mod.rs"]
#[allow(dead_code, unused_imports, reason = "more is used by the tests of the whole")]
mod kit;

use grammers_session::Session;
use kit::{Daemon, Ended, Stage, world};
use telegram_sim::{Event, Fault, Mode};
use tgsignd::config::TestDataCentre;
use tgsignd::telegram::data_centre::DataCentres;
use tgsignd::telegram::session::SessionFile;

/// What `kit` starts.
const PROGRAM: &str = env!("CARGO_BIN_EXE_tgsignd-handshake");

const SIGN: &str = "schedule = '@yearly'\nchat = '@quick_bot'\nsteps = [{ send = '/sign' }]";

/// Carol has no key, and nobody told the daemon what keys there are.
async fn stage() -> Stage {
    let stage = Stage::of(world()).await;
    let keyless = format!("test_data_centres = [{{ id = 2, address = '{}' }}]\n", stage.centre.address());
    stage.write("tgsignd.toml", &stage.settings().replace(&stage.centre.daemon_config(), &keyless));
    stage.write("accounts.toml", "[accounts.carol]\n");
    stage.task("sign", SIGN);
    stage
}

async fn login(stage: &Stage) -> Ended {
    stage.tgsignd(&["login", "carol"]).typing("+10000000003\n24680\n").ends().await
}

fn exchanges(stage: &Stage) -> usize {
    stage.centre.log().iter().filter(|entry| entry.event == Event::KeyExchanged).count()
}

/// The key in the session file.
fn key(stage: &Stage) -> [u8; 256] {
    let centres =
        DataCentres::Simulated(vec![TestDataCentre { id: 2, address: stage.centre.address(), key_seed: None }]);
    let session = SessionFile::open(&stage.datadir().join("sessions"), "carol", &centres).unwrap();
    session.dc_option(2).unwrap().unwrap().auth_key.unwrap()
}

#[tokio::test]
async fn a_first_login_agrees_on_a_key_that_is_used_from_then_on() {
    let stage = stage().await;
    assert_eq!(login(&stage).await.success(), "carol is signed in as Carol (id 1003).\n");
    assert_eq!(exchanges(&stage), 1);
    let daemon = stage.daemon().await;
    for _ in 0..2 {
        stage.tgsignd(&["once", "sign"]).ends().await.success();
        stage.centre.kill_connections();
    }
    assert_eq!(stage.sent("carol", "quick"), ["/sign", "/sign"]);
    assert_eq!(exchanges(&stage), 1);
    daemon.stop().await;
}

/// The data centre has forgotten the key: it is kept all the same, everybody is told, and it works again once it is known.
async fn a_forgotten_key_is_kept(stage: &Stage, daemon: Daemon) {
    let (before, key) = (std::fs::read(stage.session("carol")).unwrap(), key(stage));
    let known = exchanges(stage);
    stage.centre.forget_key("carol");
    // On an open connection the first call breaks it, and only the next connection is refused.
    let refused = stage.tgsignd(&["once", "sign"]).ends().await;
    assert!(matches!(refused.code, Some(1 | 75)), "{refused:?}");
    let status = daemon.status_when(|status| status.accounts["carol"].authorized == Some(false)).await;
    let error = status.accounts["carol"].error.clone().unwrap();
    assert!(error.contains("does not know this session's key; it was kept"), "{error}");
    let alarm = daemon.line(|line| line.field("alarm") == "logged_out").await;
    assert_eq!((alarm.field("account"), alarm.field("level")), ("carol", "ERROR"));
    assert_eq!(daemon.metrics().await.metric("tgsignd_account_authorized", &[("account", "carol")]), Some(0.0));
    assert_eq!(daemon.get("/livez").await.status, 200);
    assert!(exchanges(stage) > known, "grammers has made a new key, which was not taken:\n{}", daemon.log.text());
    assert_eq!(std::fs::read(stage.session("carol")).unwrap(), before);

    stage.centre.add_key(key, Some("carol"));
    stage.tgsignd(&["once", "sign"]).ends().await.success();
    daemon.status_when(|status| status.accounts["carol"].authorized == Some(true)).await;
    assert_eq!(std::fs::read(stage.session("carol")).unwrap(), before);
    daemon.stop().await;
}

#[tokio::test]
async fn a_key_that_is_unknown_when_connecting_is_kept() {
    let stage = stage().await;
    login(&stage).await.success();
    let daemon = stage.daemon().await;
    a_forgotten_key_is_kept(&stage, daemon).await;
}

#[tokio::test]
async fn a_key_that_becomes_unknown_while_connected_is_kept() {
    let stage = stage().await;
    login(&stage).await.success();
    let settings = std::fs::read_to_string(stage.workdir().join("tgsignd.toml")).unwrap();
    stage.write("tgsignd.toml", &settings.replace("[telegram]\n", "[telegram]\nconnect = 'always'\n"));
    let daemon = stage.daemon().await;
    daemon.status_when(|status| status.accounts["carol"].connected).await;
    stage.tgsignd(&["once", "sign"]).ends().await.success();
    a_forgotten_key_is_kept(&stage, daemon).await;
}

#[tokio::test]
async fn a_key_that_was_kept_is_replaced_by_a_login_only() {
    let stage = stage().await;
    login(&stage).await.success();
    let old = key(&stage);
    let daemon = stage.daemon().await;
    stage.centre.forget_key("carol");
    assert_ne!(stage.tgsignd(&["once", "sign"]).ends().await.code, Some(0));
    assert_eq!(key(&stage), old);
    login(&stage).await.success();
    assert_ne!(key(&stage), old);
    stage.tgsignd(&["once", "sign"]).ends().await.success();
    daemon.stop().await;
}

#[tokio::test]
async fn an_exchange_that_breaks_off_leaves_nothing_behind() {
    let questions = ["req_pq_multi", "req_DH_params", "set_client_DH_params"];
    for question in questions {
        for fault in [Fault::Drop, Fault::Transport(-429), Fault::Transport(-404)] {
            let stage = stage().await;
            stage.centre.inject(question, fault.clone());
            let failed = login(&stage).await;
            assert_eq!(failed.code, Some(75), "{question} {fault:?}: {failed:?}");
            assert!(!stage.session("carol").exists(), "{question} {fault:?}");
            login(&stage).await.success();
        }
    }
}

#[tokio::test]
async fn an_exchange_that_is_never_answered_ends_in_time() {
    let silent = async |prepare: fn(&Stage)| {
        let stage = stage().await;
        prepare(&stage);
        let failed = login(&stage).await;
        failed.fails_with(75, &["no answer from Telegram within 30s"]);
        assert!(!stage.session("carol").exists());
        stage.centre.set_mode(Mode::Normal);
        login(&stage).await.success();
    };
    tokio::join!(
        silent(|stage| stage.centre.set_mode(Mode::SilentOnAccept)),
        silent(|stage| stage.centre.inject("req_DH_params", Fault::Ignore)),
        silent(|stage| stage.centre.inject("set_client_DH_params", Fault::Freeze)),
    );
}
