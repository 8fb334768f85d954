//! A test that wants to do something at an exact moment of a call.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It arrived, and nothing was done about it.
    Received,
    /// It was carried out and is not answered.
    CarriedOut,
    /// Its answer was written to the connection.
    Answered,
}

/// A moment in the life of a call.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Who calls, once the connection's key is signed in.
    pub account: Option<Arc<str>>,
    /// The TL name, for example `messages.sendMessage`.
    pub method: &'static str,
    /// How far it has come.
    pub stage: Stage,
}

/// Told of every moment. The data centre waits for it, and closes the connection when it breaks: before the call is carried out,
/// or without an answer.
pub(crate) type Witness = Arc<dyn Fn(&Moment) -> ControlFlow<()> + Send + Sync>;

/// The place of the one witness.
#[derive(Default)]
pub(crate) struct WitnessBox(Mutex<Option<Witness>>);

impl WitnessBox {
    pub(crate) fn set(&self, witness: Option<Witness>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = witness;
    }

    /// Not under the lock: other calls go on meanwhile.
    pub(crate) fn see(&self, moment: &Moment) -> ControlFlow<()> {
        let witness = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        witness.map_or(ControlFlow::Continue(()), |witness| witness(moment))
    }
}
