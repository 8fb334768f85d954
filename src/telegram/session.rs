//! The session of one account in one file, `sessions/NAME.session`: JSON, 0600, replaced atomically.
//!
//! The file holds the authorisation key, which is as good as the account itself.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use grammers_session::types::{ChannelState, DcOption, PeerId, PeerInfo, UpdateState, UpdatesState};
use grammers_session::{BoxFuture, Session, SessionData};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::data_centre::DataCentres;
use super::known_peers::KnownPeers;

/// The layout of the file; a file with another number is refused.
const VERSION: u32 = 1;

/// Why a session could not be read, written or used. None of the texts holds a key.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There is no session: the account never signed in here, or signed out.
    #[error("not signed in: run `tgsignd login {0}`")]
    NotSignedIn(String),
    /// The file could not be read or written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file does not hold a session.
    #[error("{0}: this is not a session file, or it is damaged; restore it from the backup or sign in again")]
    Damaged(PathBuf),
    /// The file was written by a later version.
    #[error("{0}: written by a later version of tgsignd")]
    TooNew(PathBuf),
    /// A simulated session would have been used with Telegram, or the other way round.
    #[error("{path}: made with {made_with}, but the configuration points to {configured}; sign in again")]
    OtherNetwork {
        /// The file.
        path: PathBuf,
        /// What the session was made with.
        made_with: &'static str,
        /// What `[telegram]` says now.
        configured: &'static str,
    },
    /// The data centre no longer knew the key, and grammers would have replaced it, which loses the login for good.
    #[error("data centre {0} does not know this session's key; it was kept. Sign in again if this lasts")]
    KeyRefused(i32),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Contents {
    version: u32,
    simulated: bool,
    home_data_centre: i32,
    data_centres: BTreeMap<i32, DcOption>,
    myself: Option<PeerInfo>,
    /// Digest of all the rest; only in the file. A key with one wrong digit is a key that no data centre knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

impl Contents {
    /// What a file holds that this version wrote, or an earlier one without a digest; `None` when it is damaged.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut contents: Self = serde_json::from_slice(bytes).ok()?;
        let digest = contents.sha256.take();
        digest.is_none_or(|digest| contents.digest().is_ok_and(|own| own == digest)).then_some(contents)
    }

    fn digest(&self) -> serde_json::Result<String> {
        let digest = Sha256::digest(serde_json::to_vec(&Self { sha256: None, ..self.clone() })?);
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn to_file(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&Self { sha256: Some(self.digest()?), ..self.clone() })
    }
}

/// What a file of any version holds.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// The open session of one account. All changes are durable before the call that made them returns.
pub struct SessionFile {
    path: PathBuf,
    known_peers: KnownPeers,
    contents: Mutex<Contents>,
    updates: Mutex<UpdatesState>,
}

impl SessionFile {
    /// Where the session of `account` lies below the data directory's `sessions` folder.
    pub fn path(folder: &Path, account: &str) -> PathBuf {
        folder.join(format!("{account}.session"))
    }

    /// Opens the session of an account that has signed in.
    pub fn open(folder: &Path, account: &str, network: &DataCentres) -> Result<Arc<Self>, SessionError> {
        Self::open_at(Self::path(folder, account), account, network)
    }

    /// The same for a session that lies elsewhere.
    pub fn open_at(path: PathBuf, account: &str, network: &DataCentres) -> Result<Arc<Self>, SessionError> {
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(SessionError::NotSignedIn(account.to_owned()));
            }
            Err(error) => return Err(SessionError::File { path, error }),
        };
        let version: Version = serde_json::from_slice(&bytes).map_err(|_| SessionError::Damaged(path.clone()))?;
        if version.version > VERSION {
            return Err(SessionError::TooNew(path));
        }
        let mut contents = Contents::read(&bytes).ok_or_else(|| SessionError::Damaged(path.clone()))?;
        if contents.simulated != network.is_simulated() {
            let name = |simulated| if simulated { "a simulated data centre" } else { "Telegram" };
            let (made_with, configured) = (name(contents.simulated), name(network.is_simulated()));
            return Err(SessionError::OtherNetwork { path, made_with, configured });
        }
        if contents.myself.is_none() {
            return Err(SessionError::NotSignedIn(account.to_owned()));
        }
        // The simulated data centre gets a new port whenever it starts; addresses come from the configuration.
        network.place(account, &mut contents.data_centres);
        Ok(Arc::new(Self::of(path, contents)))
    }

    /// A new session at `path` that has not signed in yet; the file appears with the first change.
    pub fn create(path: PathBuf, account: &str, network: &DataCentres) -> Arc<Self> {
        let fresh = SessionData::default();
        let mut contents = Contents {
            version: VERSION,
            simulated: network.is_simulated(),
            home_data_centre: network.home().unwrap_or(fresh.home_dc),
            data_centres: fresh.dc_options.into_iter().collect(),
            myself: None,
            sha256: None,
        };
        network.place(account, &mut contents.data_centres);
        Arc::new(Self::of(path, contents))
    }

    fn of(path: PathBuf, contents: Contents) -> Self {
        let known_peers = KnownPeers::open(path.with_extension("peers"), user_id(&contents));
        Self { path, known_peers, contents: Mutex::new(contents), updates: Mutex::default() }
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.path
    }

    /// Identity of the signed-in user, if there is one.
    pub fn my_id(&self) -> Option<i64> {
        user_id(&self.lock())
    }

    /// The chats the account has met.
    pub fn known_peers(&self) -> &KnownPeers {
        &self.known_peers
    }

    /// Remembers who signed in.
    pub fn sign_in(&self, user_id: i64) -> Result<(), SessionError> {
        self.change(|contents| {
            contents.myself = Some(PeerInfo::User { id: user_id, auth: None, bot: Some(false), is_self: Some(true) });
        })
    }

    /// Moves the file, replacing what is there; the session goes on at its new place only when opened again.
    pub fn rename(&self, to: &Path) -> Result<(), SessionError> {
        fs::rename(&self.path, to)
            .and_then(|()| sync_folder(to))
            .map_err(|error| SessionError::File { path: to.to_owned(), error })
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Contents)) -> Result<(), SessionError> {
        let mut contents = self.lock();
        let mut changed = contents.clone();
        change(&mut changed);
        if changed != *contents {
            write(&self.path, &changed).map_err(|error| self.file_error(error))?;
            *contents = changed;
        }
        Ok(())
    }

    fn file_error(&self, error: io::Error) -> SessionError {
        SessionError::File { path: self.path.clone(), error }
    }
}

fn user_id(contents: &Contents) -> Option<i64> {
    contents.myself.as_ref().and_then(|info| info.id().bare_id())
}

/// What a session file means, however it is written: two files with the same meaning are the same login. The error says what is
/// wrong with the file and holds none of it.
pub fn meaning(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    const DAMAGED: &str = "it is not a session file, or it is damaged";
    let version: Version = serde_json::from_slice(bytes).map_err(|_| DAMAGED)?;
    if version.version > VERSION {
        return Err("it was written by a later version of tgsignd");
    }
    let contents = Contents::read(bytes).ok_or(DAMAGED)?;
    serde_json::to_vec(&contents).map_err(|_| DAMAGED)
}

fn write(path: &Path, contents: &Contents) -> io::Result<()> {
    let bytes = contents.to_file()?;
    let temporary = path.with_extension("session-new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_folder(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}

fn ready<T: Send + 'static>(result: Result<T, SessionError>) -> BoxFuture<'static, Result<T, SessionError>> {
    Box::pin(std::future::ready(result))
}

impl Session for SessionFile {
    type Error = SessionError;

    fn home_dc_id(&self) -> Result<i32, SessionError> {
        Ok(self.lock().home_data_centre)
    }

    fn set_home_dc_id(&self, id: i32) -> BoxFuture<'_, Result<(), SessionError>> {
        ready(self.change(|contents| contents.home_data_centre = id))
    }

    fn dc_option(&self, id: i32) -> Result<Option<DcOption>, SessionError> {
        Ok(self.lock().data_centres.get(&id).cloned())
    }

    fn set_dc_option(&self, option: &DcOption) -> BoxFuture<'_, Result<(), SessionError>> {
        let (signed_in, known) = {
            let contents = self.lock();
            let key = contents.data_centres.get(&option.id).and_then(|known| known.auth_key);
            (contents.myself.is_some(), key)
        };
        // grammers answers "key unknown" with a new key; for a signed-in account that would silently end the login.
        if signed_in && known.is_some() && known != option.auth_key {
            return ready(Err(SessionError::KeyRefused(option.id)));
        }
        ready(self.change(|contents| {
            contents.data_centres.insert(option.id, option.clone());
        }))
    }

    fn peer(&self, id: PeerId) -> BoxFuture<'_, Result<Option<PeerInfo>, SessionError>> {
        let myself = self.lock().myself.clone();
        ready(Ok(myself.filter(|info| id == PeerId::self_user() || info.id() == id)))
    }

    fn cache_peer(&self, info: PeerInfo) -> BoxFuture<'_, Result<(), SessionError>> {
        ready(match info {
            PeerInfo::User { is_self: Some(true), .. } => self.change(|contents| contents.myself = Some(info)),
            _ => Ok(()),
        })
    }

    // The update state lives as long as the connection: a lost reply is looked for in the chat's history, which needs no
    // state that could be stale after a restore.
    fn updates_state(&self) -> BoxFuture<'_, Result<UpdatesState, SessionError>> {
        ready(Ok(self.updates.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }

    fn set_update_state(&self, update: UpdateState) -> BoxFuture<'_, Result<(), SessionError>> {
        let mut state = self.updates.lock().unwrap_or_else(PoisonError::into_inner);
        match update {
            UpdateState::All(all) => *state = all,
            UpdateState::Primary { pts, date, seq } => (state.pts, state.date, state.seq) = (pts, date, seq),
            UpdateState::Secondary { qts } => state.qts = qts,
            UpdateState::Channel { id, pts } => {
                state.channels.retain(|channel| channel.id != id);
                state.channels.push(ChannelState { id, pts });
            }
        }
        drop(state);
        ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn simulated() -> DataCentres {
        DataCentres::Simulated(vec![crate::config::TestDataCentre {
            id: 2,
            address: "127.0.0.1:4433".parse().unwrap(),
            key_seed: Some(crate::config::secret::Secret::new("seed".into())),
        }])
    }

    #[tokio::test]
    async fn a_session_survives_and_keeps_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = SessionFile::path(folder.path(), "alice");
        let session = SessionFile::create(path.clone(), "alice", &simulated());
        assert!(matches!(
            SessionFile::open(folder.path(), "alice", &simulated()),
            Err(SessionError::NotSignedIn(account)) if account == "alice"
        ));
        session.sign_in(1001).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let again = SessionFile::open(folder.path(), "alice", &simulated()).unwrap();
        assert_eq!(again.my_id(), Some(1001));
        let mut option = again.dc_option(2).unwrap().unwrap();
        assert!(option.auth_key.is_some());
        option.auth_key = Some([7; 256]);
        assert!(matches!(again.set_dc_option(&option).await, Err(SessionError::KeyRefused(2))));
        assert!(matches!(
            SessionFile::open(folder.path(), "alice", &DataCentres::Telegram),
            Err(SessionError::OtherNetwork { .. })
        ));
    }

    #[test]
    fn a_session_means_its_login() {
        let folder = tempfile::tempdir().unwrap();
        let path = SessionFile::path(folder.path(), "alice");
        let session = SessionFile::create(path.clone(), "alice", &simulated());
        session.sign_in(1001).unwrap();
        let first = fs::read(&path).unwrap();
        let spaced = [b" \n", &first[..], b"\n"].concat();
        assert_eq!(meaning(&spaced), meaning(&first));
        session.sign_in(1002).unwrap();
        assert_ne!(meaning(&fs::read(&path).unwrap()), meaning(&first));
        assert!(meaning(b"{\"version\":1}").is_err() && meaning(b"").is_err());
        assert!(meaning(b"{\"version\":2}").unwrap_err().contains("later version"));
    }

    #[test]
    fn a_damaged_file_is_told_apart_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = SessionFile::path(folder.path(), "alice");
        for damage in [&b""[..], b"{", b"{\"version\":1}"] {
            fs::write(&path, damage).unwrap();
            assert!(matches!(SessionFile::open(folder.path(), "alice", &simulated()), Err(SessionError::Damaged(_))));
            assert_eq!(fs::read(&path).unwrap(), damage);
        }
        // One digit of the key.
        SessionFile::create(path.clone(), "alice", &simulated()).sign_in(1001).unwrap();
        let whole = String::from_utf8(fs::read(&path).unwrap()).unwrap();
        let digit = whole.find("\"auth_key\":\"").unwrap() + 12;
        let other = if whole[digit..].starts_with('1') { "2" } else { "1" };
        fs::write(&path, format!("{}{other}{}", &whole[..digit], &whole[digit + 1..])).unwrap();
        assert!(matches!(SessionFile::open(folder.path(), "alice", &simulated()), Err(SessionError::Damaged(_))));
        let (start, end) = (whole.find(",\"sha256\"").unwrap(), whole.len() - 1);
        fs::write(&path, format!("{}{}", &whole[..start], &whole[end..])).unwrap();
        SessionFile::open(folder.path(), "alice", &simulated()).expect("an earlier version wrote no digest");
        fs::write(&path, b"{\"version\":2}").unwrap();
        assert!(matches!(SessionFile::open(folder.path(), "alice", &simulated()), Err(SessionError::TooNew(_))));
    }
}
