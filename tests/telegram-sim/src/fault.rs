//! Faults that a test can put in the way of a call.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// What happens instead of, or around, the answer to one call.
///
/// The questions of the key exchange and `get_future_salts` are calls in this respect, with fewer faults: they can be ignored,
/// frozen and answered with a transport error; any other fault closes the connection.
///
/// Only [`DropAfter`](Fault::DropAfter), [`Delay`](Fault::Delay), [`WrongSession`](Fault::WrongSession),
/// [`GarbageUpdate`](Fault::GarbageUpdate) and [`NewSession`](Fault::NewSession) carry the call out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answer with this RPC error.
    Error {
        /// The code, for example 420.
        code: i32,
        /// The name, for example `FLOOD_WAIT_30`.
        name: String,
    },
    /// Close the connection without carrying out the call.
    Drop,
    /// Carry out the call, then close the connection without answering: the effect happened, the answer is lost.
    DropAfter,
    /// Never answer.
    Ignore,
    /// Answer with a `bad_msg_notification` of this code.
    BadMessage(i32),
    /// Change the server salt and answer with `bad_server_salt`.
    BadSalt,
    /// Carry out the call, but answer under another session identifier.
    WrongSession,
    /// Carry out the call at once and answer after this time. Other calls are not held up.
    Delay(Duration),
    /// Send this four-byte transport error (for example -404 or -429) and close the connection.
    Transport(i32),
    /// Push an update of a constructor that nobody knows, then go on normally.
    GarbageUpdate,
    /// Stop reading and writing, with the connection left open, until
    /// [`kill_connections`](crate::DataCentre::kill_connections).
    Freeze,
    /// Announce `new_session_created` again, then go on normally.
    NewSession,
}

impl Fault {
    /// An RPC error.
    #[must_use]
    pub fn error(code: i32, name: impl Into<String>) -> Self {
        Self::Error { code, name: name.into() }
    }
}

/// What the data centre does with new connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Serve them.
    #[default]
    Normal,
    /// Close them at once.
    CloseOnAccept,
    /// Keep them open without ever reading or writing.
    SilentOnAccept,
}

/// Faults that wait for their call. Each is used once, in the order of injection.
#[derive(Default)]
pub(crate) struct FaultPlan(HashMap<String, VecDeque<Planned>>);

struct Planned {
    account: Option<Arc<str>>,
    fault: Fault,
}

impl FaultPlan {
    pub(crate) fn add(&mut self, method: &str, account: Option<Arc<str>>, fault: Fault) {
        self.0.entry(method.to_owned()).or_default().push_back(Planned { account, fault });
    }

    /// Takes the first fault that is meant for this method and account.
    pub(crate) fn take(&mut self, method: &str, account: Option<&str>) -> Option<Fault> {
        if self.0.is_empty() {
            return None;
        }
        let queue = self.0.get_mut(method)?;
        let position =
            queue.iter().position(|planned| planned.account.is_none() || planned.account.as_deref() == account)?;
        let planned = queue.remove(position)?;
        if queue.is_empty() {
            self.0.remove(method);
        }
        Some(planned.fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_its_method_and_account_once_and_in_order() {
        let mut plan = FaultPlan::default();
        plan.add("messages.sendMessage", Some("bob".into()), Fault::Drop);
        plan.add("messages.sendMessage", None, Fault::Ignore);
        plan.add("messages.sendMessage", None, Fault::Freeze);
        assert_eq!(plan.take("users.getUsers", Some("bob")), None);
        assert_eq!(plan.take("messages.sendMessage", Some("alice")), Some(Fault::Ignore));
        assert_eq!(plan.take("messages.sendMessage", Some("bob")), Some(Fault::Drop));
        assert_eq!(plan.take("messages.sendMessage", None), Some(Fault::Freeze));
        assert_eq!(plan.take("messages.sendMessage", Some("bob")), None);
    }
}
