//! Integration tests: real parts, one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests are outside of the pure modules")]

mod backup;
mod clocks;
mod config;
mod container;
mod crowd;
mod differential;
mod ending;
mod faults;
mod flows;
mod full_disk;
mod fuzzing;
mod groups;
mod kill_points;
mod killing;
mod kit;
mod layers;
mod login;
mod logout;
mod many;
mod missed;
mod once;
mod opening;
mod output;
mod owners;
mod pages;
mod panics;
mod peers;
mod proxy;
mod reload;
mod runs;
mod sandbox;
mod secrets;
mod simulation;
mod state_files;
mod sync;
mod systemd;
mod trial;
mod unchanged;
mod webdav;

/// What `kit` starts.
const PROGRAM: &str = env!("CARGO_BIN_EXE_tgsignd");
