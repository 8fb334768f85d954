//! The daemon's binary: see the library's front page for the map.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    allocator::settle();
    tgsignd::cli::main(std::env::args_os())
}

/// glibc's allocator reads its settings once, before `main`; without them it keeps what broken connections had reserved.
/// Chosen by `benches/checkin`, `benches/scale` and `benches/soak`.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(clippy::disallowed_methods, reason = "a shell reads the environment")]
mod allocator {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    /// See mallopt(3). From 128 KiB on, memory goes back to the system as soon as it is free; glibc would raise that by itself.
    /// The loop, the connections, the watcher and the ledger have a heap each, so that what is short-lived leaves no gaps among
    /// what lasts (`telegram::network`); threads that come and go share these instead of leaving gaps in one each.
    const SETTINGS: [(&str, &str); 2] = [("MALLOC_MMAP_THRESHOLD_", "131072"), ("MALLOC_ARENA_MAX", "4")];

    /// Starts the program again in this same process with the settings, unless there are any.
    pub(super) fn settle() {
        // Only the daemon has connections to lose; short commands are faster without.
        let is_set = SETTINGS.iter().any(|(name, _)| std::env::var_os(name).is_some());
        if is_set || !std::env::args_os().any(|argument| argument == "run") {
            return;
        }
        let Ok(program) = std::env::current_exe() else { return };
        let mut arguments = std::env::args_os();
        let mut again = Command::new(program);
        again.arg0(arguments.next().unwrap_or_default()).args(arguments).envs(SETTINGS);
        // It returns only when it failed, and then everything works as well, in more memory.
        let _ = again.exec();
    }
}
