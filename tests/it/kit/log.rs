//! Log lines, as they come.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::watch;

use super::within_limit;

/// One line of a JSON log, or of something else that was written to standard error.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) text: String,
    fields: Value,
}

impl Line {
    fn new(text: String) -> Self {
        let fields = serde_json::from_str(&text).unwrap_or_default();
        Self { text, fields }
    }

    /// Whether it is one JSON object, as every line of the log should be.
    pub(crate) fn is_json(&self) -> bool {
        self.fields.is_object()
    }

    pub(crate) fn message(&self) -> &str {
        self.field("message")
    }

    /// A field that is a text, or the empty string.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields[name].as_str().unwrap_or_default()
    }
}

/// What a process has written so far.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<Line>>>,
    /// How many lines there are, and whether there will be more; `None` after the end.
    changed: watch::Receiver<Option<usize>>,
}

impl Log {
    pub(super) fn read(stream: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (change, changed) = watch::channel(Some(0));
        let log = Self { lines: Arc::clone(&lines), changed };
        tokio::spawn(async move {
            let mut stream = BufReader::new(stream).lines();
            while let Ok(Some(text)) = stream.next_line().await {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                lines.push(Line::new(text));
                change.send_replace(Some(lines.len()));
            }
            change.send_replace(None);
        });
        log
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn text(&self) -> String {
        self.lines().into_iter().map(|line| line.text + "\n").collect()
    }

    /// The first `count` lines that fit, waited for.
    pub(crate) async fn wait_for(&self, count: usize, fits: impl Fn(&Line) -> bool) -> Vec<Line> {
        let mut changed = self.changed.clone();
        let wait = async {
            loop {
                let goes_on = changed.borrow_and_update().is_some();
                let mut found = self.lines();
                found.retain(&fits);
                found.truncate(count);
                if found.len() == count {
                    return found;
                }
                assert!(goes_on, "the process ended before it wrote what was waited for:\n{}", self.text());
                // The end of the sender is the end of the log, and told before.
                let _ = changed.changed().await;
            }
        };
        within_limit(wait, || format!("the log line that was waited for; the log:\n{}", self.text())).await
    }

    /// Everything, once the process has closed its standard error.
    pub(super) async fn end(&self) {
        let mut changed = self.changed.clone();
        let closed = changed.wait_for(Option::is_none);
        within_limit(async { drop(closed.await) }, || format!("the end of the log:\n{}", self.text())).await;
    }
}
