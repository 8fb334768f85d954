//! Carrying a conversation out: commands become calls, updates become inputs.
//!
//! Whatever is uncertain is settled by the chat's history: a send whose answer was lost, messages that may have been missed
//! while the connection was broken, and the last look before a step's time is up. Nothing polls.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use grammers_tl_types as tl;
use tokio::sync::watch;
use tokio::time::Instant;

use super::chats::{self, ChatError};
use super::connection::Connection;
use super::error::CallError;
use super::history;
use super::messages::{Chat, Heard};
use crate::config::ChatRef;
use crate::script::{
    ChatMessage, Command, Conversation, Input, JournalMark, Popup, Refusal, Script, Verb, Verdict, decide_from_history,
    find_sends,
};

/// A flood wait is sat out up to this long; a longer one ends the attempt, so that the account's other tasks are told.
const LONGEST_FLOOD_WAIT: Duration = Duration::from_secs(60);

/// Pause before a broken connection is tried again.
const RECONNECT_PAUSE: Duration = Duration::from_secs(2);

/// How far Telegram's clock may seem behind ours when own messages are looked for by their date.
const CLOCK_TOLERANCE: i64 = 30;

/// What is to be done, where.
pub struct Plan<'a> {
    /// The chat.
    pub chat: &'a ChatRef,
    /// Only this forum topic.
    pub topic: Option<i32>,
    /// The steps.
    pub script: Arc<Script>,
    /// For the whole attempt.
    pub timeout: Duration,
    /// The `random_id` of a step's message.
    pub random_id: &'a (dyn Fn(usize) -> i64 + Send + Sync),
    /// What an interrupted attempt had done; empty for a new one.
    pub journal: Vec<JournalMark>,
    /// When the attempt began, in Unix seconds; for a new one, now.
    pub since: i64,
}

/// Where the traces of a run go. The run goes on only after a trace is kept.
pub trait Recorder: Send {
    /// Keeps a mark durably. `random_id` goes with the beginning of a send.
    fn mark(&mut self, mark: &JournalMark, random_id: Option<i64>) -> impl Future<Output = Result<(), String>> + Send;

    /// Notes a line of the transcript.
    fn note(&mut self, note: Note<'_>);
}

/// A line of the transcript.
#[derive(Debug)]
pub enum Note<'a> {
    /// We said something.
    Sent {
        /// Its id.
        message_id: i32,
        /// What.
        text: &'a str,
    },
    /// A message came.
    Message(&'a ChatMessage),
    /// A message became another one.
    Edited(&'a ChatMessage),
    /// We pressed a button.
    Clicked {
        /// The message that carries it.
        message_id: i32,
        /// Its label.
        label: &'a str,
    },
    /// The answer to a click.
    Popup(&'a Popup),
    /// Telegram or the connection failed.
    Trouble(&'a CallError),
}

/// What came of an attempt.
#[derive(Debug)]
pub struct Performed {
    /// The verdict.
    pub verdict: Verdict,
    /// Own messages in the chat.
    pub messages: Vec<i32>,
    /// Whether anything was sent or pressed, or may have been.
    pub acted: bool,
}

/// Why an attempt could not even begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The chat.
    #[error(transparent)]
    Chat(#[from] ChatError),
    /// A call before the first step.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The traces could not be kept, so nothing more was done.
    #[error("the ledger refused: {0}")]
    Ledger(String),
}

impl RunError {
    /// The failed call behind it.
    pub fn call(&self) -> Option<&CallError> {
        match self {
            Self::Chat(ChatError::Call(error)) | Self::Call(error) => Some(error),
            _ => None,
        }
    }
}

/// Performs one attempt, or the rest of an interrupted one. `stop` turns true when the daemon has to end.
pub async fn perform(
    connection: &mut Connection,
    plan: Plan<'_>,
    recorder: &mut impl Recorder,
    stop: &mut watch::Receiver<bool>,
) -> Result<Performed, RunError> {
    let peer = chats::find(connection, plan.chat).await?;
    let my_id = connection.session().my_id().unwrap_or_default();
    while connection.updates.try_recv().is_ok() {}
    let chat = Chat::new(peer, plan.topic, my_id);
    let conversation = Conversation::new(Arc::clone(&plan.script), chat.place());
    let messages = plan.journal.iter().filter_map(sent_id).collect();
    let started = Instant::now();
    let acted = !plan.journal.is_empty();
    let mut run = Run {
        connection,
        plan,
        recorder,
        chat,
        conversation,
        started,
        seen: BTreeMap::new(),
        messages,
        acted,
        heard_since_action: false,
        gap: None,
    };
    let first = run.first_input().await?;
    run.converse(first, stop).await
}

/// Reads the chat's history and decides, sending nothing. `None`: it still says nothing.
pub async fn review(connection: &mut Connection, plan: &Plan<'_>) -> Result<Option<Verdict>, RunError> {
    let peer = chats::find(connection, plan.chat).await?;
    let mut chat = Chat::new(peer, plan.topic, connection.session().my_id().unwrap_or_default());
    let history = history::since(connection, &mut chat, plan.since - CLOCK_TOLERANCE).await?;
    let journal = find_sends(&plan.script, &plan.journal, &history);
    Ok(decide_from_history(Arc::clone(&plan.script), chat.place(), &journal, history))
}

fn sent_id(mark: &JournalMark) -> Option<i32> {
    match mark {
        JournalMark::Sent { message_id, .. } => Some(*message_id),
        _ => None,
    }
}

struct Run<'a, R> {
    connection: &'a mut Connection,
    plan: Plan<'a>,
    recorder: &'a mut R,
    chat: Chat,
    conversation: Conversation,
    started: Instant,
    /// Messages handed over, with the date of their version.
    seen: BTreeMap<i32, Option<i64>>,
    messages: Vec<i32>,
    acted: bool,
    heard_since_action: bool,
    /// Messages may have been missed; when to look next.
    gap: Option<Instant>,
}

enum Turn {
    Inputs(Vec<Input>),
    LookAtHistory,
}

impl<R: Recorder> Run<'_, R> {
    async fn first_input(&mut self) -> Result<Input, RunError> {
        if !self.plan.journal.is_empty() {
            let since = self.plan.since - CLOCK_TOLERANCE;
            let history = history::since(self.connection, &mut self.chat, since).await?;
            let journal = find_sends(&self.plan.script, &self.plan.journal, &history);
            self.messages = journal.iter().filter_map(sent_id).collect();
            self.seen.extend(history.iter().map(|message| (message.id, message.edited)));
            return Ok(Input::Resume { journal, history });
        }
        let acts = |verb: &&Verb| matches!(verb, Verb::Send(_) | Verb::Click(_));
        let first = self.plan.script.steps.iter().map(|step| &step.verb).find(acts);
        let history = match first {
            Some(Verb::Click(_)) => history::newest(self.connection, &mut self.chat).await?,
            _ => Vec::new(),
        };
        Ok(Input::Started { history })
    }

    async fn converse(mut self, first: Input, stop: &mut watch::Receiver<bool>) -> Result<Performed, RunError> {
        let end = self.started + self.plan.timeout;
        let mut inputs = vec![first];
        loop {
            for input in std::mem::take(&mut inputs) {
                let mut commands = self.conversation.handle(self.started.elapsed(), input);
                while let Some(command) = commands.pop() {
                    if let Command::Finish(verdict) = command {
                        return Ok(Performed { verdict, messages: self.messages, acted: self.acted });
                    }
                    let result = Box::pin(self.carry_out(command)).await?;
                    commands.extend(self.conversation.handle(self.started.elapsed(), result));
                }
            }
            inputs = match self.wait(end, stop).await {
                Turn::Inputs(inputs) => inputs,
                Turn::LookAtHistory => self.catch_up().await,
            };
        }
    }

    async fn wait(&mut self, end: Instant, stop: &mut watch::Receiver<bool>) -> Turn {
        if *stop.borrow() || Instant::now() >= end {
            return Turn::Inputs(vec![Input::Expired]);
        }
        let timer = self.conversation.deadline().map_or(end, |deadline| (self.started + deadline).min(end));
        let gap = self.gap;
        tokio::select! {
            biased;
            () = stopped(stop) => Turn::Inputs(vec![Input::Expired]),
            updates = self.connection.updates.recv() => match updates {
                Some(updates) => self.heard(updates),
                // The runner is gone; reading the history replaces the connection.
                None => {
                    self.gap = Some(Instant::now() + RECONNECT_PAUSE);
                    tokio::time::sleep_until((Instant::now() + RECONNECT_PAUSE).min(end)).await;
                    Turn::LookAtHistory
                }
            },
            () = tokio::time::sleep_until(gap.unwrap_or(end)), if gap.is_some() => Turn::LookAtHistory,
            () = tokio::time::sleep_until(timer) => self.timer_fired().await,
        }
    }

    fn heard(&mut self, updates: grammers_session::updates::UpdatesLike) -> Turn {
        let mut inputs = Vec::new();
        for heard in self.chat.hear(updates) {
            match heard {
                Heard::Message(message) => inputs.extend(self.admit(message, false)),
                Heard::Edited(message) => inputs.extend(self.admit(message, true)),
                Heard::Deleted(ids) => inputs.push(Input::Deleted(ids)),
                Heard::Gap => self.gap = Some(Instant::now()),
            }
        }
        Turn::Inputs(inputs)
    }

    /// Hands a message over unless this version of it was heard before.
    fn admit(&mut self, message: ChatMessage, edited: bool) -> Option<Input> {
        let known = self.seen.insert(message.id, message.edited);
        if !edited && known == Some(message.edited) {
            return None;
        }
        self.heard_since_action |= !message.outgoing;
        if known.is_some() || edited {
            self.recorder.note(Note::Edited(&message));
            return Some(Input::Edited(message));
        }
        if !message.outgoing {
            self.recorder.note(Note::Message(&message));
        }
        Some(Input::Message(message))
    }

    /// The step's time is up. Before it counts, the history has the last word: the reply may have been lost on the way.
    async fn timer_fired(&mut self) -> Turn {
        let mut inputs = Vec::new();
        if self.acted && (self.gap.is_some() || !self.heard_since_action) {
            inputs = self.catch_up().await;
        }
        inputs.push(Input::TimerFired);
        Turn::Inputs(inputs)
    }

    /// Reads what may have been missed since our first message.
    async fn catch_up(&mut self) -> Vec<Input> {
        if self.connection.is_broken() {
            self.connection.renew();
        }
        let since = self.plan.since - CLOCK_TOLERANCE;
        match history::since(self.connection, &mut self.chat, since).await {
            Ok(history) => {
                self.gap = None;
                history.into_iter().filter_map(|message| self.admit(message, false)).collect()
            }
            Err(error) => {
                self.recorder.note(Note::Trouble(&error));
                self.gap = Some(Instant::now() + RECONNECT_PAUSE);
                Vec::new()
            }
        }
    }

    async fn carry_out(&mut self, command: Command) -> Result<Input, RunError> {
        self.acted = true;
        self.heard_since_action = false;
        match command {
            Command::Send { step, text } => self.send(step, &text).await,
            Command::Click { step, message_id, data, label, .. } => self.click(step, message_id, data, &label).await,
            Command::Finish(_) => Ok(Input::Expired),
        }
    }

    async fn mark(&mut self, mark: JournalMark, random_id: Option<i64>) -> Result<(), RunError> {
        self.recorder.mark(&mark, random_id).await.map_err(RunError::Ledger)
    }

    async fn send(&mut self, step: usize, text: &str) -> Result<Input, RunError> {
        let random_id = (self.plan.random_id)(step);
        self.mark(JournalMark::Begun { step, date: now() }, Some(random_id)).await?;
        let mut request = history::send_message(&self.chat, text, random_id);
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.connection.call(&request).await {
                Ok(updates) => match history::sent_message(&updates, random_id) {
                    Some((message_id, date)) => return self.sent(step, message_id, date, text).await,
                    None => CallError::Network("Telegram's answer to the message was not understood".into()),
                },
                Err(error) => error,
            };
            self.recorder.note(Note::Trouble(&error));
            match &error {
                CallError::FloodWait(wait) if tries < 3 && self.can_sit_out(*wait) => tokio::time::sleep(*wait).await,
                error if error.is("RANDOM_ID_DUPLICATE") || error.is_uncertain() => {
                    match self.find_own(text).await {
                        Ok(Some((message_id, date))) => return self.sent(step, message_id, date, text).await,
                        // Telegram holds it, but we cannot see it: never send another one.
                        Ok(None) if error.is("RANDOM_ID_DUPLICATE") => return Ok(Input::Lost { step }),
                        // It is not there, so it may be sent again; the same random_id is the second net.
                        Ok(None) if tries < 3 => {}
                        Ok(None) | Err(_) => return Ok(Input::Lost { step }),
                    }
                }
                error if tries == 1 && is_stale_peer(error) => {
                    // What the session remembers of the chat is no longer true.
                    chats::forget(self.connection, self.plan.chat)?;
                    self.chat.peer = chats::find(self.connection, self.plan.chat).await?;
                    request = history::send_message(&self.chat, text, random_id);
                }
                error => return Ok(Input::SendRefused { step, refusal: refusal(error) }),
            }
        }
    }

    async fn sent(&mut self, step: usize, message_id: i32, date: i64, text: &str) -> Result<Input, RunError> {
        self.messages.push(message_id);
        self.seen.insert(message_id, None);
        self.recorder.note(Note::Sent { message_id, text });
        self.mark(JournalMark::Sent { step, message_id, date }, None).await?;
        Ok(Input::Sent { step, message_id, date })
    }

    /// An own message of this run with this text, looked for over a connection that may have to be made anew.
    async fn find_own(&mut self, text: &str) -> Result<Option<(i32, i64)>, CallError> {
        let since = self.plan.since - CLOCK_TOLERANCE;
        let mut tries = 0;
        let history = loop {
            tries += 1;
            if self.connection.is_broken() {
                self.connection.renew();
            }
            match history::since(self.connection, &mut self.chat, since).await {
                Ok(history) => break history,
                Err(error) if tries >= 5 || !error.is_uncertain() => return Err(error),
                Err(_) => tokio::time::sleep(RECONNECT_PAUSE).await,
            }
        };
        let own = |message: &&ChatMessage| {
            message.outgoing && message.text.trim() == text.trim() && !self.messages.contains(&message.id)
        };
        Ok(history.iter().filter(own).max_by_key(|message| message.id).map(|message| (message.id, message.date)))
    }

    async fn click(&mut self, step: usize, message_id: i32, data: Vec<u8>, label: &str) -> Result<Input, RunError> {
        self.mark(JournalMark::Begun { step, date: now() }, None).await?;
        self.recorder.note(Note::Clicked { message_id, label });
        let request = tl::functions::messages::GetBotCallbackAnswer {
            game: false,
            peer: self.chat.peer.input(),
            msg_id: message_id,
            data: Some(data),
            password: None,
        };
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.connection.call(&request).await {
                Ok(tl::enums::messages::BotCallbackAnswer::Answer(answer)) => {
                    let popup = (answer.message.is_some() || answer.url.is_some()).then_some(Popup {
                        text: answer.message,
                        alert: answer.alert,
                        url: answer.url,
                    });
                    if let Some(popup) = &popup {
                        self.recorder.note(Note::Popup(popup));
                    }
                    let mark = JournalMark::Clicked { step, message_id, date: now(), popup: popup.clone() };
                    self.mark(mark, None).await?;
                    return Ok(Input::Clicked { step, popup });
                }
                Err(error) => error,
            };
            self.recorder.note(Note::Trouble(&error));
            match &error {
                CallError::FloodWait(wait) if tries < 3 && self.can_sit_out(*wait) => tokio::time::sleep(*wait).await,
                CallError::Network(_) | CallError::TimedOut(_) => {
                    // Never replayed: the press may have counted. The bot's answer may still be in the chat.
                    self.gap = Some(Instant::now());
                    return Ok(Input::Lost { step });
                }
                error => return Ok(Input::ClickRefused { step, refusal: refusal(error) }),
            }
        }
    }

    fn can_sit_out(&self, wait: Duration) -> bool {
        wait <= LONGEST_FLOOD_WAIT && self.started.elapsed() + wait < self.plan.timeout
    }
}

/// Waits for the end of the daemon.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody can say so any more, which is the end as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn is_stale_peer(error: &CallError) -> bool {
    ["PEER_ID_INVALID", "CHANNEL_INVALID", "USER_ID_INVALID"].iter().any(|name| error.is(name))
}

fn refusal(error: &CallError) -> Refusal {
    // Negative codes are MTProto's own for trouble below the methods: it is not known what happened.
    let without_answer = if error.is_uncertain() { -503 } else { 0 };
    Refusal { code: error.code().unwrap_or(without_answer), name: error.label().to_owned() }
}

/// Marks carry Unix seconds of this machine's clock until Telegram names its own.
fn now() -> i64 {
    chrono::Utc::now().timestamp()
}
