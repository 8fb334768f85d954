//! The listener, the log, and the handles tests hold.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::fault::Rule;
use crate::profile::Profile;
use crate::serve::serve;
use crate::tree::Tree;

/// Where the root is. AList hands reading over to `HANDED_OVER`.
pub(crate) const ROOT: &str = "/dav/";
pub(crate) const HANDED_OVER: &str = "/raw/";

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `PUT`, `PROPFIND`, …
    pub method: String,
    /// Decoded, below the root, without a slash in front.
    pub path: String,
    /// Names in lower case, without `authorization`.
    pub headers: Vec<(String, String)>,
    /// Whether the right user name and password came along.
    pub authorised: bool,
}

impl Request {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// A running server. It ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) profile: Profile,
    pub(crate) address: SocketAddr,
    username: String,
    password: String,
    world: Mutex<World>,
    pub(crate) requests: watch::Sender<usize>,
}

/// What changes.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) tree: Tree,
    /// What listings show instead of `tree`.
    pub(crate) listed: Option<Tree>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) log: Vec<Request>,
    pub(crate) clock: Clock,
    /// Bytes the disk holds in total.
    pub(crate) capacity: Option<u64>,
    pub(crate) locks: Vec<String>,
    pub(crate) draws: u64,
    pub(crate) random_tags: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Clock {
    Ahead(Duration),
    Behind(Duration),
    Stopped(SystemTime),
}

impl World {
    pub(crate) fn now(&self) -> SystemTime {
        match self.clock {
            Clock::Ahead(by) => SystemTime::now() + by,
            Clock::Behind(by) => SystemTime::now() - by,
            Clock::Stopped(at) => at,
        }
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.draws += 1;
        // Looks drawn, and is different each time (a multiplication by an odd number modulo 2^64).
        self.draws.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

impl Shared {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn authorises(&self, header: Option<&str>) -> bool {
        let expected = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", self.username, self.password));
        header.and_then(|header| header.strip_prefix("Basic ")) == Some(expected.as_str())
    }
}

impl Server {
    /// Listens on a free port of the loopback address, for a user `alice` with the password `hunter2`.
    pub async fn start(profile: Profile) -> io::Result<Self> {
        Self::start_for(profile, "alice", "hunter2").await
    }

    /// Listens on a free port of the loopback address, for one user.
    pub async fn start_for(profile: Profile, username: &str, password: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let world = World {
            tree: Tree::default(),
            listed: None,
            rules: Vec::new(),
            log: Vec::new(),
            clock: Clock::Ahead(Duration::ZERO),
            capacity: None,
            locks: Vec::new(),
            draws: 0,
            random_tags: false,
        };
        let shared = Arc::new(Shared {
            profile,
            address: listener.local_addr()?,
            username: username.to_owned(),
            password: password.to_owned(),
            world: Mutex::new(world),
            requests: watch::channel(0).0,
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { shared, accepting })
    }

    /// The address of the root.
    pub fn url(&self) -> String {
        format!("http://{}{ROOT}", self.shared.address)
    }

    /// Who may enter.
    pub fn username(&self) -> &str {
        &self.shared.username
    }

    /// With which password.
    pub fn password(&self) -> &str {
        &self.shared.password
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.world().log.clone()
    }

    /// How many requests came since the start: a receiver that changes with every one.
    pub fn request_counts(&self) -> watch::Receiver<usize> {
        self.shared.requests.subscribe()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.shared.world().log.clear();
    }

    /// Lets something go wrong. Rules apply in the order they came, each to the requests it names.
    pub fn fail(&self, rule: Rule) {
        self.shared.world().rules.push(rule);
    }

    /// Ends everything that [`Server::fail`] began.
    pub fn heal(&self) {
        self.shared.world().rules.clear();
    }

    /// The paths of all files, sorted, without a slash in front.
    pub fn files(&self) -> Vec<String> {
        let world = self.shared.world();
        let mut found = Vec::new();
        let mut directories = vec![String::new()];
        while let Some(directory) = directories.pop() {
            for (path, _) in world.tree.children(&directory) {
                let list = if world.tree.is_directory(path) { &mut directories } else { &mut found };
                list.push(path.to_owned());
            }
        }
        found.sort();
        found
    }

    /// The contents of a file.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.shared.world().tree.file(path).map(|file| file.bytes.to_vec())
    }

    /// Writes a file behind the server's back, as another writer does, with the directories it needs.
    pub fn write(&self, path: &str, bytes: &[u8]) {
        let mut world = self.shared.world();
        let now = world.now();
        world.tree.make_directory(crate::tree::parent(path));
        world.tree.write(path, bytes.to_vec(), now, false);
    }

    /// Makes a directory behind the server's back.
    pub fn make_directory(&self, path: &str) {
        self.shared.world().tree.make_directory(path);
    }

    /// Changes the bytes of a file, and nothing else that could be seen from outside.
    pub fn damage(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut world = self.shared.world();
        if let Some(mut file) = world.tree.file(path).cloned() {
            let mut bytes = file.bytes.to_vec();
            change(&mut bytes);
            file.bytes = Arc::new(bytes);
            world.tree.place(path, file);
        }
    }

    /// Removes a file or a directory behind the server's back.
    pub fn remove(&self, path: &str) -> bool {
        self.shared.world().tree.remove(path)
    }

    /// From now on listings show what is there now, until [`Server::list_anew`].
    pub fn lag_listings(&self) {
        let mut world = self.shared.world();
        world.listed = Some(world.tree.clone());
    }

    /// Listings show what is there.
    pub fn list_anew(&self) {
        self.shared.world().listed = None;
    }

    /// The disk holds so many bytes more; `None` for a disk without end.
    pub fn leave_free(&self, bytes: Option<u64>) {
        let mut world = self.shared.world();
        world.capacity = bytes.map(|bytes| world.tree.used() + bytes);
    }

    /// The server's clock goes ahead of this host's.
    pub fn set_clock_ahead(&self, by: Duration) {
        self.shared.world().clock = Clock::Ahead(by);
    }

    /// The server's clock goes behind this host's.
    pub fn set_clock_behind(&self, by: Duration) {
        self.shared.world().clock = Clock::Behind(by);
    }

    /// The server's clock stands still: everything happens in one second.
    pub fn stop_clock(&self) {
        let mut world = self.shared.world();
        world.clock = Clock::Stopped(world.now());
    }

    /// Each answer has another entity tag.
    pub fn draw_tags(&self) {
        self.shared.world().random_tags = true;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(converse(stream, Arc::clone(&shared)));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| serve(Arc::clone(&shared), request));
    // A connection that ends in the middle is what tests are for.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
