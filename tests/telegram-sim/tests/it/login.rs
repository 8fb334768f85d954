use grammers_client::SignInError;
use telegram_sim::{DataCentre, Event};

use crate::support::{API_HASH, Connected, rpc_error};
use crate::world;

#[tokio::test]
async fn a_pre_shared_key_is_signed_in() {
    let centre = DataCentre::start(world()).await.unwrap();
    let alice = Connected::to(&centre, "alice");
    assert!(alice.client.is_authorized().await.unwrap());
    let me = alice.client.get_me().await.unwrap();
    assert_eq!((me.id().bare_id(), me.username()), (Some(1001), Some("alice_sim")));
    let device =
        centre.wait_for_entry(|entry| matches!(&entry.event, Event::Device(device) if device.device_model == "Test"));
    assert_eq!(device.await.account.as_deref(), Some("alice"));
    alice.disconnect().await;
    centre.wait_for_entry(|entry| matches!(entry.event, Event::Disconnected { .. })).await;
    assert_eq!(centre.open_connections(), 0);
}

#[tokio::test]
async fn login_by_code() {
    let centre = DataCentre::start(world()).await.unwrap();
    let carol = Connected::to(&centre, "carol");
    assert!(!carol.client.is_authorized().await.unwrap());
    assert_eq!(rpc_error(carol.client.get_me().await), (401, "AUTH_KEY_UNREGISTERED".into()));
    let unknown = carol.client.request_login_code("+19999999999", API_HASH).await.map(|_| ());
    assert_eq!(rpc_error(unknown), (400, "PHONE_NUMBER_INVALID".into()));

    let token = carol.client.request_login_code("+1 000 000 0003", API_HASH).await.unwrap();
    assert!(matches!(carol.client.sign_in(&token, "11111").await, Err(SignInError::InvalidCode)));
    let user = carol.client.sign_in(&token, "24680").await.unwrap();
    assert_eq!(user.id().bare_id(), Some(1003));
    assert!(carol.client.is_authorized().await.unwrap());
    let logins: Vec<Event> = centre
        .log()
        .into_iter()
        .map(|entry| entry.event)
        .filter(|event| !matches!(event, Event::Call { .. } | Event::Connected | Event::Device(_)))
        .collect();
    let account = || "carol".into();
    assert_eq!(
        logins,
        [
            Event::CodeRequested { account: account() },
            Event::CodeRefused { account: account() },
            Event::SignedIn { account: account() },
        ]
    );

    carol.client.sign_out().await.unwrap();
    assert!(!carol.client.is_authorized().await.unwrap());
}

#[tokio::test]
async fn login_with_a_password() {
    let centre = DataCentre::start(world()).await.unwrap();
    let dave = Connected::to(&centre, "dave");
    let token = dave.client.request_login_code("+10000000004", API_HASH).await.unwrap();
    let Err(SignInError::PasswordRequired(first)) = dave.client.sign_in(&token, "12345").await else {
        panic!("a password is needed");
    };
    assert!(first.hint().is_some());
    assert_eq!(rpc_error(dave.client.get_me().await), (401, "SESSION_PASSWORD_NEEDED".into()));
    let Err(SignInError::InvalidPassword(used)) = dave.client.check_password(first, "wrong").await else {
        panic!("a wrong password is refused");
    };
    // As on Telegram: every attempt needs new parameters.
    let Err(SignInError::Other(error)) = dave.client.check_password(used, "correct horse").await else {
        panic!("the parameters of an attempt are void after it");
    };
    assert!(error.is("SRP_ID_INVALID"), "{error}");
    let Err(SignInError::PasswordRequired(fresh)) = dave.client.sign_in(&token, "12345").await else {
        panic!("a password is needed");
    };
    let signed_in = dave.client.check_password(fresh, "correct horse").await.unwrap();
    assert_eq!(signed_in.id().bare_id(), Some(1004));
    assert!(dave.client.is_authorized().await.unwrap());
}

#[tokio::test]
async fn sessions_can_be_ended_from_elsewhere() {
    let centre = DataCentre::start(world()).await.unwrap();
    let alice = Connected::to(&centre, "alice");
    alice.client.get_me().await.unwrap();
    centre.revoke("alice");
    assert_eq!(rpc_error(alice.client.get_me().await), (401, "AUTH_KEY_UNREGISTERED".into()));
    let token = alice.client.request_login_code("+10000000001", API_HASH).await.unwrap();
    alice.client.sign_in(&token, "12345").await.unwrap();
    centre.revoke_session("alice");
    assert_eq!(rpc_error(alice.client.get_me().await), (401, "SESSION_REVOKED".into()));
}
