//! Archives: whoever has a recipient, which is no secret, can seal anything.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tgsignd::backup::place::{self, Limits};

use super::edits;

const LIMITS: Limits = Limits { entries: 4, bytes: 4096, small_file: 2048 };

/// Takes any bytes as an archive, and as changes of a good one: what comes out lies in the folder, is what was said, and is no
/// more than the limits allow.
///
/// # Panics
/// When a promise is broken, or without a folder for temporary files.
pub fn unpack(data: &[u8]) {
    place::fuzz(data);
    place::fuzz(&gzip(data));
    let changed = gzip(&edits::apply(&good(), data));
    let around = tempfile::tempdir().expect("a folder");
    let folder = around.path().join("in");
    fs::create_dir(&folder).expect("a folder");
    let said = place::unpack(&changed[..], &folder, LIMITS);
    assert_eq!(fs::read_dir(around.path()).map(Iterator::count).ok(), Some(1), "something lies beside the folder");
    let mut found = Vec::new();
    let bytes = walk(&folder, &mut found);
    assert!(bytes <= LIMITS.bytes, "{bytes} bytes were written");
    if let Ok(said) = said {
        found.sort();
        let mut said: Vec<String> =
            said.iter().map(|member| folder.join(member.to_string()).display().to_string()).collect();
        said.sort();
        assert_eq!(found, said);
    }
}

/// Adds the files below `folder` and answers their bytes; anything that is neither file nor folder is a broken promise.
fn walk(folder: &Path, found: &mut Vec<String>) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).expect("our folder") {
        let path = entry.expect("our folder").path();
        let metadata = fs::symlink_metadata(&path).expect("our file");
        if metadata.is_dir() {
            bytes += walk(&path, found);
        } else {
            assert!(metadata.is_file(), "{} is no file", path.display());
            found.push(path.display().to_string());
            bytes += metadata.len();
        }
    }
    bytes
}

fn good() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, data) in
        [("sessions/alice.session", "session"), ("state/state.db", "ledger"), ("workdir/a.toml", "version = 1")]
    {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o600);
        header.set_size(data.len() as u64);
        tar.append_data(&mut header, path, data.as_bytes()).expect("memory");
    }
    tar.into_inner().expect("memory")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).expect("memory");
    gzip.finish().expect("memory")
}

/// What a fuzzer begins with.
pub fn seed() -> Vec<u8> {
    gzip(&good())
}

/// The archive that changes are made to is good itself.
///
/// # Panics
/// When it is not.
pub fn assert_good() {
    let folder = tempfile::tempdir().expect("a folder");
    let members = place::unpack(&seed()[..], folder.path(), LIMITS).expect("a good archive");
    assert_eq!(members.len(), 3);
}
