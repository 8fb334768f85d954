//! Every fault with the effect on grammers 0.11 that was measured for this project.

use std::time::Duration;

use grammers_client::Client;
use grammers_mtsender::InvocationError;
use telegram_sim::{DataCentre, Entry, Event, Fault, Mode};
use tokio::task::JoinHandle;

use crate::support::{Connected, rpc_error, session};
use crate::world;

const METHOD: &str = "users.getUsers";

async fn with_fault(fault: Fault) -> (DataCentre, Connected) {
    let centre = DataCentre::start(world()).await.unwrap();
    let alice = Connected::to(&centre, "alice");
    alice.client.get_me().await.unwrap();
    centre.inject(METHOD, fault);
    (centre, alice)
}

fn spawn_get_me(client: &Client) -> JoinHandle<Result<(), InvocationError>> {
    let client = client.clone();
    tokio::spawn(async move { client.get_me().await.map(|_| ()) })
}

fn calls(entries: &[Entry]) -> usize {
    entries.iter().filter(|entry| entry.event == Event::Call { method: METHOD }).count()
}

#[tokio::test]
async fn rpc_errors_arrive_as_they_are() {
    for (code, name) in [(500, "INTERNAL"), (401, "AUTH_KEY_UNREGISTERED")] {
        let (_centre, alice) = with_fault(Fault::error(code, name)).await;
        assert_eq!(rpc_error(alice.client.get_me().await), (code, name.into()));
        alice.client.get_me().await.unwrap();
    }
    let (_centre, alice) = with_fault(Fault::error(420, "FLOOD_WAIT_61")).await;
    let Err(InvocationError::Rpc(error)) = alice.client.get_me().await else { panic!("too long to wait for") };
    assert_eq!((error.code, error.name.as_str(), error.value), (420, "FLOOD_WAIT", Some(61)));
}

#[tokio::test]
async fn a_short_flood_wait_is_waited_for_once() {
    let (centre, alice) = with_fault(Fault::error(420, "FLOOD_WAIT_1")).await;
    alice.client.get_me().await.unwrap();
    assert_eq!(calls(&centre.log()), 3);
}

#[tokio::test]
async fn what_the_client_library_absorbs() {
    for fault in [
        Fault::BadSalt,
        Fault::BadMessage(16),
        Fault::BadMessage(17),
        Fault::NewSession,
        Fault::GarbageUpdate,
        Fault::Drop,
        Fault::DropAfter,
        Fault::Delay(Duration::from_millis(20)),
    ] {
        let (_centre, alice) = with_fault(fault.clone()).await;
        let result = alice.client.get_me().await;
        assert!(result.is_ok(), "{fault:?}: {:?}", result.err());
    }
}

#[tokio::test]
async fn a_bad_salt_in_a_burst_loses_nothing() {
    let (_centre, alice) = with_fault(Fault::BadSalt).await;
    let burst: Vec<_> = (0..30).map(|_| spawn_get_me(&alice.client)).collect();
    for call in burst {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn other_bad_messages_drop_the_call_only() {
    for code in [32, 64] {
        let (_centre, alice) = with_fault(Fault::BadMessage(code)).await;
        assert!(matches!(alice.client.get_me().await, Err(InvocationError::Dropped(_))), "{code}");
        alice.client.get_me().await.unwrap();
    }
}

#[tokio::test]
async fn two_drops_in_a_row_are_an_error() {
    let (centre, alice) = with_fault(Fault::Drop).await;
    centre.inject(METHOD, Fault::Drop);
    assert!(matches!(alice.client.get_me().await, Err(InvocationError::Io(_))));
    assert_eq!(centre.accepted_connections(), 2);
}

#[tokio::test]
async fn transport_errors_reach_the_caller() {
    let (_centre, alice) = with_fault(Fault::Transport(-429)).await;
    let result = alice.client.get_me().await;
    assert!(matches!(result, Err(InvocationError::Transport(_))), "{:?}", result.err());
    alice.client.get_me().await.unwrap();
}

#[tokio::test]
async fn no_answer_leaves_the_call_hanging_and_others_alone() {
    let (centre, alice) = with_fault(Fault::Ignore).await;
    let ignored = spawn_get_me(&alice.client);
    centre.wait_for(|entries| calls(entries) == 2).await;
    alice.client.get_me().await.unwrap();
    assert!(!ignored.is_finished());
}

#[tokio::test]
async fn a_frozen_connection_answers_nothing_until_it_is_killed() {
    let (centre, alice) = with_fault(Fault::Freeze).await;
    let frozen = spawn_get_me(&alice.client);
    centre.wait_for(|entries| calls(entries) == 2).await;
    let behind = spawn_get_me(&alice.client);
    assert_eq!(centre.open_connections(), 1);
    centre.kill_connections();
    // Both are repeated on a new connection.
    frozen.await.unwrap().unwrap();
    behind.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_wrong_session_panics_in_the_runner() {
    let (_centre, alice) = with_fault(Fault::WrongSession).await;
    assert!(matches!(alice.client.get_me().await, Err(InvocationError::Dropped(_))));
    assert!(alice.runner.await.unwrap_err().is_panic());
}

#[tokio::test]
async fn an_unknown_key_is_told_apart() {
    let centre = DataCentre::start(world()).await.unwrap();
    let alice = Connected::to(&centre, "alice");
    alice.client.get_me().await.unwrap();
    centre.forget_key("alice");
    let result = alice.client.get_me().await;
    let is_404 = |error: &InvocationError| format!("{error:?}").contains("404");
    assert!(result.as_ref().is_err_and(is_404), "{result:?}");
    let ended = |entry: &Entry| matches!(&entry.event, Event::Disconnected { reason } if reason.contains("-404"));
    centre.wait_for_entry(ended).await;
}

#[tokio::test]
async fn modes_decide_about_new_connections() {
    let centre = DataCentre::start(world()).await.unwrap();
    centre.set_mode(Mode::CloseOnAccept);
    let session = session(&centre, "alice");
    let alice = Connected::with(session.clone());
    assert!(matches!(alice.client.get_me().await, Err(InvocationError::Io(_))));
    centre.set_mode(Mode::SilentOnAccept);
    let waiting = spawn_get_me(&alice.client);
    centre.wait_for(|entries| entries.iter().filter(|entry| entry.event == Event::Connected).count() >= 3).await;
    assert!(!waiting.is_finished());
    alice.runner.abort();
    centre.set_mode(Mode::Normal);
    Connected::with(session).client.get_me().await.unwrap();
}
