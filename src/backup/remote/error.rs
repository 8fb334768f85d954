//! What goes wrong between this host and the directory, and what the owner does about it.

use std::fmt;
use std::time::Duration;

/// A request that did not do what it was for.
///
/// It can be cloned because one refusal is the answer to everybody who asks until the next attempt is due. It holds no
/// password: addresses with one are refused when the settings are read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{action} {place}: {problem}")]
pub struct RemoteError {
    /// What was attempted, as a verb: "listing", "uploading".
    pub action: &'static str,
    /// The address it was about.
    pub place: String,
    /// What happened.
    pub problem: Problem,
}

/// What happened, with enough to act on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// No answer: the name is not known, nobody listens, no trust, no network. Says nothing about what is there.
    Unreachable(String),
    /// The server shows a certificate that nobody trusted here has signed. It was told nothing, the password neither.
    Untrusted(String),
    /// The connection ended in the middle.
    BrokenOff(String),
    /// Nothing moved for this long.
    Idle(Duration),
    /// 401.
    RefusedCredentials {
        /// Nothing is sent for so long, because servers lock out who asks again and again.
        pause: Duration,
    },
    /// 403.
    Forbidden,
    /// 507, or what means the same.
    Full,
    /// 413: the server takes no file of this size.
    RefusedSize,
    /// The server does not store it, and does not say why.
    RefusedWrite(u16),
    /// 404 and its like: what was asked for is not there, on a server that answers.
    Missing,
    /// The directory itself is not there. It may never have been made, or the address is wrong.
    MissingDirectory,
    /// Something of this name is there already, and was kept.
    Exists,
    /// The server does not speak WebDAV here.
    NotWebDav(u16),
    /// The listing is well-formed but stops at a page limit.
    ListingTruncated {
        /// How many entries came.
        entries: usize,
    },
    /// The listing cannot be understood, or is about another directory.
    ListingUnreadable(String),
    /// The answer is longer than what is reasonable here, in bytes.
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// The file on the server changed while it was read, or is not what its length says.
    Inconsistent(String),
    /// The request was sent elsewhere, where it is not followed.
    Redirected(String),
    /// Told to wait for longer than a request may take.
    Throttled {
        /// The status.
        status: u16,
        /// How long, where the server said so.
        wait: Option<Duration>,
    },
    /// The server is in trouble, also after several attempts.
    ServerTrouble(u16),
    /// A status that fits nothing above.
    Unexpected(u16),
    /// A file on this host.
    LocalFile(String),
    /// No name for an object: names are one part of a path.
    BadName,
}

impl Problem {
    /// Whether the same request may well succeed later, without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::Untrusted(_)
                | Self::BrokenOff(_)
                | Self::Idle(_)
                | Self::Throttled { .. }
                | Self::ServerTrouble(_)
                | Self::Inconsistent(_)
        )
    }
}

impl RemoteError {
    /// Whether the object, or the directory, is not there on a server that answers.
    pub fn is_missing(&self) -> bool {
        matches!(self.problem, Problem::Missing | Problem::MissingDirectory)
    }

    /// Whether the same request may well succeed later, without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        self.problem.is_transient()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(cause) => {
                write!(f, "the server cannot be reached ({cause}); check [backup] url and the network")
            }
            Self::Untrusted(cause) => write!(
                f,
                "the server's certificate is not trusted here ({cause}); name the file of your own authority as `ca` in [backup], \
                 or check [backup] url and this host's clock"
            ),
            Self::BrokenOff(cause) => write!(f, "the connection broke off ({cause}); it is tried again later"),
            Self::Idle(limit) => {
                write!(f, "nothing moved for {} s; the server hangs or the network is cut", limit.as_secs())
            }
            Self::RefusedCredentials { pause } => write!(
                f,
                "the server refuses the user name or password (401); check [backup] username and password, many services \
                 want an app password; nothing is sent for {} s",
                pause.as_secs()
            ),
            Self::Forbidden => {
                f.write_str("the server forbids it (403); give the user the right to write in [backup] remote_path")
            }
            Self::Full => f.write_str("the server has no space left for it; free some, the trash counts too, or raise the quota"),
            Self::RefusedSize => f.write_str(
                "the server takes no file of this size (413); raise its limit (nginx: client_max_body_size), or keep less history",
            ),
            Self::RefusedWrite(status) => write!(
                f,
                "the server does not store it (status {status}); its disk may be full, or the directory read-only; its log may say more"
            ),
            Self::Missing => f.write_str("it is not there (the server answers, and knows no such file)"),
            Self::MissingDirectory => f.write_str(
                "the directory is not there (the server answers, and knows no such directory); check [backup] url and \
                 remote_path, it is made with the first backup",
            ),
            Self::Exists => f.write_str("a file of this name is there already, and was left as it is"),
            Self::NotWebDav(status) => write!(
                f,
                "the server does not speak WebDAV here (status {status}); check [backup] url; a plain nginx needs its dav-ext module"
            ),
            Self::ListingTruncated { entries } => write!(
                f,
                "the listing stops after {entries} entries and may lack the newest; use a directory for this backup alone, \
                 or keep fewer generations"
            ),
            Self::ListingUnreadable(cause) => {
                write!(f, "the listing cannot be trusted: {cause}; is there a proxy before the server that rewrites paths?")
            }
            Self::TooLarge { limit } => {
                write!(f, "the answer is longer than {limit} bytes, which nothing of ours is; who else writes there?")
            }
            Self::Inconsistent(cause) => write!(f, "the file on the server is inconsistent: {cause}"),
            Self::Redirected(to) => write!(f, "the server sends the request to {to}; if that is right, write it in [backup] url"),
            Self::Throttled { status, wait: Some(wait) } => {
                write!(f, "the server wants no requests for {} s (status {status}); a longer [backup] interval helps", wait.as_secs())
            }
            Self::Throttled { status, wait: None } => {
                write!(f, "the server wants fewer requests (status {status}); a longer [backup] interval helps")
            }
            Self::ServerTrouble(status) => {
                write!(f, "the server is in trouble (status {status}, also after several attempts); its log may say more, a full disk is usual")
            }
            Self::Unexpected(status) => write!(f, "the server answered {status}, which fits nothing; its log may say more"),
            Self::LocalFile(cause) => write!(f, "a file on this host: {cause}"),
            Self::BadName => f.write_str("that is no name for a file there: one part of a path, without / and not . or .."),
        }
    }
}
