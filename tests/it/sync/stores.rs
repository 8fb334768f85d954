//! Every server a backup may lie on, the simulated and the real ones, with a hand in what is stored there.

use std::fs;
use std::path::PathBuf;

use webdav_sim::{Profile, Server};

use super::profiles;
use crate::kit::webdav_servers::{Kind, WebdavServer};

/// One of them, not running yet.
#[derive(Debug, Clone, Copy)]
pub(super) enum Offer {
    Simulated(Profile),
    Real(Kind),
}

/// One of them.
pub(super) enum Store {
    Simulated(Server),
    Real(WebdavServer),
}

/// All that can keep a backup; of the real ones those that are installed.
pub(super) fn offers() -> impl Iterator<Item = Offer> {
    profiles().map(Offer::Simulated).chain(Kind::ALL.map(Offer::Real))
}

impl Offer {
    /// Starts it; `None` when it is not installed.
    pub(super) async fn start(self) -> Option<Store> {
        match self {
            Self::Simulated(profile) => {
                println!("{}, simulated", profile.name);
                Some(Store::Simulated(Server::start(profile).await.unwrap()))
            }
            Self::Real(kind) => {
                let server = WebdavServer::start(kind).await?;
                println!("{kind:?}");
                Some(Store::Real(server))
            }
        }
    }
}

impl Store {
    pub(super) fn url(&self) -> String {
        match self {
            Self::Simulated(server) => server.url(),
            Self::Real(server) => server.url(),
        }
    }

    /// The names of our objects of one kind, the newest generation last.
    pub(super) fn objects(&self, kind: &str) -> Vec<String> {
        let start = format!("tgsignd-{kind}-");
        self.names().into_iter().filter(|name| name.starts_with(&start)).collect()
    }

    /// All names in the directory of the backup, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Self::Simulated(server) => {
                server.files().iter().filter_map(|path| path.strip_prefix("backup/")).map(str::to_owned).collect()
            }
            Self::Real(server) => {
                // Apache keeps notes of its own in a folder.
                let entries = fs::read_dir(server.root().join("backup")).unwrap().map(Result::unwrap);
                let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
                let mut names: Vec<_> = files.map(|entry| entry.file_name().into_string().unwrap()).collect();
                names.sort();
                names
            }
        }
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        match self {
            Self::Simulated(server) => server.read(&simulated(name)).unwrap(),
            Self::Real(server) => fs::read(real(server, name)).unwrap(),
        }
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) {
        match self {
            Self::Simulated(server) => server.write(&simulated(name), bytes),
            Self::Real(server) => fs::write(real(server, name), bytes).unwrap(),
        }
    }

    pub(super) fn remove(&self, name: &str) {
        match self {
            Self::Simulated(server) => assert!(server.remove(&simulated(name))),
            Self::Real(server) => fs::remove_file(real(server, name)).unwrap(),
        }
    }

    /// Changes an object behind the server's back.
    pub(super) fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.read(name);
        change(&mut bytes);
        self.write(name, &bytes);
    }
}

fn simulated(name: &str) -> String {
    format!("backup/{name}")
}

fn real(server: &WebdavServer, name: &str) -> PathBuf {
    server.root().join("backup").join(name)
}
