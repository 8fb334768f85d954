//! Authorisation keys and who they belong to.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::crypto::{AUTH_KEY_LENGTH, key_id, random};

/// An authorisation key that the data centre knows.
pub(crate) struct AuthKey {
    pub(crate) bytes: [u8; AUTH_KEY_LENGTH],
    pub(crate) id: [u8; 8],
    pub(crate) salt: AtomicI64,
    known: AtomicBool,
    login: Mutex<Login>,
}

/// Who a key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    SignedOut,
    PasswordDue(usize),
    SignedIn(usize),
    /// Ended from elsewhere; calls get this error until somebody signs in again.
    Revoked(&'static str),
}

impl AuthKey {
    pub(crate) fn new(bytes: [u8; AUTH_KEY_LENGTH], salt: i64, login: Login) -> Self {
        Self {
            id: key_id(&bytes),
            bytes,
            salt: AtomicI64::new(salt),
            known: AtomicBool::new(true),
            login: Mutex::new(login),
        }
    }

    /// The next packet under it gets the transport error -404.
    pub(super) fn forget(&self) {
        self.known.store(false, Ordering::Relaxed);
    }

    pub(crate) fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    pub(crate) fn login(&self) -> Login {
        *self.login.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_login(&self, login: Login) {
        *self.login.lock().unwrap_or_else(PoisonError::into_inner) = login;
    }

    pub(crate) fn account(&self) -> Option<usize> {
        match self.login() {
            Login::SignedIn(account) => Some(account),
            _ => None,
        }
    }

    /// Takes another salt, as servers do every half hour.
    pub(crate) fn renew_salt(&self) -> i64 {
        let salt = random_salt();
        self.salt.store(salt, Ordering::Relaxed);
        salt
    }
}

/// Never zero: clients start with that one, and are told the right one by `bad_server_salt`.
pub(super) fn random_salt() -> i64 {
    i64::from_le_bytes(random()) | 1
}
