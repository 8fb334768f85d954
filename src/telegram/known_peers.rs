//! The chats an account has met, in `sessions/NAME.peers` beside its session.
//!
//! Telegram allows few `contacts.resolveUsername` calls a day, so their answers are kept. All of it can be asked for again:
//! the file is written in place and never synced, and one that is damaged, or another user's, counts as empty. The session
//! with its key is a file of its own, which therefore hardly ever changes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::peer::Peer;

/// What an account knows of its chats, in memory and in its file.
#[derive(Debug)]
pub struct KnownPeers {
    path: PathBuf,
    contents: Mutex<Contents>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Contents {
    /// Access hashes are worth nothing to another user.
    user: Option<i64>,
    usernames: BTreeMap<String, Peer>,
    peers: BTreeMap<i64, Peer>,
}

impl KnownPeers {
    /// Reads what `user` knew before. `path` need not exist.
    pub fn open(path: PathBuf, user: Option<i64>) -> Self {
        let known = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Contents>(&bytes).ok());
        let contents = known.filter(|known| known.user == user).unwrap_or(Contents { user, ..Contents::default() });
        Self { path, contents: Mutex::new(contents) }
    }

    /// The peer behind a public name, as it was resolved last.
    pub fn username(&self, name: &str) -> Option<Peer> {
        self.lock().usernames.get(&name.to_lowercase()).copied()
    }

    /// The peer with this marked id, if it was seen.
    pub fn by_id(&self, marked_id: i64) -> Option<Peer> {
        self.lock().peers.get(&marked_id).copied()
    }

    /// Remembers what a public name resolved to; `None` forgets it.
    pub fn remember_username(&self, name: &str, peer: Option<Peer>) -> io::Result<()> {
        self.change(|contents| {
            match peer {
                Some(peer) => contents.usernames.insert(name.to_lowercase(), peer),
                None => contents.usernames.remove(&name.to_lowercase()),
            };
        })
    }

    /// Remembers peers of the dialog list by their marked ids.
    pub fn remember(&self, peers: impl IntoIterator<Item = Peer>) -> io::Result<()> {
        self.change(|contents| contents.peers.extend(peers.into_iter().map(|peer| (peer.marked_id(), peer))))
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Contents)) -> io::Result<()> {
        let mut contents = self.lock();
        let before = contents.clone();
        change(&mut contents);
        if *contents == before {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&*contents)?;
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
        file.write_all(&bytes)?;
        file.set_len(bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const BOT: Peer = Peer::User { id: 7, access_hash: 70, bot: true };
    const GROUP: Peer = Peer::Group { id: 8 };

    #[test]
    fn what_was_learnt_is_known_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alice.peers");
        let known = KnownPeers::open(path.clone(), Some(1));
        assert_eq!((known.username("bot"), known.by_id(-8)), (None, None));
        known.remember([GROUP]).unwrap();
        known.remember_username("Bot", Some(BOT)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let again = KnownPeers::open(path.clone(), Some(1));
        assert_eq!((again.username("bOT"), again.by_id(-8)), (Some(BOT), Some(GROUP)));
        again.remember_username("bot", None).unwrap();
        assert_eq!(KnownPeers::open(path, Some(1)).username("bot"), None, "the shorter text replaced the longer one");
    }

    #[test]
    fn a_damaged_file_or_another_users_is_no_knowledge() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alice.peers");
        let known = KnownPeers::open(path.clone(), Some(1));
        known.remember_username("bot", Some(BOT)).unwrap();
        assert_eq!(KnownPeers::open(path.clone(), Some(2)).username("bot"), None);

        fs::write(&path, b"{\"user\":1,\"userna").unwrap();
        let damaged = KnownPeers::open(path.clone(), Some(1));
        assert_eq!(damaged.username("bot"), None);
        damaged.remember_username("bot", Some(BOT)).unwrap();
        assert_eq!(KnownPeers::open(path, Some(1)).username("bot"), Some(BOT));
    }
}
