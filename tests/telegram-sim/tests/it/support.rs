//! A real client against the simulation.

use std::net::{SocketAddr, SocketAddrV6};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use grammers_client::client::UpdateStream;
use grammers_client::sender::UpdatesConfiguration;
use grammers_client::session::SessionData;
use grammers_client::session::storages::MemorySession;
use grammers_client::session::types::{DcOption, PeerRef};
use grammers_client::update::{Message, Update};
use grammers_client::{Client, SenderPool, tl};
use grammers_mtsender::{AutoSleep, ConnectionParams, InvocationError};
use grammers_session::updates::UpdatesLike;
use telegram_sim::DataCentre;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub(crate) const API_ID: i32 = 1_234_567;
pub(crate) const API_HASH: &str = "0123456789abcdef0123456789abcdef";

/// Only reached by tests that fail.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// A session with the pre-shared key of an account, all of whose data centres are the simulation.
pub(crate) fn session(centre: &DataCentre, account: &str) -> Arc<MemorySession> {
    let SocketAddr::V4(ipv4) = centre.address() else { panic!("the simulation listens on IPv4 here") };
    let ipv6 = SocketAddrV6::new(ipv4.ip().to_ipv6_mapped(), ipv4.port(), 0, 0);
    let mut data = SessionData { home_dc: 2, ..SessionData::default() };
    for id in 1..=5 {
        let auth_key = (id == 2).then(|| centre.key_of(account));
        let option = DcOption { id, ipv4, ipv6, auth_key };
        data.dc_options.insert(id, option);
    }
    Arc::new(MemorySession::from(data))
}

/// `ConnectionParams::default()` starts processes to learn about the system; these fields do not.
fn parameters() -> ConnectionParams {
    ConnectionParams {
        device_model: "Test".into(),
        system_version: "1".into(),
        app_version: "2".into(),
        system_lang_code: "en".into(),
        lang_code: "en".into(),
        proxy_url: None,
        use_ipv6: false,
        retry_policy: Box::new(AutoSleep::default()),
        updates_channel_capacity: NonZeroUsize::new(100).unwrap(),
        __non_exhaustive: (),
    }
}

pub(crate) struct Connected {
    pub(crate) client: Client,
    pub(crate) runner: JoinHandle<()>,
    updates: Option<mpsc::Receiver<UpdatesLike>>,
}

impl Connected {
    pub(crate) fn with(session: Arc<MemorySession>) -> Self {
        let SenderPool { runner, updates, handle } = SenderPool::with_configuration(session, API_ID, parameters());
        Self { client: Client::new(handle), runner: tokio::spawn(runner.run()), updates: Some(updates) }
    }

    pub(crate) fn to(centre: &DataCentre, account: &str) -> Self {
        Self::with(session(centre, account))
    }

    pub(crate) async fn stream(&mut self, catch_up: bool) -> UpdateStream {
        let updates = self.updates.take().expect("one stream per connection");
        self.client.stream_updates(updates, UpdatesConfiguration { catch_up }).await.unwrap()
    }

    pub(crate) async fn peer(&self, username: &str) -> PeerRef {
        let peer = self.client.resolve_username(username).await.unwrap().expect("it exists");
        peer.to_ref().await.unwrap().expect("with access hash")
    }

    /// Presses the inline button with this text.
    pub(crate) async fn press(
        &self,
        peer: PeerRef,
        message: i32,
        data: &str,
    ) -> Result<tl::types::messages::BotCallbackAnswer, InvocationError> {
        let tl::enums::messages::BotCallbackAnswer::Answer(answer) = self
            .client
            .invoke(&tl::functions::messages::GetBotCallbackAnswer {
                game: false,
                peer: peer.into(),
                msg_id: message,
                data: Some(data.as_bytes().to_vec()),
                password: None,
            })
            .await?;
        Ok(answer)
    }

    pub(crate) async fn disconnect(self) {
        self.client.disconnect();
        self.runner.await.unwrap();
    }
}

pub(crate) async fn next(stream: &mut UpdateStream) -> Update {
    tokio::time::timeout(LIMIT, stream.next()).await.expect("an update arrives").unwrap()
}

/// The next message of somebody else.
pub(crate) async fn next_message(stream: &mut UpdateStream) -> Message {
    loop {
        if let Update::NewMessage(message) = next(stream).await
            && !message.outgoing()
        {
            return message;
        }
    }
}

pub(crate) async fn next_edit(stream: &mut UpdateStream) -> Message {
    loop {
        if let Update::MessageEdited(message) = next(stream).await {
            return message;
        }
    }
}

pub(crate) async fn next_deletion(stream: &mut UpdateStream) -> Vec<i32> {
    loop {
        if let Update::MessageDeleted(deletion) = next(stream).await {
            return deletion.messages().to_vec();
        }
    }
}

/// Texts and data of the inline buttons, row by row.
pub(crate) fn buttons(markup: Option<tl::enums::ReplyMarkup>) -> Vec<Vec<(String, String)>> {
    let Some(tl::enums::ReplyMarkup::ReplyInlineMarkup(markup)) = markup else {
        return Vec::new();
    };
    let button = |tl::enums::KeyboardInlineButton::Button(button): tl::enums::KeyboardInlineButton| {
        let data = match button.r#type {
            tl::enums::InlineButtonType::Callback(callback) => String::from_utf8(callback.data).unwrap(),
            tl::enums::InlineButtonType::Url(url) => url.url,
            other => panic!("not a button of this simulation: {other:?}"),
        };
        (button.text, data)
    };
    markup
        .rows
        .into_iter()
        .map(|tl::enums::KeyboardInlineButtonRow::Row(row)| row.buttons.into_iter().map(button).collect())
        .collect()
}

/// The RPC error of a failed call.
#[track_caller]
pub(crate) fn rpc_error<T: std::fmt::Debug>(result: Result<T, InvocationError>) -> (i32, String) {
    match result {
        Err(InvocationError::Rpc(error)) => (error.code, error.name),
        other => panic!("not an RPC error: {other:?}"),
    }
}
