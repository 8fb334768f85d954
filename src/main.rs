//! The daemon's binary: see the library's front page for the map.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    allocator::settle();
    tgsignd::cli::main(std::env::args_os())
}

/// glibc's allocator reads its setting once, before `main`; without one it keeps what broken connections had reserved.
/// Chosen by `benches/checkin`.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(clippy::disallowed_methods, reason = "a shell reads the environment")]
mod allocator {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    /// From 128 KiB on, memory goes back to the system as soon as it is free; glibc would raise that by itself. See mallopt(3).
    const THRESHOLD: (&str, &str) = ("MALLOC_MMAP_THRESHOLD_", "131072");

    /// Starts the program again in this same process with the setting, unless there is one.
    pub(super) fn settle() {
        let (name, value) = THRESHOLD;
        // Only the daemon has connections to lose; short commands are faster without.
        if std::env::var_os(name).is_some() || !std::env::args_os().any(|argument| argument == "run") {
            return;
        }
        let Ok(program) = std::env::current_exe() else { return };
        let mut arguments = std::env::args_os();
        let mut again = Command::new(program);
        again.arg0(arguments.next().unwrap_or_default()).args(arguments).env(name, value);
        // It returns only when it failed, and then everything works as well, in more memory.
        let _ = again.exec();
    }
}
