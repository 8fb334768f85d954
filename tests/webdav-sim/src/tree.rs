//! Files and directories, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

/// What a path names.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Directory,
    File(File),
}

/// A file.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) bytes: Arc<Vec<u8>>,
    pub(crate) modified: SystemTime,
    /// Kept by what writes in place.
    pub(crate) inode: u64,
    /// Anew with each write.
    pub(crate) serial: u64,
}

/// Paths without slashes at their ends; the root is the empty path.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    nodes: BTreeMap<String, Node>,
    writes: u64,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: BTreeMap::from([(String::new(), Node::Directory)]), writes: 0 }
    }
}

/// The directory a path lies in.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The last part of a path.
pub(crate) fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

impl Tree {
    pub(crate) fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path)
    }

    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        match self.nodes.get(path) {
            Some(Node::File(file)) => Some(file),
            _ => None,
        }
    }

    pub(crate) fn is_directory(&self, path: &str) -> bool {
        matches!(self.nodes.get(path), Some(Node::Directory))
    }

    pub(crate) fn has_parent(&self, path: &str) -> bool {
        self.is_directory(parent(path))
    }

    pub(crate) fn make_directory(&mut self, path: &str) {
        if !path.is_empty() {
            self.make_directory(parent(path));
            self.nodes.insert(path.to_owned(), Node::Directory);
        }
    }

    /// Writes a file; `in_place` keeps what identifies the old one.
    pub(crate) fn write(&mut self, path: &str, bytes: Vec<u8>, modified: SystemTime, in_place: bool) {
        self.writes += 1;
        let kept = self.file(path).filter(|_| in_place).map(|file| file.inode);
        let file = File { bytes: Arc::new(bytes), modified, inode: kept.unwrap_or(self.writes), serial: self.writes };
        self.nodes.insert(path.to_owned(), Node::File(file));
    }

    /// Puts a file there as it is: what identifies it stays.
    pub(crate) fn place(&mut self, path: &str, file: File) {
        self.nodes.insert(path.to_owned(), Node::File(file));
    }

    pub(crate) fn remove(&mut self, path: &str) -> bool {
        let below = format!("{path}/");
        let existed = self.nodes.remove(path).is_some();
        self.nodes.retain(|other, _| !other.starts_with(&below));
        existed
    }

    /// What lies directly in a directory, by path.
    pub(crate) fn children(&self, directory: &str) -> Vec<(&str, &Node)> {
        let direct = |path: &&String| !path.is_empty() && parent(path) == directory;
        self.nodes.iter().filter(|(path, _)| direct(path)).map(|(path, node)| (path.as_str(), node)).collect()
    }

    pub(crate) fn used(&self) -> u64 {
        self.nodes.values().map(|node| if let Node::File(file) = node { file.bytes.len() as u64 } else { 0 }).sum()
    }
}
