//! What was unpacked, verified and made one tree.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::open::open;
use super::unpack::{Limits, unpack};
use super::{RestoreError, swap};
use crate::backup::applied::Applied;
use crate::backup::archive::{Contents, SealError, digest_of};
use crate::backup::formats::Formats;
use crate::backup::keys::Identity;
use crate::backup::manifest::PartObject;
use crate::backup::member::Member;

/// A sealed archive on this host with what a trusted manifest says about it.
#[derive(Debug, Clone, Copy)]
pub struct Sealed<'a> {
    /// Where it was downloaded to.
    pub file: &'a Path,
    /// What it has to be.
    pub part: &'a PartObject,
}

impl Sealed<'_> {
    /// The first level of verification, which needs no identity: the bytes are those of the manifest.
    pub fn verify_bytes(&self) -> Result<(), RestoreError> {
        let (size, sha256) = digest_of(self.file).map_err(RestoreError::disk(self.file))?;
        if (size, sha256) == (self.part.size, self.part.sha256) {
            Ok(())
        } else {
            Err(RestoreError::NotAsSigned(self.file.to_owned()))
        }
    }
}

/// A folder that holds everything of a generation, verified. Removed with its files when dropped, unless it is told otherwise.
#[derive(Debug)]
pub struct Staging {
    folder: PathBuf,
    members: BTreeSet<Member>,
    keep: bool,
}

impl Staging {
    /// Unpacks and verifies a generation in `folder`, which must not exist: digests, every session, every file, the ledger; recent
    /// claims are merged into the history. This is also the second level of verification and the restore drill.
    pub fn fill(
        folder: &Path,
        core: Sealed,
        history: Option<Sealed>,
        identity: &Identity,
        formats: &dyn Formats,
        limits: Limits,
    ) -> Result<Self, RestoreError> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(RestoreError::disk(folder))?;
        let mut staging = Self { folder: folder.to_owned(), members: BTreeSet::new(), keep: false };
        staging.members = verified(core, &staging.tree(), identity, formats, limits)?;
        if let Some(history) = history {
            staging.add_history(history, identity, formats, limits)?;
        }
        Ok(staging)
    }

    /// What a start of ours would find in it, below [`Staging::tree`].
    pub fn members(&self) -> &BTreeSet<Member> {
        &self.members
    }

    /// Looks like a data directory.
    pub fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// Leaves the folder to somebody else.
    pub(super) fn keep(mut self) {
        self.keep = true;
    }

    fn add_history(
        &self,
        history: Sealed,
        identity: &Identity,
        formats: &dyn Formats,
        limits: Limits,
    ) -> Result<(), RestoreError> {
        let folder = self.folder.join("history");
        let members = verified(history, &folder, identity, formats, limits)?;
        if members != BTreeSet::from([Member::Ledger]) {
            return Err(RestoreError::OtherContent);
        }
        let ledger = Member::Ledger.to_string();
        let (whole, recent) = (folder.join(&ledger), self.tree().join(&ledger));
        let unusable = |why| RestoreError::Unusable { member: ledger.clone(), why };
        formats.merge_ledgers(&whole, &recent).map_err(unusable)?;
        formats.check_ledger(&whole).map_err(unusable)?;
        File::open(&whole).and_then(|file| file.sync_all()).map_err(RestoreError::disk(&whole))?;
        fs::rename(&whole, &recent).map_err(RestoreError::disk(&recent))?;
        fs::remove_dir_all(&folder).map_err(RestoreError::disk(&folder))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.keep {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn verified(
    sealed: Sealed,
    folder: &Path,
    identity: &Identity,
    formats: &dyn Formats,
    limits: Limits,
) -> Result<BTreeSet<Member>, RestoreError> {
    sealed.verify_bytes()?;
    DirBuilder::new().mode(0o700).create(folder).map_err(RestoreError::disk(folder))?;
    let members = unpack(open(sealed.file, identity)?, folder, limits)?;
    let digest = Contents::unpacked(folder, members.clone()).digest(formats).map_err(|error| match error {
        SealError::TooMany(count) => RestoreError::TooLarge(format!("{count} files")),
        SealError::Session { file, why } => RestoreError::Unusable { member: file.display().to_string(), why },
        SealError::File { file: path, cause } | SealError::Archive { file: path, cause } => {
            RestoreError::Disk { path, cause }
        }
    })?;
    if digest != sealed.part.content {
        return Err(RestoreError::OtherContent);
    }
    for member in &members {
        check(member, &folder.join(member.to_string()), formats)?;
    }
    if !members.contains(&Member::Ledger) {
        return Err(RestoreError::OtherContent);
    }
    Ok(members)
}

fn check(member: &Member, path: &Path, formats: &dyn Formats) -> Result<(), RestoreError> {
    let unusable = |why| RestoreError::Unusable { member: member.to_string(), why };
    match member {
        // Read when the digest was made.
        Member::Session(_) => Ok(()),
        Member::Ledger => formats.check_ledger(path).map_err(unusable),
        Member::Inbox => {
            let bytes = fs::read(path).map_err(RestoreError::disk(path))?;
            Applied::parse(&bytes).map(drop).ok_or_else(|| unusable("it is damaged".to_owned()))
        }
        Member::Workdir(_) => {
            let bytes = fs::read(path).map_err(RestoreError::disk(path))?;
            std::str::from_utf8(&bytes).map(drop).map_err(|_| unusable("it is not UTF-8".to_owned()))
        }
    }
}

/// Where a restore of `datadir` is staged.
pub(super) fn folder(datadir: &Path) -> PathBuf {
    swap::folder(datadir)
}
