//! What can go wrong, and what helps.

use std::io;
use std::mem::{Discriminant, discriminant};
use std::path::PathBuf;

use super::explain;
use crate::backup::archive::SealError;
use crate::backup::keys::{KeyError, PublicKey};
use crate::backup::log::{self, ResolveError, Survey};
use crate::backup::manifest::Generation;
use crate::backup::place::RestoreError;
use crate::backup::position::PositionError;
use crate::backup::remote::{Problem, RemoteError, SettingsError};

/// What helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The same may well work later: the network, a busy server.
    Wait,
    /// The configuration or a key has to change.
    Configure,
    /// A person has to decide which side is right.
    Decide,
    /// There is no backup.
    NothingThere,
    /// Something else has to be repaired; the message says what.
    Repair,
}

/// See [`SyncError::kind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind(Discriminant<SyncError>, Option<Discriminant<Problem>>);

/// Why an operation of the backup did not succeed. Nothing on either side was lost.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// `[backup]`
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A key in `[backup]`.
    #[error("[backup]: {0}")]
    Key(#[from] KeyError),
    /// `state/backup.json`
    #[error(transparent)]
    Position(#[from] PositionError),
    /// The server.
    #[error("{0}")]
    Remote(#[from] RemoteError),
    /// A server that does not do what a backup needs.
    #[error("{0}")]
    UnusableServer(String),
    /// The server answers, and there is no backup.
    #[error("there is no backup at {0}: the server answers, and the directory is empty or was never made")]
    Empty(String),
    /// The log is not as we left it.
    #[error("{}; nothing was changed there. `tgsignd backup list` shows what is there, `tgsignd backup resolve` decides", explain::survey(.0))]
    Refused(Box<Survey>),
    /// Nothing tells yet whether the manifest was stored; the next look will.
    #[error("whether the generation was stored is not known yet, the next look will tell: {0}")]
    Unclear(String),
    /// What was sent is not what is stored, or nothing is.
    #[error("{0} is not on the server as it was sent: was the upload cut off, or is its disk full?")]
    NotStored(String),
    /// No generation with that number.
    #[error("there is no generation {0} that can be used; `tgsignd backup list` shows what is there")]
    NoSuchGeneration(Generation),
    /// Somebody else's signature, or ours with another key.
    #[error(
        "the backup was signed by {key}, which is not trusted here ({name}): is this another TG_SIGNER_BACKUP_ENCRYPTION_KEY or \
         identity than it was made with? If it is your own backup, write that key into `trusted` in [backup]"
    )]
    Untrusted {
        /// The manifest.
        name: String,
        /// Who signed it.
        key: PublicKey,
    },
    /// A generation that was asked for is not sound.
    #[error("{name}: {problem}")]
    Damaged {
        /// The object.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// To open a backup, somebody has to have a key.
    #[error(
        "there is no identity here, so the backup cannot be opened: set identity in [backup], or TG_SIGNER_BACKUP_ENCRYPTION_KEY"
    )]
    NoIdentity,
    /// Nothing can be signed: there is neither an identity nor a data directory with an instance.
    #[error(
        "nothing can be signed here: set identity in [backup] or TG_SIGNER_BACKUP_ENCRYPTION_KEY, or use the data directory of a \
         daemon that has run"
    )]
    NoSigner,
    /// A reader was asked to write.
    #[error("this needs the data directory, which was opened for reading only")]
    ReadOnly,
    /// Collecting or sealing.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Opening, verifying or putting in place; what was there is there still.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The ledger cannot be copied.
    #[error("the ledger cannot be copied: {0}")]
    Ledger(String),
    /// A folder or file here.
    #[error("{}: {cause}", path.display())]
    Disk {
        /// Which.
        path: PathBuf,
        /// In the words of the operating system.
        cause: io::Error,
    },
    /// Numbers are used up.
    #[error("generation numbers are used up on this server; choose another remote_path in [backup]")]
    UsedUp,
    /// A decision that cannot be carried out.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// Our takeover record does not stay on the server.
    #[error("our takeover record {0} is not listed: the listing lags, or somebody deletes it; it is tried again")]
    NotListed(String),
    /// What was to be pushed is no such thing.
    #[error("{0}")]
    Push(String),
    /// A worker of this process ended.
    #[error("an internal error ended the operation")]
    Lost,
}

impl SyncError {
    /// What helps.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Remote(error) if error.is_transient() => Remedy::Wait,
            Self::Remote(error) => match error.problem {
                Problem::RefusedCredentials { .. }
                | Problem::Forbidden
                | Problem::NotWebDav(_)
                | Problem::MissingDirectory
                | Problem::Redirected(_)
                | Problem::BadName => Remedy::Configure,
                _ => Remedy::Repair,
            },
            Self::Unclear(_) | Self::NotListed(_) => Remedy::Wait,
            Self::Settings(_)
            | Self::Key(_)
            | Self::NoIdentity
            | Self::NoSigner
            | Self::Untrusted { .. }
            | Self::UnusableServer(_)
            | Self::UsedUp
            | Self::Restore(RestoreError::WrongKey)
            | Self::Position(PositionError::OtherRemote { .. }) => Remedy::Configure,
            Self::Refused(_) | Self::Resolve(_) => Remedy::Decide,
            Self::Empty(_) => Remedy::NothingThere,
            _ => Remedy::Repair,
        }
    }

    /// The same for the same trouble: names of objects and times in the words differ from attempt to attempt.
    pub fn kind(&self) -> Kind {
        let problem = match self {
            Self::Remote(error) => Some(discriminant(&error.problem)),
            _ => None,
        };
        Kind(discriminant(self), problem)
    }

    /// What a log that is not in order means to whoever needs it to be.
    pub(super) fn refusal(survey: Survey) -> Self {
        match survey {
            Survey::Damaged { name, problem: log::Problem::Untrusted(key), .. } => Self::Untrusted { name, key },
            survey => Self::Refused(Box::new(survey)),
        }
    }

    /// What is wrong with one manifest.
    pub(super) fn damaged(name: String, problem: log::Problem) -> Self {
        match problem {
            log::Problem::Untrusted(key) => Self::Untrusted { name, key },
            problem => Self::Damaged { name, problem: problem.to_string() },
        }
    }

    pub(super) fn disk(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::Disk { path, cause }
    }
}

/// Runs what blocks on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SyncError> + Send + 'static,
) -> Result<T, SyncError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(SyncError::Lost))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_of_one_kind_may_have_many_words() {
        let remote = |place: &str, problem: Problem| {
            SyncError::from(RemoteError { action: "uploading", place: place.to_owned(), problem }).kind()
        };
        let refused = |seconds| Problem::RefusedCredentials { pause: std::time::Duration::from_secs(seconds) };
        assert_eq!(remote("https://h/a-1.age", Problem::Full), remote("https://h/b-2.age", Problem::Full));
        assert_eq!(remote("https://h/", refused(60)), remote("https://h/", refused(59)));
        assert_ne!(remote("https://h/", Problem::Full), remote("https://h/", Problem::Forbidden));
        assert_ne!(SyncError::NoIdentity.kind(), SyncError::NoSigner.kind());
    }
}
