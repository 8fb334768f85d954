//! The same calls with nothing around them: a bare grammers client for each account, nothing kept.

use std::net::{SocketAddr, SocketAddrV6};
use std::num::NonZeroUsize;
use std::sync::Arc;

use grammers_client::client::UpdateStream;
use grammers_client::sender::UpdatesConfiguration;
use grammers_client::session::SessionData;
use grammers_client::session::storages::MemorySession;
use grammers_client::session::types::DcOption;
use grammers_client::update::Update;
use grammers_client::{Client, SenderPool};
use grammers_mtsender::{ConnectionParams, NoRetries};
use grammers_tl_types as tl;
use tokio::task::{JoinHandle, JoinSet};

use crate::support::{KEY_SEED, Process, milliseconds};

/// Checks all accounts in at once; prints milliseconds of processor time for one, memory at the end, and its peak.
pub(crate) fn measure(centre: SocketAddr, accounts: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let before = Process::this().cpu();
    runtime.block_on(async {
        let mut clients = JoinSet::new();
        for number in 0..accounts {
            clients.spawn(check_in(centre, crate::account(number)));
        }
        // All stay connected until the last one is done, as with the daemon.
        let clients = clients.join_all().await;
        let memory = Process::this().memory();
        for (client, _, runner) in clients {
            client.disconnect();
            runner.await.unwrap();
        }
        let cpu = milliseconds(Process::this().cpu().checked_sub(before).unwrap());
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        let accounts = accounts as f64;
        println!("{} {} {}", cpu / accounts, memory.resident, memory.peak);
    });
}

async fn check_in(centre: SocketAddr, account: String) -> (Client, UpdateStream, JoinHandle<()>) {
    let session = Arc::new(MemorySession::from(session(centre, &account)));
    let SenderPool { runner, updates, handle } = SenderPool::with_configuration(session, 1, parameters());
    let client = Client::new(handle);
    let runner = tokio::spawn(runner.run());
    let bot = client.resolve_username("bench_checkin_bot").await.unwrap().unwrap().to_ref().await.unwrap().unwrap();
    let mut updates = client.stream_updates(updates, UpdatesConfiguration { catch_up: false }).await.unwrap();
    Box::pin(client.send_message(bot, "/checkin")).await.unwrap();
    let question = loop {
        match updates.next().await.unwrap() {
            Update::NewMessage(message) if !message.outgoing() => break message,
            _ => {}
        }
    };
    let click = tl::functions::messages::GetBotCallbackAnswer {
        game: false,
        peer: bot.into(),
        msg_id: question.id(),
        data: Some(b"checkin".to_vec()),
        password: None,
    };
    let tl::enums::messages::BotCallbackAnswer::Answer(answer) = client.invoke(&click).await.unwrap();
    assert!(answer.message.is_some_and(|popup| popup.contains("签到成功")));
    (client, updates, runner)
}

fn session(centre: SocketAddr, account: &str) -> SessionData {
    let SocketAddr::V4(ipv4) = centre else { panic!("the simulation listens on IPv4 here") };
    let ipv6 = SocketAddrV6::new(ipv4.ip().to_ipv6_mapped(), ipv4.port(), 0, 0);
    let auth_key = Some(telegram_sim::derived_key(KEY_SEED, account));
    let mut data = SessionData { home_dc: 2, ..SessionData::default() };
    data.dc_options.insert(2, DcOption { id: 2, ipv4, ipv6, auth_key });
    data
}

/// Every field by name: `ConnectionParams::default()` starts processes to describe the host, which costs 10 ms a client.
fn parameters() -> ConnectionParams {
    ConnectionParams {
        device_model: "benchmark".into(),
        system_version: "1".into(),
        app_version: "1".into(),
        system_lang_code: "en".into(),
        lang_code: "en".into(),
        proxy_url: None,
        use_ipv6: false,
        retry_policy: Box::new(NoRetries),
        updates_channel_capacity: NonZeroUsize::new(64).unwrap(),
        __non_exhaustive: (),
    }
}
