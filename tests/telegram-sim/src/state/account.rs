//! What changes about an account.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::mpsc;

use super::message_box::MessageBox;
use crate::connection::Outgoing;
use crate::crypto::random;
use crate::srp::{Challenge, Verifier};
use crate::tl::normalised_phone;
use crate::world::Account;

/// How many `random_id`s an account remembers.
const REMEMBERED_RANDOM_IDS: usize = 10_000;

pub(crate) struct AccountState {
    pub(crate) name: Arc<str>,
    pub(crate) user_id: i64,
    pub(crate) phone: String,
    pub(crate) code: String,
    pub(crate) first_name: Arc<str>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Arc<PasswordState>>,
    pub(crate) messages: MessageBox,
    pub(crate) groups: Vec<usize>,
    pub(crate) subscribers: Vec<Subscriber>,
    random_ids: HashMap<i64, i32>,
    random_id_order: VecDeque<i64>,
}

impl AccountState {
    pub(super) fn new(account: &Account) -> Self {
        Self {
            name: account.name.clone(),
            user_id: account.user_id,
            phone: normalised_phone(&account.phone),
            code: account.code.clone(),
            first_name: account.first_name.clone(),
            username: account.username.clone(),
            password: account.password.clone().map(|password| {
                Arc::new(PasswordState { password, verifier: OnceLock::new(), challenge: Mutex::new(None) })
            }),
            messages: MessageBox::default(),
            groups: Vec::new(),
            subscribers: Vec::new(),
            random_ids: HashMap::new(),
            random_id_order: VecDeque::new(),
        }
    }

    /// The message that was sent under this `random_id`.
    pub(crate) fn sent_as(&self, random_id: i64) -> Option<i32> {
        self.random_ids.get(&random_id).copied()
    }

    pub(crate) fn remember_random_id(&mut self, random_id: i64, message_id: i32) {
        if self.random_ids.insert(random_id, message_id).is_none() {
            self.random_id_order.push_back(random_id);
        }
        if self.random_id_order.len() > REMEMBERED_RANDOM_IDS
            && let Some(oldest) = self.random_id_order.pop_front()
        {
            self.random_ids.remove(&oldest);
        }
    }
}

/// A connection that wants the updates of an account.
pub(crate) struct Subscriber {
    pub(crate) connection: u64,
    pub(crate) outbox: mpsc::Sender<Outgoing>,
}

/// Two-step verification of one account. Costly: use it outside of the world's lock, on a blocking thread.
pub(crate) struct PasswordState {
    password: String,
    verifier: OnceLock<Verifier>,
    challenge: Mutex<Option<Challenge>>,
}

impl PasswordState {
    pub(crate) fn verifier(&self) -> &Verifier {
        self.verifier.get_or_init(|| Verifier::new(&self.password, random(), random()))
    }

    /// Starts an attempt. The one before is void.
    pub(crate) fn challenge(&self) -> (i64, [u8; 256]) {
        let challenge = Challenge::new(self.verifier());
        let public = (challenge.id, challenge.public);
        *self.challenge.lock().unwrap_or_else(PoisonError::into_inner) = Some(challenge);
        public
    }

    /// Ends the attempt: whether it was this one, and whether it succeeded.
    pub(crate) fn check(&self, id: i64, public: &[u8], proof: &[u8]) -> Option<bool> {
        let mut current = self.challenge.lock().unwrap_or_else(PoisonError::into_inner);
        let challenge = current.take_if(|challenge| challenge.id == id)?;
        drop(current);
        Some(challenge.accepts(self.verifier(), public, proof))
    }
}
