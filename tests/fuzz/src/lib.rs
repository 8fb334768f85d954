//! What the fuzz targets call. Each is a plain function of bytes that panics when a promise is broken, so that the ordinary tests
//! call it too, with bytes from a seed (`tests/it/fuzzing.rs`).

pub mod archive;
pub mod edits;
pub mod interpreter;
pub mod listing;
pub mod manifest;
