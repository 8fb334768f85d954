//! Storing, making directories, moving, deleting.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::{Method, Url};

use super::body::{Payload, Progress, length_of};
use super::connection::{Ask, Remote};
use super::error::{Problem, RemoteError};
use super::verdict::About;

/// What storing is allowed to replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// Whatever has the name is replaced. For names nobody else can have drawn.
    Plain,
    /// Nothing is replaced, as far as the server proved that it obeys (see [`Remote::apply`]); else as `Plain`.
    OnlyNew,
}

/// What became of a directory that had to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// It was there.
    Existed,
    /// It was made now.
    Made,
}

/// What became of an object that had to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone now.
    Removed,
    /// It was not there.
    WasMissing,
}

/// What was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uploaded {
    /// In bytes.
    pub length: u64,
    /// Of the bytes as they were sent, which is not yet what is stored.
    pub sha256: [u8; 32],
}

/// What a server says when it stored something. Not 202 and not 207: those leave it open.
const STORED: &[u16] = &[200, 201, 204];

impl Remote {
    /// Makes the directory, and those above it up to the address of the server, where they are missing.
    pub async fn ensure_directory(&self) -> Result<Ensured, RemoteError> {
        const ACTION: &str = "making the directory";
        match self.look(ACTION).await {
            Ok(()) => return Ok(Ensured::Existed),
            Err(error) if error.problem == Problem::MissingDirectory => {}
            Err(error) => return Err(error),
        }
        let mut refused = None;
        let mut url = self.destination().root.clone();
        for component in &self.destination().components {
            if let Ok(mut path) = url.path_segments_mut() {
                path.pop_if_empty().push(component).push("");
            }
            match self.make(ACTION, url.clone()).await {
                Ok(()) => {}
                // The right to make one may begin further down; whether it is there in the end decides.
                Err(error) if matches!(error.problem, Problem::Forbidden | Problem::MissingDirectory) => {
                    refused.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        match self.look(ACTION).await {
            Ok(()) => Ok(Ensured::Made),
            Err(error) => Err(refused.unwrap_or(error)),
        }
    }

    /// Makes one directory, or finds it made: all servers but one answer 405 then, rclone 201.
    pub(super) async fn make(&self, action: &'static str, url: Url) -> Result<(), RemoteError> {
        let ask = Ask::new(action, method(b"MKCOL"), url, About::Making, &[200, 201, 204, 405]);
        self.persist(&ask).await.map(drop)
    }

    /// Stores a few bytes.
    ///
    /// # Errors
    /// [`Problem::Exists`] when something else has the name and [`Creation::OnlyNew`] was asked for.
    pub async fn put(&self, name: &str, bytes: Vec<u8>, creation: Creation) -> Result<(), RemoteError> {
        let length = bytes.len() as u64;
        let mut ask = Ask::new("storing", Method::PUT, self.object("storing", name)?, About::Storing, STORED)
            .header("content-type", "application/octet-stream")
            .payload(Payload::Small(bytes.clone().into()));
        let only_new = creation == Creation::OnlyNew && self.creates_only_new();
        if only_new {
            ask = ask.header("if-none-match", "*");
        }
        match self.persist(&ask).await.map(drop) {
            // An attempt before this one may have stored it although its answer was lost.
            Err(error) if only_new && error.problem == Problem::Exists => match self.get(name, length).await {
                Ok(object) if object.bytes == bytes => Ok(()),
                _ => Err(error),
            },
            Err(error) => Err(self.reason(error).await),
            Ok(()) => Ok(()),
        }
    }

    /// Stores a file, read as it is sent. Its length is promised to the server before, so it must not change meanwhile.
    ///
    /// Whatever the outcome, a part may be there now under this name; the next attempt should draw another one.
    pub async fn upload(&self, name: &str, file: &Path, progress: &Progress) -> Result<Uploaded, RemoteError> {
        let ask = Ask::new("uploading", Method::PUT, self.object("uploading", name)?, About::Storing, STORED)
            .header("content-type", "application/octet-stream");
        let local = |cause: &str| ask.error(Problem::LocalFile(format!("{}: {cause}", file.display())));
        let length = length_of(file.to_owned()).await.map_err(|error| local(&error.to_string()))?;
        let digest = Arc::new(Mutex::new(None));
        let ask = ask.payload(Payload::File {
            path: file.to_owned(),
            length,
            progress: progress.clone(),
            digest: Arc::clone(&digest),
        });
        let mut patience = self.patience();
        loop {
            let Err(setback) = self.send(&ask).await else { break };
            // Part of it may be there, and would block or garble a second attempt under this name.
            let cut = matches!(setback.error.problem, Problem::BrokenOff(_));
            let over = if cut { Err(setback.error) } else { patience.endure(setback).await };
            if let Err(error) = over {
                return Err(self.reason(error).await);
            }
        }
        let sent = digest.lock().unwrap_or_else(PoisonError::into_inner).take();
        // An answer before the last byte was read is no answer to this file.
        let sha256 = sent.ok_or_else(|| ask.error(Problem::BrokenOff("it was answered before its end".to_owned())))?;
        Ok(Uploaded { length, sha256 })
    }

    /// Servers that refuse a large body early often close the connection before the status can be read, and nginx says
    /// 500 when the directory is gone; a small request learns why.
    async fn reason(&self, vague: RemoteError) -> RemoteError {
        if !matches!(vague.problem, Problem::BrokenOff(_) | Problem::ServerTrouble(_) | Problem::RefusedWrite(_)) {
            return vague;
        }
        match self.look(vague.action).await {
            Err(RemoteError {
                problem: Problem::Unreachable(_) | Problem::BrokenOff(_) | Problem::Idle(_), ..
            })
            | Ok(()) => vague,
            Err(told) => told,
        }
    }

    /// Moves within the directory, onto nothing. The caller looks at what became of it.
    pub(super) async fn move_onto_nothing(&self, from: &str, to: &str) -> Result<(), RemoteError> {
        let target = self.object("moving", to)?;
        let ask = Ask::new("moving", method(b"MOVE"), self.object("moving", from)?, About::Object, STORED)
            .header("destination", target.as_str())
            .header("overwrite", "F");
        self.send(&ask).await.map(drop).map_err(|setback| setback.error)
    }

    /// Deletes an object. One that is not there is as good.
    pub async fn delete(&self, name: &str) -> Result<Deleted, RemoteError> {
        self.delete_at(self.object("deleting", name)?).await
    }

    pub(super) async fn delete_at(&self, url: Url) -> Result<Deleted, RemoteError> {
        let ask = Ask::new("deleting", Method::DELETE, url, About::Object, &[200, 202, 204]);
        match self.persist(&ask).await {
            Ok(_) => Ok(Deleted::Removed),
            Err(error) if error.problem == Problem::Missing => Ok(Deleted::WasMissing),
            Err(error) => Err(error),
        }
    }
}

fn method(name: &[u8]) -> Method {
    Method::from_bytes(name).unwrap_or_default()
}
