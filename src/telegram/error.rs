//! What a call to Telegram can end with, in the classes the daemon acts on.

use std::io;
use std::time::Duration;

use grammers_client::InvocationError;

use super::session::SessionError;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Telegram asks to wait before any further call of this kind.
    #[error("Telegram asks to wait {}s (FLOOD_WAIT)", .0.as_secs())]
    FloodWait(Duration),
    /// The session ended: revoked, or the account was banned or deleted.
    #[error("the session is no longer valid ({0}): run `tgsignd login` again")]
    Unauthorised(String),
    /// Telegram understood and refused.
    #[error("Telegram refused: {name} ({code})")]
    Refused {
        /// As HTTP's: 400 wrong request, 403 forbidden, 500 their fault.
        code: i32,
        /// Telegram's name for it, digits left out.
        name: String,
    },
    /// The account lives in another data centre.
    #[error("the account lives in data centre {0}")]
    Migrate(i32),
    /// The connection broke or could not be made; whether the call took effect is not known.
    #[error("no connection to Telegram: {0}")]
    Network(String),
    /// No answer came in time; whether the call took effect is not known.
    #[error("no answer from Telegram within {}s", .0.as_secs())]
    TimedOut(Duration),
    /// The session file.
    #[error("{0}")]
    Session(String),
}

impl CallError {
    /// Whether the call may have taken effect all the same.
    pub fn is_uncertain(&self) -> bool {
        match self {
            Self::Network(_) | Self::TimedOut(_) => true,
            Self::Refused { code, .. } => *code >= 500,
            Self::FloodWait(_) | Self::Unauthorised(_) | Self::Migrate(_) | Self::Session(_) => false,
        }
    }

    /// The word for metrics: Telegram's name, or a class of ours in lower case.
    pub fn label(&self) -> &str {
        match self {
            Self::FloodWait(_) => "FLOOD_WAIT",
            Self::Unauthorised(name) | Self::Refused { name, .. } => name,
            Self::Migrate(_) => "MIGRATE",
            Self::Network(_) => "network",
            Self::TimedOut(_) => "timeout",
            Self::Session(_) => "session",
        }
    }

    /// The code Telegram answered with; `None` when it did not answer.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::FloodWait(_) => Some(420),
            Self::Unauthorised(_) => Some(401),
            Self::Migrate(_) => Some(303),
            Self::Refused { code, .. } => Some(*code),
            Self::Network(_) | Self::TimedOut(_) | Self::Session(_) => None,
        }
    }

    /// Whether Telegram refused with this name.
    pub fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { name, .. } if name == wanted)
    }
}

impl From<SessionError> for CallError {
    fn from(error: SessionError) -> Self {
        Self::Session(error.to_string())
    }
}

impl From<InvocationError> for CallError {
    fn from(error: InvocationError) -> Self {
        match error {
            InvocationError::Rpc(rpc) => {
                let value = rpc.value.unwrap_or_default();
                match (rpc.code, rpc.name.as_str()) {
                    (420, _) => Self::FloodWait(Duration::from_secs(value.into())),
                    (303, _) => Self::Migrate(value.cast_signed()),
                    // SESSION_PASSWORD_NEEDED is an answer of the login, not the end of a session.
                    (401, name) if name != "SESSION_PASSWORD_NEEDED" => Self::Unauthorised(rpc.name),
                    (_, "AUTH_KEY_DUPLICATED") => Self::Unauthorised(rpc.name),
                    (code, _) => Self::Refused { code, name: rpc.name },
                }
            }
            InvocationError::Session(error) => Self::Session(error.to_string()),
            InvocationError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Network("the connection was closed by the other side".to_owned())
            }
            InvocationError::Io(error) => Self::Network(error.to_string()),
            InvocationError::Dropped(_) => Self::Network("the connection was closed".to_owned()),
            other => Self::Network(other.to_string()),
        }
    }
}
