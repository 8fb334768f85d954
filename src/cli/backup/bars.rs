//! Progress bars on a terminal; nowhere else.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use crate::backup::remote::Progress;
use crate::backup::sync::{Transfer, Watcher};

const SHAPE: &str = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";

/// Shows one transfer after the other on standard error.
pub(super) fn watcher() -> Watcher {
    if !std::io::stderr().is_terminal() {
        return Arc::new(|_| Progress::silent());
    }
    let shown: Mutex<Option<ProgressBar>> = Mutex::new(None);
    Arc::new(move |Transfer { action, part, total }| {
        let bar = ProgressBar::new(total);
        if let Ok(style) = ProgressStyle::with_template(SHAPE) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(format!("{action} {part}"));
        let before = shown.lock().unwrap_or_else(PoisonError::into_inner).replace(bar.clone());
        if let Some(before) = before {
            before.finish_and_clear();
        }
        Progress::new(move |done| {
            bar.set_position(done);
            if done >= total {
                bar.finish_and_clear();
            }
        })
    })
}
