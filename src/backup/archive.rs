//! Shell: contents → tar → gzip → age, in one stream; memory does not grow with what is sealed.
//!
//! The tar is deterministic: members in order, one mode, owner and time. `age -d -i IDENTITY FILE | tar xz` makes a data directory
//! of it without us. Transcripts are not in it: nothing is decided by them, and they are many times the rest.
#![allow(clippy::disallowed_methods, reason = "a shell reads and writes the disk")]

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};

use super::digest::Sha256Digest;
use super::formats::Formats;
use super::keys::Recipients;
use super::log::NewPart;
use super::member::{MOST_MEMBERS, Member};

/// Of every member, because when a file was changed is nothing that a restore needs: 2006-07-24 UTC, which no tar takes for an
/// error, as it does with 1970.
const MTIME: u64 = 1_153_704_088;

/// A session file is about 2 KB.
pub const LARGEST_SESSION: u64 = 16 * 1024 * 1024;

/// Files are read in pieces of this size.
const PIECE: usize = 64 * 1024;

/// Why contents could not be collected or sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A file cannot be read or written.
    #[error("{}: {cause}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// In the words of the operating system.
        cause: io::Error,
    },
    /// A session file that is none.
    #[error("{}: {why}; sign in again, or restore it from an older backup", file.display())]
    Session {
        /// Which.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// More than is unpacked again.
    #[error("{0} sessions and files of the workdir are more than a backup holds ({MOST_MEMBERS}); join some files")]
    TooMany(usize),
    /// The archive cannot be written.
    #[error("the archive {}: {cause}", file.display())]
    Archive {
        /// Where to.
        file: PathBuf,
        /// What went wrong.
        cause: io::Error,
    },
}

/// What goes into one archive.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    members: BTreeMap<Member, Source>,
    left_out: Vec<LeftOut>,
    /// Reading a ledger is a large part of a backup's work, so its digest is computed once.
    digest: OnceLock<Sha256Digest>,
}

/// A session file that is damaged: it would make the whole backup fail its verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Which.
    pub file: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

#[derive(Clone)]
enum Source {
    Bytes(Vec<u8>),
    File(PathBuf),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::File(path) => path.fmt(f),
        }
    }
}

impl Contents {
    /// The core part: what [`Contents::without_ledger`] has, and a consistent copy of the ledger's recent claims, which nobody
    /// changes any more.
    pub fn core(
        sessions: &Path,
        workdir: &BTreeMap<String, Vec<u8>>,
        ledger_copy: &Path,
        formats: &dyn Formats,
    ) -> Result<Self, SealError> {
        let mut contents = Self::without_ledger(sessions, workdir, formats)?;
        contents.members.insert(Member::Ledger, Source::File(ledger_copy.to_owned()));
        Ok(contents)
    }

    /// The small files of the core part: the sessions in `sessions`, and the files of a workdir by their relative paths. Session
    /// files are replaced and never changed, so what is read of each is one state of it. Names that the daemon does not read are
    /// left out, and so are damaged sessions; see [`Contents::left_out`].
    pub fn without_ledger(
        sessions: &Path,
        workdir: &BTreeMap<String, Vec<u8>>,
        formats: &dyn Formats,
    ) -> Result<Self, SealError> {
        let mut left_out = Vec::new();
        let mut members = BTreeMap::new();
        let failed = |file: &Path| {
            let file = file.to_owned();
            move |cause| SealError::File { file, cause }
        };
        for entry in fs::read_dir(sessions).map_err(failed(sessions))? {
            let path = entry.map_err(failed(sessions))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if let Some(member @ Member::Session(_)) = Member::parse(&format!("sessions/{name}")) {
                let mut bytes = Vec::new();
                let file = File::open(&path).map_err(failed(&path))?;
                file.take(LARGEST_SESSION).read_to_end(&mut bytes).map_err(failed(&path))?;
                match formats.session_meaning(&bytes) {
                    Ok(_) => drop(members.insert(member, Source::Bytes(bytes))),
                    Err(why) => left_out.push(LeftOut { file: path, why }),
                }
            }
        }
        let files =
            workdir.iter().filter_map(|(path, bytes)| Some((Member::workdir(path)?, Source::Bytes(bytes.clone()))));
        members.extend(files);
        left_out.sort_by(|a, b| a.file.cmp(&b.file));
        Ok(Self { members, left_out, digest: OnceLock::new() })
    }

    /// The same with what was applied from the inbox.
    #[must_use]
    pub fn with_inbox(mut self, applied: Vec<u8>) -> Self {
        self.members.insert(Member::Inbox, Source::Bytes(applied));
        self
    }

    /// Sessions that could not be taken, for an alarm.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// The history part: a consistent copy of the whole ledger.
    pub fn history(ledger_copy: &Path) -> Self {
        let members = BTreeMap::from([(Member::Ledger, Source::File(ledger_copy.to_owned()))]);
        Self { members, ..Self::default() }
    }

    /// The files that were unpacked below `folder`.
    pub(super) fn unpacked(folder: &Path, members: impl IntoIterator<Item = Member>) -> Self {
        let file = |member: Member| {
            let path = folder.join(member.to_string());
            (member, Source::File(path))
        };
        Self { members: members.into_iter().map(file).collect(), ..Self::default() }
    }

    /// A digest of what the contents mean, decided before anything is encrypted: the same digest is the same backup.
    pub fn digest(&self, formats: &dyn Formats) -> Result<Sha256Digest, SealError> {
        if let Some(known) = self.digest.get() {
            return Ok(*known);
        }
        let digest = self.read_digest(formats)?;
        Ok(*self.digest.get_or_init(|| digest))
    }

    fn read_digest(&self, formats: &dyn Formats) -> Result<Sha256Digest, SealError> {
        let mut all = Sha256::new_with_prefix(b"tgsignd backup contents v1\n");
        for (member, source) in &self.members {
            let path = member.to_string();
            let digest = match member {
                Member::Session(_) => {
                    let bytes = source.bytes()?;
                    let why = |why| SealError::Session { file: path.clone().into(), why };
                    Sha256Digest::of(&formats.session_meaning(&bytes).map_err(why)?)
                }
                Member::Ledger | Member::Inbox | Member::Workdir(_) => source.digest()?,
            };
            all.update(path.len().to_be_bytes());
            all.update(path.as_bytes());
            all.update(digest.as_bytes());
        }
        Ok(Sha256Digest::from_hasher(all))
    }

    /// Seals the contents into a new file (0600) and describes it for a manifest. `level` is that of gzip, 0 to 9. Blocks; on an
    /// error the file is removed.
    pub fn seal(
        &self,
        formats: &dyn Formats,
        recipients: &Recipients,
        level: u32,
        into: &Path,
    ) -> Result<NewPart, SealError> {
        if self.members.len() > MOST_MEMBERS {
            return Err(SealError::TooMany(self.members.len()));
        }
        let content = self.digest(formats)?;
        let failed = |cause| SealError::Archive { file: into.to_owned(), cause };
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(into).map_err(failed)?;
        let (size, sha256) = self.write(recipients, level, file).map_err(|cause| {
            let _ = fs::remove_file(into);
            failed(cause)
        })?;
        Ok(NewPart { size, sha256, content, recipients: recipients.fingerprint() })
    }

    fn write(&self, recipients: &Recipients, level: u32, file: File) -> io::Result<(u64, Sha256Digest)> {
        let hashing = Hashing { file, hasher: Sha256::new(), size: 0 };
        let sealing = age::Encryptor::with_recipients(recipients.for_age()).map_err(io::Error::other)?;
        let sealing = sealing.wrap_output(hashing)?;
        let compressing = GzBuilder::new().mtime(0).write(sealing, Compression::new(level.min(9)));
        let mut tar = tar::Builder::new(compressing);
        for (member, source) in &self.members {
            match source {
                Source::Bytes(bytes) => append(&mut tar, member, bytes.len() as u64, &bytes[..])?,
                Source::File(path) => {
                    let file = File::open(path)?;
                    let size = file.metadata()?.len();
                    append(&mut tar, member, size, BufReader::with_capacity(PIECE, file.take(size)))?;
                }
            }
        }
        let mut hashing = tar.into_inner()?.finish()?.finish()?;
        hashing.flush()?;
        Ok((hashing.size, Sha256Digest::from_hasher(hashing.hasher)))
    }
}

fn append(tar: &mut tar::Builder<impl Write>, member: &Member, size: u64, data: impl Read) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o600);
    header.set_mtime(MTIME);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size);
    tar.append_data(&mut header, member.to_string(), data)
}

impl Source {
    fn bytes(&self) -> Result<Vec<u8>, SealError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::File(path) => fs::read(path).map_err(|cause| SealError::File { file: path.clone(), cause }),
        }
    }

    fn digest(&self) -> Result<Sha256Digest, SealError> {
        match self {
            Self::Bytes(bytes) => Ok(Sha256Digest::of(bytes)),
            Self::File(path) => {
                digest_of(path).map(|(_, digest)| digest).map_err(|cause| SealError::File { file: path.clone(), cause })
            }
        }
    }
}

/// Length and digest of a file.
pub fn digest_of(path: &Path) -> io::Result<(u64, Sha256Digest)> {
    let mut hashing = Hashing { file: io::sink(), hasher: Sha256::new(), size: 0 };
    io::copy(&mut BufReader::with_capacity(PIECE, File::open(path)?), &mut hashing)?;
    Ok((hashing.size, Sha256Digest::from_hasher(hashing.hasher)))
}

/// Counts and digests what passes.
struct Hashing<W> {
    file: W,
    hasher: Sha256,
    size: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
