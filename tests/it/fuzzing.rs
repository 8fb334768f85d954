//! The fuzz targets of `tests/fuzz`, on the stable compiler, with bytes from a seed.

use sha2::{Digest, Sha256};

#[path = "../fuzz/src/interpreter.rs"]
#[allow(unreachable_pub, reason = "it is the fuzz package's library too")]
mod interpreter;

/// Bytes that look random and are the same on every run.
fn bytes(target: &str, seed: u32) -> Vec<u8> {
    let length = 40 + usize::try_from(seed % 400).unwrap();
    let blocks = (0..length.div_ceil(32)).flat_map(|block| {
        Sha256::new().chain_update(target).chain_update(seed.to_be_bytes()).chain_update(block.to_be_bytes()).finalize()
    });
    blocks.take(length).collect()
}

#[test]
fn no_conversation_breaks_its_promises() {
    for seed in 0..3000 {
        let bytes = bytes("interpreter", seed);
        if let Err(panic) = std::panic::catch_unwind(|| interpreter::play(&bytes)) {
            panic!("seed {seed}: {panic:?}");
        }
    }
}
