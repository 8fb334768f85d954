//! Programs that are there or not.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

static SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// The path of a program; without it the test says aloud that it was skipped, or fails when
/// `TGSIGND_TEST_REQUIRE_TOOLS` is set.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        missing(name);
    }
    found
}

/// Says aloud that a test is skipped, or fails, because something is not there.
pub(crate) fn missing(what: &str) {
    let number = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    eprintln!("SKIPPED: there is no {what} here (skipped so far: {number})");
    assert!(std::env::var_os("TGSIGND_TEST_REQUIRE_TOOLS").is_none(), "{what} is required and not there");
}
