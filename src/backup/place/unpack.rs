//! Archives, hostile ones too, into an empty folder.
//!
//! Only members that a backup has are written, under paths that are made from what was parsed and never from the text in the
//! archive. Owners, modes and times in the archive are ignored.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use flate2::bufread::GzDecoder;
use tar::{Archive, Entry, EntryType};

use super::RestoreError;
use crate::backup::member::{MOST_MEMBERS, Member};

/// How much an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Files.
    pub entries: usize,
    /// Bytes of all files together.
    pub bytes: u64,
    /// Bytes of a session or a file of the workdir.
    pub small_file: u64,
}

impl Default for Limits {
    /// What a backup has at most, 16 GiB, 16 MiB.
    fn default() -> Self {
        Self { entries: MOST_MEMBERS, bytes: 16 << 30, small_file: 16 << 20 }
    }
}

/// A path in the archive that is longer than a header has room for.
const LONGEST_PATH: u64 = 1024;

/// What may follow the end of the tar: tar programs fill up to a multiple of 10 KiB.
const MOST_PADDING: u64 = 1024 * 1024;

/// Writes what `compressed`, a tar.gz, holds below `folder`, which has to be empty, and says what that is.
pub fn unpack(compressed: impl Read, folder: &Path, limits: Limits) -> Result<BTreeSet<Member>, RestoreError> {
    let mut found = BTreeSet::new();
    let mut left = limits.bytes;
    walk(compressed, limits, |member, entry| {
        let size = entry.size();
        left = left.checked_sub(size).ok_or_else(|| too_large(limits.bytes))?;
        if !found.insert(member.clone()) {
            return Err(RestoreError::Hostile { entry: member.to_string(), why: "twice" });
        }
        if found.len() > limits.entries {
            return Err(RestoreError::TooLarge(format!("{} files", limits.entries)));
        }
        write(member, entry, folder)
    })?;
    Ok(found)
}

/// Takes any bytes as a tar.gz and does nothing with it: the target of a fuzzer.
pub fn fuzz(bytes: &[u8]) {
    let limits = Limits { entries: 100, bytes: 1 << 20, small_file: 1 << 16 };
    let mut left = limits.bytes;
    let _ = walk(bytes, limits, |_, entry| {
        left = left.checked_sub(entry.size()).ok_or_else(|| too_large(limits.bytes))?;
        io::copy(entry, &mut io::sink()).map(drop).map_err(damaged)
    });
}

/// Buffered here, so that what follows the compressed data is seen.
type Decompressed<R> = GzDecoder<BufReader<R>>;

fn walk<R: Read>(
    compressed: R,
    limits: Limits,
    mut each: impl FnMut(&Member, &mut Entry<'_, Decompressed<R>>) -> Result<(), RestoreError>,
) -> Result<(), RestoreError> {
    let mut archive = Archive::new(GzDecoder::new(BufReader::with_capacity(64 * 1024, compressed)));
    let mut long_path = None;
    // Raw: tar would read the contents of extension headers into memory, whatever their size.
    for entry in archive.entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        if entry.header().entry_type() == EntryType::GNULongName && long_path.is_none() {
            long_path = Some(read_long_path(&mut entry)?);
            continue;
        }
        let path = long_path.take().unwrap_or_else(|| entry.path_bytes().into_owned());
        let member = accept(&path, &entry, limits)?;
        each(&member, &mut entry)?;
    }
    if long_path.is_some() {
        return Err(RestoreError::Damaged("it ends after the name of a file".to_owned()));
    }
    finish(archive.into_inner())
}

fn accept<R: Read>(path: &[u8], entry: &Entry<'_, R>, limits: Limits) -> Result<Member, RestoreError> {
    let shown = || String::from_utf8_lossy(path).chars().take(200).collect::<String>();
    let hostile = |why| RestoreError::Hostile { entry: shown(), why };
    if entry.header().entry_type() != EntryType::Regular {
        return Err(hostile("which is no plain file"));
    }
    let path = std::str::from_utf8(path).ok();
    let member = path.and_then(Member::parse).ok_or_else(|| hostile("which no backup of tgsignd holds"))?;
    if member != Member::Ledger && entry.size() > limits.small_file {
        return Err(RestoreError::TooLarge(format!("{} bytes in {member}", limits.small_file)));
    }
    Ok(member)
}

fn read_long_path<R: Read>(entry: &mut Entry<'_, R>) -> Result<Vec<u8>, RestoreError> {
    if entry.size() > LONGEST_PATH {
        return Err(RestoreError::TooLarge(format!("{LONGEST_PATH} bytes in one path")));
    }
    let mut path = Vec::new();
    entry.read_to_end(&mut path).map_err(damaged)?;
    if path.last() == Some(&0) {
        path.pop();
    }
    Ok(path)
}

fn write<R: Read>(member: &Member, entry: &mut Entry<'_, R>, folder: &Path) -> Result<(), RestoreError> {
    let path = folder.join(member.to_string());
    let failed = || RestoreError::disk(path.clone());
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed())?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed())?;
    let size = entry.size();
    let written = copy(entry, &mut file, failed)?;
    if written != size {
        return Err(RestoreError::Damaged(format!("{member} is cut off")));
    }
    file.sync_all().map_err(failed())
}

/// Tells a damaged archive from a full disk.
fn copy<F: FnOnce(io::Error) -> RestoreError>(
    from: &mut impl Read,
    to: &mut impl Write,
    failed: impl Fn() -> F,
) -> Result<u64, RestoreError> {
    let mut piece = vec![0; 64 * 1024];
    let mut written = 0;
    loop {
        let length = from.read(&mut piece).map_err(damaged)?;
        if length == 0 {
            return Ok(written);
        }
        to.write_all(&piece[..length]).map_err(failed())?;
        written += length as u64;
    }
}

/// Reads to the end, so that checksums and signatures of the last piece are looked at, and lets nothing but zeros follow.
fn finish<R: Read>(mut decoder: Decompressed<R>) -> Result<(), RestoreError> {
    let mut rest = Vec::new();
    decoder.by_ref().take(MOST_PADDING + 1).read_to_end(&mut rest).map_err(damaged)?;
    let mut after = [0; 1];
    let follows = decoder.into_inner().read(&mut after).map_err(damaged)? > 0;
    if rest.len() as u64 > MOST_PADDING || rest.iter().any(|byte| *byte != 0) || follows {
        return Err(RestoreError::Damaged("something follows its end".to_owned()));
    }
    Ok(())
}

fn too_large(bytes: u64) -> RestoreError {
    RestoreError::TooLarge(format!("{bytes} bytes"))
}

#[expect(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn damaged(cause: io::Error) -> RestoreError {
    RestoreError::Damaged(cause.to_string())
}
