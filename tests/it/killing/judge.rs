//! What must never be seen, whatever is killed when.

use std::collections::BTreeMap;

use telegram_sim::{Entry, Event};
use tgsignd::backup::manifest::{Generation, ObjectName, Stem};

/// One connection to the data centre.
struct Open {
    account: String,
    /// Every process has an `api_id` of its own.
    process: Option<i32>,
}

/// Reads along.
#[derive(Default)]
pub(super) struct Judge {
    read: u64,
    open: BTreeMap<u64, Open>,
    /// Texts sent and buttons pressed, with how often.
    sent: BTreeMap<String, usize>,
    pressed: BTreeMap<String, usize>,
    newest: Option<Generation>,
}

impl Judge {
    /// Reads what the data centre logged since the last time.
    pub(super) fn read(&mut self, entries: Vec<Entry>) -> Result<(), String> {
        for entry in entries {
            if entry.sequence != self.read + 1 {
                return Err(format!("the log lost entries after {}", self.read));
            }
            self.read = entry.sequence;
            self.judge(&entry).map_err(|what| format!("{what}: {entry}"))?;
        }
        Ok(())
    }

    /// The last entry that was read.
    pub(super) fn position(&self) -> u64 {
        self.read
    }

    fn judge(&mut self, entry: &Entry) -> Result<(), &'static str> {
        let Some(number) = entry.connection else { return Ok(()) };
        match &entry.event {
            Event::Connected => return Ok(()),
            Event::Disconnected { .. } => {
                self.open.remove(&number);
                return Ok(());
            }
            _ => {}
        }
        let process = match &entry.event {
            Event::Device(device) => Some(device.api_id),
            _ => self.open.get(&number).and_then(|open| open.process),
        };
        if let Some(account) = entry.account.as_deref() {
            let known = self.open.entry(number).or_insert_with(|| Open { account: account.to_owned(), process });
            known.process = process;
            let both = self.open.values().any(|other| {
                other.account == account && other.process.is_some() && process.is_some() && other.process != process
            });
            if both {
                return Err("two processes are connected with one session");
            }
        }
        let (counts, what) = match &entry.event {
            Event::MessageSent { text, .. } => (&mut self.sent, text.clone()),
            Event::Click { data, .. } => (&mut self.pressed, String::from_utf8_lossy(data).into_owned()),
            _ => return Ok(()),
        };
        let count = counts.entry(what).or_default();
        *count += 1;
        if *count > 1 { Err("done twice") } else { Ok(()) }
    }

    /// Looks at the names on the WebDAV server.
    pub(super) fn look(&mut self, files: &[String]) -> Result<(), String> {
        let mut generations = BTreeMap::new();
        for name in files.iter().filter_map(|path| path.rsplit('/').next()) {
            if let Some(ObjectName::Manifest { generation, .. }) = ObjectName::parse(&Stem::default(), name)
                && let Some(other) = generations.insert(generation, name)
            {
                return Err(format!("a fork: {name} and {other}"));
            }
        }
        let newest = generations.into_keys().next_back();
        if newest < self.newest {
            return Err(format!("generation {:?} is gone, {newest:?} is the newest", self.newest));
        }
        self.newest = newest;
        Ok(())
    }

    /// How many messages were sent and buttons pressed.
    pub(super) fn done(&self) -> (usize, usize) {
        (self.sent.len(), self.pressed.len())
    }

    /// Whether a text was sent and its button pressed.
    pub(super) fn was_done(&self, text: &str, data: &str) -> bool {
        self.sent.contains_key(text) && self.pressed.contains_key(data)
    }
}
