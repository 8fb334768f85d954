//! One TCP connection: frames in, messages decrypted and taken apart, answers and updates out.

use std::borrow::Cow;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use grammers_tl_types::{Deserializable, Identifiable, Serializable, enums, functions, types};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::centre::Inner;
use crate::crypto::{decrypt_from_client, encrypt_to_client};
use crate::envelope::{self, Message, Packet};
use crate::exchange::{self, Exchange, ExchangeError, Finished, Reply};
use crate::fault::Fault;
use crate::log::Event;
use crate::rpc::RpcResult;
use crate::state::{AuthKey, Login};
use crate::transport::{Decoder, Encoder};
use crate::witness::Moment;

/// How many answers and updates may wait for a slow client.
const OUTBOX_LENGTH: usize = 1024;

/// The transport error for a key that nobody knows.
const UNKNOWN_KEY: i32 = -404;

/// Something to send.
pub(crate) enum Outgoing {
    /// An update.
    Push(Arc<[u8]>),
    /// The answer to a call.
    Answer { request: i64, result: RpcResult, session: Session, moment: Moment },
}

/// Under which session identifier an answer goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Session {
    Own,
    /// As [`Fault::WrongSession`] wants.
    Wrong,
}

/// Why a connection ended, for a reader.
pub(crate) struct Ending(pub(crate) String);

impl From<io::Error> for Ending {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<grammers_tl_types::deserialize::Error> for Ending {
    fn from(error: grammers_tl_types::deserialize::Error) -> Self {
        Self(format!("malformed message: {error}"))
    }
}

pub(crate) struct Connection {
    pub(crate) centre: Arc<Inner>,
    stream: TcpStream,
    pub(crate) number: u64,
    decoder: Decoder,
    encoder: Encoder,
    key: Option<Arc<AuthKey>>,
    exchange: Exchange,
    session: i64,
    announced_session: Option<i64>,
    content_messages: i32,
    pub(crate) subscribed_to: Option<usize>,
    pub(crate) outbox: mpsc::Sender<Outgoing>,
    waiting: mpsc::Receiver<Outgoing>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(account) = self.subscribed_to {
            let mut state = self.centre.state();
            state.accounts[account].subscribers.retain(|subscriber| subscriber.connection != self.number);
        }
    }
}

impl Connection {
    pub(crate) fn new(centre: Arc<Inner>, stream: TcpStream, number: u64) -> Self {
        let (outbox, waiting) = mpsc::channel(OUTBOX_LENGTH);
        Self {
            centre,
            stream,
            number,
            decoder: Decoder::default(),
            encoder: Encoder::default(),
            key: None,
            exchange: Exchange::default(),
            session: 0,
            announced_session: None,
            content_messages: 0,
            subscribed_to: None,
            outbox,
            waiting,
        }
    }

    pub(crate) fn account_name(&self) -> Option<Arc<str>> {
        let account = self.key.as_ref()?.account()?;
        Some(self.centre.state().accounts[account].name.clone())
    }

    pub(crate) async fn run(&mut self) -> Ending {
        // Small messages must not wait for more; failing to say so only costs time.
        let _ = self.stream.set_nodelay(true);
        match self.serve().await {
            Ok(()) => Ending("the client closed it".into()),
            Err(ending) => ending,
        }
    }

    async fn serve(&mut self) -> Result<(), Ending> {
        let mut received = Vec::new();
        loop {
            received.reserve(4096);
            tokio::select! {
                count = self.stream.read_buf(&mut received) => {
                    if count? == 0 {
                        return Ok(());
                    }
                    let mut consumed = 0;
                    while let Some((length, payload)) =
                        self.decoder.decode(&received[consumed..]).map_err(|error| Ending(error.to_string()))?
                    {
                        let payload = payload.to_vec();
                        consumed += length;
                        self.payload(&payload).await?;
                    }
                    received.drain(..consumed);
                }
                Some(outgoing) = self.waiting.recv() => self.send_outgoing(outgoing).await?,
            }
        }
    }

    async fn payload(&mut self, payload: &[u8]) -> Result<(), Ending> {
        let Some((id, _)) = payload.split_first_chunk::<8>() else {
            return Err(Ending("a payload without key identifier".into()));
        };
        if *id == [0; 8] {
            return self.exchange(payload).await;
        }
        let cached = self.key.take().filter(|key| key.id == *id && key.is_known());
        let Some(key) = cached.or_else(|| self.centre.state().key(*id).cloned()) else {
            return self.transport_error(UNKNOWN_KEY, "unknown key").await;
        };
        self.key = Some(key.clone());
        let Some(plaintext) = decrypt_from_client(&key.bytes, payload) else {
            return self.transport_error(UNKNOWN_KEY, "the message key does not fit").await;
        };
        let packet = Packet::parse(&plaintext)?;
        self.session = packet.session;
        if let Some(code) = envelope::message_id_error(packet.message.id) {
            return self.bad_message(packet.message.id, packet.message.sequence, code).await;
        }
        let salt = key.salt.load(Ordering::Relaxed);
        if packet.salt != salt {
            return self.bad_salt(packet.message.id, packet.message.sequence, salt).await;
        }
        if self.announced_session != Some(packet.session) {
            self.announced_session = Some(packet.session);
            self.announce_session(packet.message.id, salt).await?;
        }
        for message in envelope::unpack(packet.message)? {
            self.message(&key, message).await?;
        }
        Ok(())
    }

    /// A question of the key exchange, which comes in the clear.
    async fn exchange(&mut self, payload: &[u8]) -> Result<(), Ending> {
        let request = envelope::plain_body(payload)?;
        let trouble = |error: ExchangeError| Ending(format!("key exchange: {error}"));
        if self.is_disturbed(exchange::question(request).map_err(trouble)?).await? {
            return Ok(());
        }
        let Reply { answer, finished } = self.exchange.answer(request).map_err(trouble)?;
        if let Some(Finished { key, salt }) = finished {
            self.centre.state().add_key(AuthKey::new(key, salt, Login::SignedOut));
            self.centre.log.add(self.centre.clock.now(), Some(self.number), None, Event::KeyExchanged);
        }
        let payload = envelope::plain_payload(self.centre.next_message_id(true), &answer);
        let frame = self.encoder.encode(&payload);
        self.stream.write_all(&frame).await?;
        Ok(())
    }

    /// Whether a fault takes the place of the answer to a message of the protocol itself.
    async fn is_disturbed(&mut self, method: &str) -> Result<bool, Ending> {
        let account = self.account_name();
        let fault = self.centre.state().faults.take(method, account.as_deref());
        match fault {
            None => Ok(false),
            Some(Fault::Ignore) => Ok(true),
            Some(Fault::Freeze) => std::future::pending().await,
            Some(Fault::Transport(code)) => self.transport_error(code, "fault").await.map(|()| true),
            Some(_) => Err(Ending("fault: dropped".into())),
        }
    }

    pub(crate) async fn transport_error(&mut self, code: i32, reason: &str) -> Result<(), Ending> {
        self.stream.write_all(&code.to_le_bytes()).await?;
        Err(Ending(format!("transport error {code}: {reason}")))
    }

    pub(crate) async fn bad_message(&mut self, id: i64, sequence: i32, code: i32) -> Result<(), Ending> {
        let notification: enums::BadMsgNotification =
            types::BadMsgNotification { bad_msg_id: id, bad_msg_seqno: sequence, error_code: code }.into();
        self.send_service(&notification.to_bytes()).await
    }

    pub(crate) async fn bad_salt(&mut self, id: i64, sequence: i32, salt: i64) -> Result<(), Ending> {
        /// "Incorrect server salt" (<https://core.telegram.org/mtproto/service_messages_about_messages>).
        const CODE: i32 = 48;
        let notification: enums::BadMsgNotification =
            types::BadServerSalt { bad_msg_id: id, bad_msg_seqno: sequence, error_code: CODE, new_server_salt: salt }
                .into();
        self.send_service(&notification.to_bytes()).await
    }

    pub(crate) async fn announce_session(&mut self, first_msg_id: i64, server_salt: i64) -> Result<(), Ending> {
        let unique_id = i64::from_le_bytes(crate::crypto::random());
        let created: enums::NewSession = types::NewSessionCreated { first_msg_id, unique_id, server_salt }.into();
        self.send(&created.to_bytes(), Kind::Content, Session::Own).await
    }

    async fn message(&mut self, key: &Arc<AuthKey>, message: Message<'_>) -> Result<(), Ending> {
        let body = envelope::ungzip(message.body)?;
        let constructor = u32::from_bytes(&body)?;
        let arguments = &body[4..];
        match constructor {
            types::MsgsAck::CONSTRUCTOR_ID => Ok(()),
            functions::Ping::CONSTRUCTOR_ID | functions::PingDelayDisconnect::CONSTRUCTOR_ID => {
                let pong: enums::Pong = types::Pong { msg_id: message.id, ping_id: i64::from_bytes(arguments)? }.into();
                self.send_service(&pong.to_bytes()).await
            }
            functions::GetFutureSalts::CONSTRUCTOR_ID => {
                if self.is_disturbed("get_future_salts").await? {
                    return Ok(());
                }
                let salts = envelope::future_salts(message.id, key.salt.load(Ordering::Relaxed));
                self.send_service(&salts.to_bytes()).await
            }
            _ => self.call(key, message.id, message.sequence, body).await,
        }
    }

    async fn send_outgoing(&mut self, outgoing: Outgoing) -> Result<(), Ending> {
        match outgoing {
            Outgoing::Push(body) => self.send(&body, Kind::Content, Session::Own).await,
            Outgoing::Answer { request, result, session, moment } => {
                self.send_answer(request, &result, session).await?;
                match self.centre.witness.see(&moment) {
                    ControlFlow::Continue(()) => Ok(()),
                    ControlFlow::Break(()) => Err(Ending("the witness ended it after the answer".into())),
                }
            }
        }
    }

    pub(crate) async fn send_answer(
        &mut self,
        request: i64,
        result: &RpcResult,
        session: Session,
    ) -> Result<(), Ending> {
        let body = envelope::rpc_result(request, result, self.centre.options.compress_answers);
        self.send(&body, Kind::Answer, session).await
    }

    async fn send_service(&mut self, body: &[u8]) -> Result<(), Ending> {
        self.send(body, Kind::Service, Session::Own).await
    }

    pub(crate) async fn send(&mut self, body: &[u8], kind: Kind, session: Session) -> Result<(), Ending> {
        let Some(key) = self.key.clone() else {
            return Err(Ending("there is no key to answer under".into()));
        };
        let is_content = kind != Kind::Service;
        let sequence = self.content_messages * 2 + i32::from(is_content);
        self.content_messages += i32::from(is_content);
        let plaintext = envelope::plaintext(
            key.salt.load(Ordering::Relaxed),
            match session {
                Session::Own => self.session,
                Session::Wrong => !self.session,
            },
            &Message { id: self.centre.next_message_id(kind != Kind::Content), sequence, body: Cow::Borrowed(body) },
        );
        let frame = self.encoder.encode(&encrypt_to_client(&key.bytes, key.id, plaintext));
        self.stream.write_all(&frame).await?;
        Ok(())
    }
}

/// What a message of the server is, which decides its identifier and sequence number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The answer to a call.
    Answer,
    /// An answer of the protocol itself, which is not acknowledged.
    Service,
    /// Something the client did not ask for.
    Content,
}
