//! Everything the data centre received, for tests to read.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Counts from 1 without gaps; older entries are dropped when the log is full.
    pub sequence: u64,
    /// The world's time.
    pub time: DateTime<Utc>,
    /// The connection it came from, counted from 1; `None` for what happened without one.
    pub connection: Option<u64>,
    /// Name of the account, once the connection's key is signed in.
    pub account: Option<Arc<str>>,
    /// What happened.
    pub event: Event,
}

/// What a client did.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A TCP connection was accepted.
    Connected,
    /// A TCP connection ended.
    Disconnected {
        /// Why, for a reader.
        reason: String,
    },
    /// A client without a key was given one.
    KeyExchanged,
    /// The device strings of `initConnection`.
    Device(Device),
    /// A method was called. Everything below comes with one of these, before it.
    Call {
        /// The TL name, for example `messages.sendMessage`.
        method: &'static str,
    },
    /// A login code was requested.
    CodeRequested {
        /// The account of the phone number.
        account: Arc<str>,
    },
    /// The code was wrong.
    CodeRefused {
        /// The account that was tried.
        account: Arc<str>,
    },
    /// The code was right, and a password is needed.
    PasswordRequired {
        /// The account that was tried.
        account: Arc<str>,
    },
    /// The password was wrong.
    PasswordRefused {
        /// The account that was tried.
        account: Arc<str>,
    },
    /// An account signed in.
    SignedIn {
        /// The account.
        account: Arc<str>,
    },
    /// The account of the entry signed out.
    SignedOut,
    /// A message was sent, or refused because its `random_id` is a duplicate.
    MessageSent {
        /// Name of the bot, account or group that it went to.
        chat: Arc<str>,
        /// The topic it went to, in forums.
        topic: Option<i32>,
        /// The text; the emoji of a die.
        text: String,
        /// Chosen by the client.
        random_id: i64,
        /// The identifier it got, or that of the first message when it is a duplicate.
        message_id: i32,
        /// The message it replies to.
        reply_to: Option<i32>,
        /// The same `random_id` came before. It was refused with `RANDOM_ID_DUPLICATE` unless the world forgets them.
        duplicate: bool,
    },
    /// An inline button was pressed.
    Click {
        /// Name of the chat.
        chat: Arc<str>,
        /// The message with the button.
        message_id: i32,
        /// The callback data.
        data: Vec<u8>,
        /// What the button shows.
        button_text: String,
    },
    /// An answer of a poll was chosen.
    Voted {
        /// Name of the chat.
        chat: Arc<str>,
        /// The message with the poll.
        message_id: i32,
        /// The answer.
        answer: String,
    },
    /// A page was told who opens it.
    LoginAccepted {
        /// Name of the chat.
        chat: Arc<str>,
        /// The message with the button.
        message_id: i32,
        /// The address of the button.
        url: String,
    },
    /// A message was edited.
    Edited {
        /// Name of the chat.
        chat: Arc<str>,
        /// The message.
        message_id: i32,
        /// The new text.
        text: String,
    },
    /// Messages were deleted.
    Deleted {
        /// The identifiers that existed.
        message_ids: Vec<i32>,
    },
}

/// What a client says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The application's identifier.
    pub api_id: i32,
    /// For example the host.
    pub device_model: String,
    /// For example the kernel.
    pub system_version: String,
    /// Version of the application.
    pub app_version: String,
    /// Language of the system.
    pub system_lang_code: String,
    /// Language of the application.
    pub lang_code: String,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6}  {}", self.sequence, self.time.format("%Y-%m-%d %H:%M:%S"))?;
        match self.connection {
            Some(connection) => write!(f, "  #{connection:<3}")?,
            None => write!(f, "  -   ")?,
        }
        write!(f, " {:<10} {}", self.account.as_deref().unwrap_or("-"), self.event)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => f.write_str("connected"),
            Self::KeyExchanged => f.write_str("got a new key"),
            Self::Disconnected { reason } => write!(f, "disconnected: {reason}"),
            Self::Device(device) => write!(
                f,
                "is {:?} on {:?}, version {:?}, language {:?}, api_id {}",
                device.device_model, device.system_version, device.app_version, device.lang_code, device.api_id
            ),
            Self::Call { method } => write!(f, "calls {method}"),
            Self::CodeRequested { account } => write!(f, "requests a login code for {account}"),
            Self::CodeRefused { account } => write!(f, "sends a wrong code for {account}"),
            Self::PasswordRequired { account } => {
                write!(f, "sends the code of {account}, the password is due")
            }
            Self::PasswordRefused { account } => write!(f, "sends a wrong password for {account}"),
            Self::SignedIn { account } => write!(f, "signs in as {account}"),
            Self::SignedOut => f.write_str("signs out"),
            Self::MessageSent { chat, topic, text, message_id, reply_to, duplicate, .. } => {
                write!(f, "sends {text:?} to {chat}")?;
                if let Some(topic) = topic {
                    write!(f, ", topic {topic}")?;
                }
                if let Some(reply_to) = reply_to {
                    write!(f, ", in reply to {reply_to}")?;
                }
                write!(f, " as message {message_id}{}", if *duplicate { " AGAIN (same random_id)" } else { "" })
            }
            Self::Click { chat, message_id, data, button_text } => write!(
                f,
                "presses {button_text:?} of message {message_id} in {chat} (data {:?})",
                String::from_utf8_lossy(data)
            ),
            Self::Voted { chat, message_id, answer } => {
                write!(f, "votes {answer:?} in message {message_id} in {chat}")
            }
            Self::LoginAccepted { chat, message_id, url } => {
                write!(f, "tells {url} of message {message_id} in {chat} who it is")
            }
            Self::Edited { chat, message_id, text } => write!(f, "edits message {message_id} in {chat} to {text:?}"),
            Self::Deleted { message_ids } => write!(f, "deletes messages {message_ids:?}"),
        }
    }
}

/// A bounded log that can be waited on.
pub(crate) struct Log {
    entries: Mutex<Entries>,
    changed: watch::Sender<u64>,
}

struct Entries {
    kept: VecDeque<Entry>,
    next_sequence: u64,
    limit: usize,
}

impl Log {
    pub(crate) fn new(limit: usize) -> Self {
        let entries = Entries { kept: VecDeque::new(), next_sequence: 1, limit: limit.max(1) };
        Self { entries: Mutex::new(entries), changed: watch::channel(0).0 }
    }

    pub(crate) fn add(&self, time: DateTime<Utc>, connection: Option<u64>, account: Option<Arc<str>>, event: Event) {
        let mut entries = self.lock();
        let sequence = entries.next_sequence;
        entries.next_sequence += 1;
        if entries.kept.len() >= entries.limit {
            entries.kept.pop_front();
        }
        entries.kept.push_back(Entry { sequence, time, connection, account, event });
        drop(entries);
        self.changed.send_replace(sequence);
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.lock().kept.iter().cloned().collect()
    }

    /// The entries after `sequence`.
    pub(crate) fn since(&self, sequence: u64) -> Vec<Entry> {
        let entries = self.lock();
        let start = entries.kept.partition_point(|entry| entry.sequence <= sequence);
        entries.kept.range(start..).cloned().collect()
    }

    /// Applies `read` to all entries, under the lock of the log.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&[Entry]) -> T) -> T {
        read(self.lock().kept.make_contiguous())
    }

    /// A receiver that changes with every entry.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entries_make_room() {
        let log = Log::new(2);
        for _ in 0..3 {
            log.add(DateTime::UNIX_EPOCH, Some(1), None, Event::Connected);
        }
        let sequences: Vec<u64> = log.entries().iter().map(|entry| entry.sequence).collect();
        assert_eq!(sequences, [2, 3]);
        assert_eq!(log.since(2).len(), 1);
        assert_eq!(log.since(3), []);
        assert_eq!(*log.changes().borrow(), 3);
    }
}
