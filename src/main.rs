//! The daemon's binary: see the library's front page for the map.

fn main() {}
