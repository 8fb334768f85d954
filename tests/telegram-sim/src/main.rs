//! Runs the simulated data centre.

fn main() {}
