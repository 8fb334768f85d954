//! Sends and presses, once; and does what may be done twice.

use std::time::Duration;

use chrono::Utc;
use grammers_tl_types as tl;
use tokio::time::Instant;

use super::RECONNECT_PAUSE;
use super::converse::Run;
use super::plan::{Note, Recorder, RunError};
use crate::script::{
    Act, ChatMessage, Command, Input, JournalMark, Original, Outgoing, Place, Popup, Press, Question, Quiet, Refusal,
};
use crate::telegram::error::CallError;
use crate::telegram::messages::Chat;
use crate::telegram::peer::Peer;
use crate::telegram::{chats, history, pictures, quiet, sending};

/// A flood wait is sat out up to this long; a longer one ends the attempt, so that the account's other tasks are told.
const LONGEST_FLOOD_WAIT: Duration = Duration::from_mins(1);

impl<R: Recorder> Run<'_, R> {
    pub(super) async fn carry_out(&mut self, command: Command) -> Result<Input, RunError> {
        let (step, act, memory) = match command {
            Command::Act { step, act, memory } => (step, act, memory),
            Command::Ask { step, question } => return Ok(self.consult(step, &question).await),
            Command::Finish(_) => return Ok(Input::Expired),
        };
        let original = match &act {
            Act::Send(Outgoing::Forward(original)) => match self.original(original).await {
                Ok(original) => Some(original),
                Err(reason) => return Ok(Input::NotDone { step, reason }),
            },
            _ => None,
        };
        if matches!(act, Act::Send(_))
            && let Err(reason) = self.keep_distance().await
        {
            return Ok(Input::NotDone { step, reason });
        }
        self.acted = true;
        self.heard_since_action = false;
        let message = match &act {
            Act::Send(message) => Some(message.clone()),
            _ => None,
        };
        let random_id = message.is_some().then(|| (self.plan.random_id)(step));
        self.mark(JournalMark::Begun { step, date: self.now(), message, memory }, random_id).await?;
        match act {
            Act::Send(message) => self.send(step, &message, original, random_id.unwrap_or_default()).await,
            Act::Click { message_id, press, label, .. } => self.press(step, message_id, press, &label).await,
            Act::Quiet(quiet) => self.quiet(step, quiet).await,
        }
    }

    /// Asks a model, at most until the attempt has to end.
    async fn consult(&mut self, step: usize, question: &Question) -> Input {
        let answer = match self.picture(question).await {
            Ok(picture) => {
                let asked = self.plan.advisor.ask(question, picture);
                let late = || Err("the time of the attempt was up before a model answered".to_owned());
                tokio::time::timeout_at(self.started + self.plan.timeout, asked).await.unwrap_or_else(|_| late())
            }
            Err(error) => {
                self.recorder.note(Note::Trouble(&error));
                Err(format!("the picture could not be fetched: {error}"))
            }
        };
        self.recorder.note(Note::Asked { answer: &answer });
        Input::Answered { step, answer }
    }

    async fn picture(&self, question: &Question) -> Result<Option<Vec<u8>>, CallError> {
        match question.picture {
            Some(message_id) => pictures::fetch(self.connection, self.chat.peer, message_id).await,
            None => Ok(None),
        }
    }

    fn now(&self) -> i64 {
        self.connection.telegram_time(Utc::now())
    }

    async fn mark(&mut self, mark: JournalMark, random_id: Option<i64>) -> Result<(), RunError> {
        self.recorder.mark(&mark, random_id).await.map_err(RunError::Ledger)
    }

    /// Waits until the account may write in this group again.
    async fn keep_distance(&self) -> Result<(), String> {
        if matches!(self.chat.place(), Place::Private { .. }) {
            return Ok(());
        }
        let chat = self.chat.peer.marked_id();
        if let Some(turn) = self.plan.posts.next(chat, self.plan.post_gap) {
            if turn >= self.started + self.plan.timeout {
                return Err("the time of the attempt ends before the account may write in this group again".to_owned());
            }
            tokio::time::sleep_until(turn).await;
        }
        self.plan.posts.wrote(chat, Instant::now());
        Ok(())
    }

    /// The chat and the number of the message that is forwarded.
    async fn original(&mut self, original: &Original) -> Result<(Peer, i32), String> {
        let (chat, pattern) = match original {
            Original::Here(message_id) => return Ok((self.chat.peer, *message_id)),
            Original::Newest { chat, pattern } => (chat, pattern),
        };
        let peer = chats::find(self.connection, chat).await.map_err(|error| error.to_string())?;
        let mut there = Chat::new(peer, None, self.connection.session().my_id().unwrap_or_default());
        let newest = history::newest(self.connection, &mut there).await.map_err(|error| error.to_string())?;
        let found = newest.iter().find(|message| pattern.is_match(&message.text));
        found.map(|message| (peer, message.id)).ok_or_else(|| format!("no new message of {chat} says '{pattern}'"))
    }

    async fn send(
        &mut self,
        step: usize,
        message: &Outgoing,
        original: Option<(Peer, i32)>,
        random_id: i64,
    ) -> Result<Input, RunError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match sending::send(self.connection, &self.chat, message, original, random_id).await {
                Ok(updates) => match sending::sent_message(&updates, random_id) {
                    Some((message_id, date)) => return self.sent(step, message_id, date, message).await,
                    None => CallError::Network("Telegram's answer to the message was not understood".into()),
                },
                Err(error) => error,
            };
            self.recorder.note(Note::Trouble(&error));
            match &error {
                CallError::FloodWait(wait) if tries < 3 && self.can_sit_out(*wait) => tokio::time::sleep(*wait).await,
                error if error.is("RANDOM_ID_DUPLICATE") || error.is_uncertain() => {
                    match self.find_own(message).await {
                        Ok(Some((message_id, date))) => return self.sent(step, message_id, date, message).await,
                        // Telegram holds it, but we cannot see it: never send another one.
                        Ok(None) if error.is("RANDOM_ID_DUPLICATE") => return Ok(Input::Lost { step }),
                        // It is not there, so it may be sent again; the same random_id is the second net.
                        Ok(None) if tries < 3 => {}
                        Ok(None) | Err(_) => return Ok(Input::Lost { step }),
                    }
                }
                error if tries == 1 && is_stale_peer(error) => {
                    // What the session remembers of the chat is no longer true.
                    chats::forget(self.connection, self.plan.chat);
                    self.chat.peer = chats::find(self.connection, self.plan.chat).await?;
                }
                error => return Ok(Input::Refused { step, refusal: refusal(error) }),
            }
        }
    }

    async fn sent(&mut self, step: usize, message_id: i32, date: i64, message: &Outgoing) -> Result<Input, RunError> {
        self.messages.push(message_id);
        self.seen.insert(message_id, None);
        self.recorder.note(Note::Sent { message_id, text: &message.shown() });
        self.mark(JournalMark::Sent { step, message_id, date }, None).await?;
        Ok(Input::Sent { step, message_id, date })
    }

    /// An own message of this run like this one, looked for over a connection that may have to be made anew.
    async fn find_own(&mut self, wanted: &Outgoing) -> Result<Option<(i32, i64)>, CallError> {
        let since = self.since();
        let mut tries = 0;
        let history = loop {
            tries += 1;
            self.connection.renew_if_broken().await;
            match history::since(self.connection, &mut self.chat, since).await {
                Ok(history) => break history,
                Err(error) if tries >= 5 || !error.is_uncertain() => return Err(error),
                Err(_) => tokio::time::sleep(RECONNECT_PAUSE).await,
            }
        };
        let own = |message: &&ChatMessage| wanted.is_like(message) && !self.messages.contains(&message.id);
        Ok(history.iter().filter(own).max_by_key(|message| message.id).map(|message| (message.id, message.date)))
    }

    async fn press(&mut self, step: usize, message_id: i32, press: Press, label: &str) -> Result<Input, RunError> {
        self.recorder.note(Note::Clicked { message_id, label });
        match press {
            Press::Callback(data) => self.click(step, message_id, data).await,
            Press::Vote(option) => self.vote(step, message_id, option).await,
            Press::Open(link, page) => self.open(step, message_id, &link, &page).await,
        }
    }

    async fn click(&mut self, step: usize, message_id: i32, data: Vec<u8>) -> Result<Input, RunError> {
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
                    return self.pressed(step, message_id, popup).await;
                }
                Err(error) => error,
            };
            if let Some(input) = self.not_pressed(step, tries, &error).await {
                return Ok(input);
            }
        }
    }

    async fn vote(&mut self, step: usize, message_id: i32, option: Vec<u8>) -> Result<Input, RunError> {
        let peer = self.chat.peer.input();
        let request = tl::functions::messages::SendVote { peer, msg_id: message_id, options: vec![option] };
        let mut tries = 0;
        loop {
            tries += 1;
            match self.connection.call(&request).await {
                Ok(_) => return self.pressed(step, message_id, None).await,
                Err(error) => {
                    if let Some(input) = self.not_pressed(step, tries, &error).await {
                        return Ok(input);
                    }
                }
            }
        }
    }

    pub(super) async fn pressed(
        &mut self,
        step: usize,
        message_id: i32,
        popup: Option<Popup>,
    ) -> Result<Input, RunError> {
        let mark = JournalMark::Clicked { step, message_id, date: self.now(), popup: popup.clone() };
        self.mark(mark, None).await?;
        Ok(Input::Clicked { step, popup })
    }

    /// What a failed press leads to; `None`: it can be tried again.
    async fn not_pressed(&mut self, step: usize, tries: u32, error: &CallError) -> Option<Input> {
        self.recorder.note(Note::Trouble(error));
        match error {
            CallError::FloodWait(wait) if tries < 3 && self.can_sit_out(*wait) => {
                tokio::time::sleep(*wait).await;
                None
            }
            CallError::Network(_) | CallError::TimedOut(_) => {
                // Never replayed: the press may have counted. The bot's answer may still be in the chat.
                self.gap = Some(Instant::now());
                Some(Input::Lost { step })
            }
            error => Some(Input::Refused { step, refusal: refusal(error) }),
        }
    }

    /// What may be done twice is simply tried again.
    async fn quiet(&mut self, step: usize, quiet: Quiet) -> Result<Input, RunError> {
        let mut tries = 0;
        loop {
            tries += 1;
            self.connection.renew_if_broken().await;
            let error = match quiet::perform(self.connection, self.chat.peer, quiet, &self.messages).await {
                Ok(()) => {
                    self.recorder.note(Note::Done(quiet));
                    self.mark(JournalMark::Done { step, date: self.now() }, None).await?;
                    return Ok(Input::Done { step });
                }
                Err(error) => error,
            };
            self.recorder.note(Note::Trouble(&error));
            match &error {
                CallError::FloodWait(wait) if tries < 3 && self.can_sit_out(*wait) => tokio::time::sleep(*wait).await,
                error if tries < 3 && error.is_uncertain() => tokio::time::sleep(RECONNECT_PAUSE).await,
                error => return Ok(Input::Refused { step, refusal: refusal(error) }),
            }
        }
    }

    fn can_sit_out(&self, wait: Duration) -> bool {
        wait <= LONGEST_FLOOD_WAIT && self.started.elapsed() + wait < self.plan.timeout
    }
}

fn is_stale_peer(error: &CallError) -> bool {
    ["PEER_ID_INVALID", "CHANNEL_INVALID", "USER_ID_INVALID"].iter().any(|name| error.is(name))
}

fn refusal(error: &CallError) -> Refusal {
    // Negative codes are MTProto's own for trouble below the methods: it is not known what happened.
    let without_answer = if error.is_uncertain() { -503 } else { 0 };
    Refusal { code: error.code().unwrap_or(without_answer), name: error.label().to_owned() }
}
