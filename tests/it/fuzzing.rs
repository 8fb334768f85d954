//! The fuzz targets of `tests/fuzz`, on the stable compiler, with bytes from a seed. `FUZZ_CORPUS=FOLDER` writes what a fuzzer
//! begins with there.

use sha2::{Digest, Sha256};

#[path = "../fuzz/src/archive.rs"]
#[allow(unreachable_pub, reason = "it is the fuzz package's library too")]
mod archive;
#[path = "../fuzz/src/edits.rs"]
#[allow(unreachable_pub, reason = "it is the fuzz package's library too")]
mod edits;
#[path = "../fuzz/src/interpreter.rs"]
#[allow(unreachable_pub, reason = "it is the fuzz package's library too")]
mod interpreter;
#[path = "../fuzz/src/listing.rs"]
#[allow(unreachable_pub, reason = "it is the fuzz package's library too")]
mod listing;
#[path = "../fuzz/src/manifest.rs"]
#[allow(unreachable_pub, reason = "it is the fuzz package's library too")]
mod manifest;

/// Bytes that look random and are the same on every run.
fn bytes(target: &str, seed: u32) -> Vec<u8> {
    let length = 40 + usize::try_from(seed % 400).unwrap();
    let blocks = (0..length.div_ceil(32)).flat_map(|block| {
        Sha256::new().chain_update(target).chain_update(seed.to_be_bytes()).chain_update(block.to_be_bytes()).finalize()
    });
    blocks.take(length).collect()
}

/// Inputs that are written for a fuzzer, for each target.
const WRITTEN: u32 = 50;

fn write(target: &str, name: &str, bytes: &[u8]) {
    if let Some(corpus) = std::env::var_os("FUZZ_CORPUS") {
        let folder = std::path::Path::new(&corpus).join(target);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

fn play(target: &str, seeds: u32, promise: fn(&[u8])) {
    for seed in 0..seeds {
        let bytes = bytes(target, seed);
        if seed < WRITTEN {
            write(target, &seed.to_string(), &bytes);
        }
        if let Err(panic) = std::panic::catch_unwind(|| promise(&bytes)) {
            panic!("seed {seed}: {panic:?}");
        }
        // A few changes of a good document come further than many.
        for few in [3, 6, 12] {
            if let Err(panic) = std::panic::catch_unwind(|| promise(&bytes[..few])) {
                panic!("seed {seed}, {few} bytes: {panic:?}");
            }
        }
    }
}

#[test]
fn no_manifest_can_be_forged() {
    manifest::forge(b"");
    write("manifest", "good", &manifest::seed());
    play("manifest", 1500, manifest::forge);
}

#[test]
fn no_listing_breaks_its_promises() {
    listing::assert_good();
    write("listing", "good", &listing::seed());
    play("listing", 3000, listing::read);
}

#[test]
fn no_archive_breaks_its_promises() {
    archive::assert_good();
    write("archive", "good", &archive::seed());
    play("archive", 500, archive::unpack);
}

#[test]
fn no_conversation_breaks_its_promises() {
    for seed in 0..3000 {
        let bytes = bytes("interpreter", seed);
        if seed < WRITTEN {
            write("interpreter", &seed.to_string(), &bytes);
        }
        if let Err(panic) = std::panic::catch_unwind(|| interpreter::play(&bytes)) {
            panic!("seed {seed}: {panic:?}");
        }
    }
}
