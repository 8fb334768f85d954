//! Archives that no backup of ours is.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tar::{EntryType, Header};

use super::tests::tree;
use super::*;

/// A tar.gz of raw headers, so that nothing stops what no honest program writes.
fn tar_gz(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (path, kind, data) in entries {
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(data.len() as u64);
        header.set_mode(0o7777);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(data);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    gzip(&tar)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

const SMALL: Limits = Limits { entries: 3, bytes: 10_000, small_file: 1000 };

fn unpacked(bytes: &[u8]) -> Result<BTreeSet<String>, RestoreError> {
    let around = tempfile::tempdir().unwrap();
    let folder = around.path().join("in");
    fs::create_dir(&folder).unwrap();
    let result = unpack(bytes, &folder, SMALL);
    let beside: Vec<_> = fs::read_dir(around.path()).unwrap().collect();
    assert_eq!(beside.len(), 1, "something was written beside the folder");
    for name in tree(&folder).keys() {
        assert_eq!(fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o7777, 0o600);
    }
    result.map(|members| members.iter().map(ToString::to_string).collect())
}

#[test]
fn hostile_archives_are_refused() {
    use EntryType as Kind;
    let good = ("state/state.db", Kind::Regular, &b"ledger"[..]);
    assert_eq!(unpacked(&tar_gz(&[good])).unwrap(), ["state/state.db".to_owned()].into());
    let hostile = [
        ("/etc/passwd", Kind::Regular),
        ("../sessions/a.session", Kind::Regular),
        ("sessions/../../a.session", Kind::Regular),
        ("state/backup.json", Kind::Regular),
        ("state/state.db-wal", Kind::Regular),
        ("sessions/a.session", Kind::Symlink),
        ("sessions/a.session", Kind::Link),
        ("sessions/a.session", Kind::Char),
        ("sessions/a.session", Kind::Block),
        ("sessions/a.session", Kind::Fifo),
        ("sessions/a.session", Kind::GNUSparse),
        ("sessions/", Kind::Directory),
        ("pax", Kind::XHeader),
        ("pax", Kind::XGlobalHeader),
        ("link", Kind::GNULongLink),
    ];
    for (path, kind) in hostile {
        let error = unpacked(&tar_gz(&[good, (path, kind, b"")])).unwrap_err();
        assert!(matches!(error, RestoreError::Hostile { .. }), "{path} {kind:?}: {error}");
    }
    let twice = unpacked(&tar_gz(&[good, good])).unwrap_err();
    assert!(matches!(twice, RestoreError::Hostile { why: "twice", .. }), "{twice}");
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    use EntryType as Kind;
    let many: Vec<String> = (0..4).map(|number| format!("sessions/{number}.session")).collect();
    let many: Vec<_> = many.iter().map(|path| (path.as_str(), Kind::Regular, &b"x"[..])).collect();
    let big = vec![0; 20_000];
    let middling = vec![0; 2000];
    let long = [("@", Kind::GNULongName, &middling[..]), ("state/state.db", Kind::Regular, b"")];
    let bombs = [
        tar_gz(&many),
        tar_gz(&[("state/state.db", Kind::Regular, &big)]),
        tar_gz(&[("sessions/a.session", Kind::Regular, &middling)]),
        tar_gz(&long),
    ];
    for (number, bomb) in bombs.iter().enumerate() {
        let error = unpacked(bomb).unwrap_err();
        assert!(matches!(error, RestoreError::TooLarge(_)), "{number}: {error}");
    }
    // A gigabyte of zeros where the archive should have ended.
    let mut tail = GzEncoder::new(Vec::new(), Compression::best());
    io::copy(&mut io::Read::take(io::repeat(0), 64 << 20), &mut tail).unwrap();
    assert!(matches!(unpacked(&tail.finish().unwrap()), Err(RestoreError::Damaged(_))));
}

#[test]
fn what_is_cut_or_continued_is_damaged() {
    let good = tar_gz(&[("state/state.db", EntryType::Regular, b"ledger")]);
    let continued = [&good[..], b"more"].concat();
    let twice = [&good[..], &good[..]].concat();
    let mut checksum = good.clone();
    let at = checksum.len() - 6;
    checksum[at] ^= 1;
    for bad in [&good[..good.len() - 1], &good[..good.len() / 2], b"", b"no gzip", &continued, &twice, &checksum] {
        let error = unpacked(bad).unwrap_err();
        assert!(matches!(error, RestoreError::Damaged(_)), "{error}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        fuzz(&bytes);
        fuzz(&gzip(&bytes));
    }

    #[test]
    fn a_changed_archive_writes_nothing_elsewhere(changes in prop::collection::vec((0_usize..2048, any::<u8>()), 1..4)) {
        let mut tar = Vec::new();
        io::Read::read_to_end(
            &mut flate2::read::GzDecoder::new(&tar_gz(&[("sessions/a.session", EntryType::Regular, b"x"), ("state/state.db", EntryType::Regular, b"y")])[..]),
            &mut tar,
        ).unwrap();
        for (position, byte) in changes {
            tar[position] = byte;
        }
        let _ = unpacked(&gzip(&tar));
        fuzz(&gzip(&tar));
    }
}
