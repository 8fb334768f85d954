//! Why a restore fails; what was there is there still.

use std::io;
use std::path::PathBuf;

/// Why a restore fails; what was there is there still.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A file or folder on this host.
    #[error("{}: {cause}", path.display())]
    Disk {
        /// Which.
        path: PathBuf,
        /// In the words of the operating system.
        cause: io::Error,
    },
    /// The file is not what the manifest describes.
    #[error("{}: this is not the archive that its manifest describes: it was cut off, damaged or replaced", .0.display())]
    NotAsSigned(PathBuf),
    /// Sealed to others.
    #[error(
        "the backup was sealed to other keys than the identity given here; give the identity that belongs to one of its recipients \
         (wrong TG_SIGNER_BACKUP_ENCRYPTION_KEY or identity?)"
    )]
    WrongKey,
    /// Not age, or damaged.
    #[error("the archive cannot be decrypted: {0}")]
    Undecryptable(String),
    /// Not gzip or tar, or damaged.
    #[error("the archive is damaged: {0}")]
    Damaged(String),
    /// Something that no backup of ours holds.
    #[error("the archive holds {entry:?}, {why}; nothing of it was used")]
    Hostile {
        /// The path in the archive.
        entry: String,
        /// What is wrong about it.
        why: &'static str,
    },
    /// More than the limits allow.
    #[error("the archive unpacks to more than {0}; nothing of it was used")]
    TooLarge(String),
    /// What was unpacked is not what was sealed.
    #[error("what was unpacked is not what the manifest describes")]
    OtherContent,
    /// A file in the archive is not usable.
    #[error("{member} in the archive is not usable: {why}")]
    Unusable {
        /// Which.
        member: String,
        /// What is wrong with it.
        why: String,
    },
    /// An earlier restore was stopped and could not be finished.
    #[error("{}: a restore that was stopped cannot be finished: {why}; nothing was lost, see that folder", folder.display())]
    Unfinished {
        /// Where its files are.
        folder: PathBuf,
        /// Why.
        why: String,
    },
}

impl RestoreError {
    pub(super) fn disk(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::Disk { path, cause }
    }
}
