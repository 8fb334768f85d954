//! Integration tests: real parts, one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests are outside of the pure modules")]

mod config;
mod clocks;
mod differential;
mod layers;
mod simulation;
mod tools;
