//! The daemon's binary: see the library's front page for the map.

use std::process::ExitCode;

/// Chosen by `benches/checkin`: after mass reconnects glibc keeps several times the memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tgsignd::cli::main(std::env::args_os())
}
