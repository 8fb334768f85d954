//! Programs that some tests call.

/// Skips a test aloud when a program is missing; where all of them have to be there (`TGSIGND_TEST_REQUIRE_TOOLS`), it fails.
pub(crate) fn missing(what: &str) {
    assert!(std::env::var_os("TGSIGND_TEST_REQUIRE_TOOLS").is_none(), "{what} is missing");
    println!("SKIPPED: {what} is missing");
}
