//! A large object into a file, or only through the digest: hashed as it comes, taken up where it broke off when that is safe.

use std::io::SeekFrom;
use std::path::Path;

use reqwest::header::CONTENT_RANGE;
use reqwest::{Method, Url};
use sha2::{Digest as _, Sha256};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use super::body::Progress;
use super::connection::{Ask, Remote, Reply};
use super::error::{Problem, RemoteError};
use super::etag::EntityTag;
use super::read::validators;
use super::retry::Setback;
use super::verdict::About;

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Downloaded {
    /// In bytes.
    pub length: u64,
    /// Of what the file holds now.
    pub sha256: [u8; 32],
}

/// The file, and what is in it so far.
struct Sink<'a> {
    /// `None` when only the digest is wanted.
    file: Option<(File, &'a Path)>,
    hasher: Sha256,
    length: u64,
    limit: u64,
    progress: &'a Progress,
    /// Of the state that is being read.
    tag: Option<EntityTag>,
}

impl Remote {
    /// Reads an object of at most `limit` bytes into `path`, which is made or emptied, readable by the owner alone, and
    /// durable when this returns.
    ///
    /// A transfer that breaks off goes on where it stopped when the server gave the same strong entity tag twice, before
    /// and after; else it starts over. The caller checks the digest.
    pub async fn download(
        &self,
        name: &str,
        path: &Path,
        limit: u64,
        progress: &Progress,
    ) -> Result<Downloaded, RemoteError> {
        let url = self.object("downloading", name)?;
        let sink = Sink::open(&ask(&url), path, limit, progress).await?;
        self.read_into(url, sink).await
    }

    /// The same without a file: what an object of at most `limit` bytes is.
    pub async fn digest(&self, name: &str, limit: u64, progress: &Progress) -> Result<Downloaded, RemoteError> {
        self.read_into(self.object("reading back", name)?, Sink::new(None, limit, progress)).await
    }

    async fn read_into(&self, url: Url, mut sink: Sink<'_>) -> Result<Downloaded, RemoteError> {
        let mut patience = self.patience();
        let mut resumable = false;
        loop {
            let before = sink.length;
            match self.fill(&url, &mut sink, resumable).await {
                Ok(()) => return sink.finish(&ask(&url)).await,
                Err(setback) => {
                    // Who gets on is not counted as failing.
                    if sink.length > before {
                        patience = self.patience();
                    }
                    patience.endure(setback).await?;
                }
            }
            resumable = match &sink.tag {
                Some(first) if sink.length > 0 => {
                    let again = self.head_of("downloading", url.clone()).await;
                    again.is_ok_and(|again| again.validators.tag.is_some_and(|again| first.is_strongly(&again)))
                }
                _ => false,
            };
        }
    }

    async fn fill(&self, url: &Url, sink: &mut Sink<'_>, resumable: bool) -> Result<(), Setback> {
        let mut ask = ask(url);
        if let (true, Some(tag)) = (resumable, &sink.tag) {
            ask = ask.header("range", &format!("bytes={}-", sink.length)).header("if-range", &tag.to_string());
        }
        let Reply { mut response, .. } = self.send(&ask).await?;
        let goes_on = response.status().as_u16() == 206
            && response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok()).and_then(start)
                == Some(sink.length)
            && resumable;
        if !goes_on {
            if response.status().as_u16() != 200 {
                // A part nobody asked for, or the end of a file that became shorter.
                sink.tag = None;
                let error = ask.error(Problem::Inconsistent("the server sent another part than asked for".to_owned()));
                return Err(Setback { error, again: super::retry::Again::After(None) });
            }
            sink.restart(&ask).await?;
            sink.tag = validators(response.headers()).tag;
        }
        while let Some(chunk) = self.chunk(&ask, &mut response).await? {
            sink.append(&ask, &chunk).await?;
        }
        Ok(())
    }
}

fn ask(url: &Url) -> Ask {
    Ask::new("downloading", Method::GET, url.clone(), About::Object, &[200, 206, 416])
}

/// Where the part of a `Content-Range: bytes 5-9/10` starts.
fn start(range: &str) -> Option<u64> {
    range.trim().strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

impl<'a> Sink<'a> {
    async fn open(ask: &Ask, path: &'a Path, limit: u64, progress: &'a Progress) -> Result<Self, RemoteError> {
        let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).await;
        let file = opened.map_err(|error| local(ask, path, &error))?;
        Ok(Self::new(Some((file, path)), limit, progress))
    }

    fn new(file: Option<(File, &'a Path)>, limit: u64, progress: &'a Progress) -> Self {
        Self { file, hasher: Sha256::new(), length: 0, limit, progress, tag: None }
    }

    async fn restart(&mut self, ask: &Ask) -> Result<(), RemoteError> {
        self.hasher = Sha256::new();
        self.length = 0;
        self.progress.tell(0);
        let Some((file, path)) = &mut self.file else { return Ok(()) };
        let restarted = async {
            file.set_len(0).await?;
            file.seek(SeekFrom::Start(0)).await
        };
        restarted.await.map(drop).map_err(|error| local(ask, path, &error))
    }

    async fn append(&mut self, ask: &Ask, part: &[u8]) -> Result<(), RemoteError> {
        if self.length + part.len() as u64 > self.limit {
            return Err(ask.error(Problem::TooLarge { limit: self.limit }));
        }
        if let Some((file, path)) = &mut self.file {
            file.write_all(part).await.map_err(|error| local(ask, path, &error))?;
        }
        self.hasher.update(part);
        self.length += part.len() as u64;
        self.progress.tell(self.length);
        Ok(())
    }

    async fn finish(mut self, ask: &Ask) -> Result<Downloaded, RemoteError> {
        if let Some((file, path)) = &mut self.file {
            let flushed = async {
                file.flush().await?;
                file.sync_all().await
            };
            flushed.await.map_err(|error| local(ask, path, &error))?;
        }
        Ok(Downloaded { length: self.length, sha256: self.hasher.finalize().into() })
    }
}

fn local(ask: &Ask, path: &Path, error: &std::io::Error) -> RemoteError {
    ask.error(Problem::LocalFile(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::start;

    #[test]
    fn only_a_range_of_bytes_says_where_it_starts() {
        assert_eq!(start("bytes 5-9/10"), Some(5));
        assert_eq!(start("bytes 5-9/*"), Some(5));
        for wrong in ["bytes */10", "items 5-9/10", "bytes=5-9", ""] {
            assert_eq!(start(wrong), None, "{wrong}");
        }
    }
}
