//! Listens until the conversation ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use super::plan::{Note, Performed, Plan, Recorder, RunError};
use super::{CLOCK_TOLERANCE, RECONNECT_PAUSE, stopped};
use crate::script::{
    ChatMessage, Command, Conversation, Input, JournalMark, Verdict, decide_from_history, doubt_what_follows,
    find_sends,
};
use crate::telegram::connection::Connection;
use crate::telegram::messages::{Chat, Heard};
use crate::telegram::{chats, history};

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
    let conversation = Conversation::new(Arc::clone(&plan.script), chat.place(), plan.seed);
    let messages = plan.journal.iter().filter_map(JournalMark::sent_id).collect();
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
    let since = connection.telegram_time(plan.since) - CLOCK_TOLERANCE;
    let mut history = history::since(connection, &mut chat, since).await?;
    history.retain(|message| plan.concerns(message));
    let journal = find_sends(&plan.script, &plan.journal, &history);
    Ok(decide_from_history(Arc::clone(&plan.script), chat.place(), &journal, history))
}

pub(super) struct Run<'a, R> {
    pub(super) connection: &'a mut Connection,
    pub(super) plan: Plan<'a>,
    pub(super) recorder: &'a mut R,
    pub(super) chat: Chat,
    pub(super) conversation: Conversation,
    pub(super) started: Instant,
    /// Messages handed over, with the date of their version.
    pub(super) seen: BTreeMap<i32, Option<i64>>,
    pub(super) messages: Vec<i32>,
    pub(super) acted: bool,
    pub(super) heard_since_action: bool,
    /// Messages may have been missed; when to look next.
    pub(super) gap: Option<Instant>,
}

enum Turn {
    Inputs(Vec<Input>),
    LookAtHistory,
}

impl<R: Recorder> Run<'_, R> {
    async fn first_input(&mut self) -> Result<Input, RunError> {
        if !self.plan.journal.is_empty() || self.plan.uncertain {
            let since = self.since();
            let mut history = history::since(self.connection, &mut self.chat, since).await?;
            history.retain(|message| self.plan.concerns(message));
            let mut journal = find_sends(&self.plan.script, &self.plan.journal, &history);
            if self.plan.uncertain {
                journal = doubt_what_follows(&self.plan.script, journal, since);
            }
            // Whoever takes this run up next may not find them any more.
            for found in journal.iter().skip(self.plan.journal.len()) {
                self.recorder.mark(found, None).await.map_err(RunError::Ledger)?;
            }
            if !journal.is_empty() {
                self.acted = true;
                self.messages = journal.iter().filter_map(JournalMark::sent_id).collect();
                self.seen.extend(history.iter().map(|message| (message.id, message.edited)));
                return Ok(Input::Resume { journal, history });
            }
        }
        let history = if self.plan.script.looks_first() {
            history::newest(self.connection, &mut self.chat).await?
        } else {
            Vec::new()
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
            updates = self.connection.updates.recv() => {
                if let Some(updates) = updates {
                    return self.heard(updates);
                }
                // The runner is gone; reading the history replaces the connection.
                tokio::time::sleep_until((Instant::now() + RECONNECT_PAUSE).min(end)).await;
                Turn::LookAtHistory
            }
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
        self.connection.renew_if_broken().await;
        let since = self.since();
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

    /// From when on the chat's history is this run's, in Unix seconds of Telegram's clock.
    pub(super) fn since(&self) -> i64 {
        self.connection.telegram_time(self.plan.since) - CLOCK_TOLERANCE
    }
}
