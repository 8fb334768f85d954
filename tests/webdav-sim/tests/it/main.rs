//! The simulation behaves as the servers were measured.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod client;
mod faults;
mod quirks;
mod rows;
mod tables;
