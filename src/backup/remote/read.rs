//! Listing and reading.

use reqwest::header::{CONTENT_LENGTH, ETAG, HeaderMap, LAST_MODIFIED, LINK};
use reqwest::{Method, Url};

use super::body::Payload;
use super::connection::{Ask, Remote, Reply};
use super::error::{Problem, RemoteError};
use super::etag::{EntityTag, Validators};
use super::listing::{self, Listing};
use super::retry::Setback;
use super::verdict::About;

const PROPERTIES: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
    <propfind xmlns=\"DAV:\"><prop><resourcetype/><getcontentlength/><getetag/></prop></propfind>";

/// An object that was read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// For [`Remote::get_conditional`].
    pub validators: Validators,
}

/// The answer to a conditional reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conditional {
    /// The server says that it is as it was. That is the word of a server.
    Unchanged,
    /// The object as it is now, which may be as it was.
    Changed(Object),
}

/// What is known of an object without reading it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// In bytes, where the server says so.
    pub length: Option<u64>,
    /// What tells its states apart.
    pub validators: Validators,
}

impl Remote {
    /// The files in the directory.
    ///
    /// # Errors
    /// [`Problem::MissingDirectory`] when a server that answers does not know the directory. An empty listing is an
    /// answer of its own.
    pub async fn list(&self) -> Result<Listing, RemoteError> {
        self.properties("listing", "1").await
    }

    /// Whether the directory is there, and who asks may look into it.
    pub(super) async fn look(&self, action: &'static str) -> Result<(), RemoteError> {
        self.properties(action, "0").await.map(drop)
    }

    async fn properties(&self, action: &'static str, depth: &str) -> Result<Listing, RemoteError> {
        let ask = Ask::new(action, propfind(), self.directory.clone(), About::Directory, &[200, 207])
            .header("depth", depth)
            .header("content-type", "application/xml; charset=utf-8")
            .payload(Payload::Small(PROPERTIES.into()));
        let mut patience = self.patience();
        loop {
            match self.properties_once(&ask).await {
                Ok(listing) => return Ok(listing),
                Err(setback) => patience.endure(setback).await?,
            }
        }
    }

    async fn properties_once(&self, ask: &Ask) -> Result<Listing, Setback> {
        let Reply { mut response, url } = self.send(ask).await?;
        if response.status().as_u16() != 207 {
            return Err(ask.error(Problem::NotWebDav(response.status().as_u16())).into());
        }
        let has_next = response.headers().get_all(LINK).iter().any(|link| {
            let link = link.to_str().unwrap_or_default().replace(['"', ' '], "");
            link.contains("rel=next")
        });
        let answer = self.body(ask, &mut response, listing::LONGEST as u64).await?;
        let listing = listing::parse(&answer, url.path()).map_err(|problem| ask.error(problem))?;
        if has_next {
            return Err(ask.error(Problem::ListingTruncated { entries: listing.entries.len() }).into());
        }
        Ok(listing)
    }

    /// The object, when it is not longer than `limit` bytes.
    pub async fn get(&self, name: &str, limit: u64) -> Result<Object, RemoteError> {
        let ask = Ask::new("reading", Method::GET, self.object("reading", name)?, About::Object, &[200]);
        match self.get_patiently(&ask, limit).await? {
            Conditional::Changed(object) => Ok(object),
            Conditional::Unchanged => Err(ask.error(Problem::Unexpected(304))),
        }
    }

    /// The object, unless the server says that it is as `known`. Without validators it is read in any case.
    pub async fn get_conditional(
        &self,
        name: &str,
        limit: u64,
        known: &Validators,
    ) -> Result<Conditional, RemoteError> {
        let accepted: &[u16] = if known.is_empty() { &[200] } else { &[200, 304] };
        let mut ask = Ask::new("reading", Method::GET, self.object("reading", name)?, About::Object, accepted);
        if let Some(tag) = &known.tag {
            ask = ask.header("if-none-match", &tag.to_string());
        }
        if let Some(modified) = &known.modified {
            ask = ask.header("if-modified-since", modified);
        }
        self.get_patiently(&ask, limit).await
    }

    async fn get_patiently(&self, ask: &Ask, limit: u64) -> Result<Conditional, RemoteError> {
        let mut patience = self.patience();
        loop {
            match self.get_once(ask, limit).await {
                Ok(answer) => return Ok(answer),
                Err(setback) => patience.endure(setback).await?,
            }
        }
    }

    async fn get_once(&self, ask: &Ask, limit: u64) -> Result<Conditional, Setback> {
        let Reply { mut response, .. } = self.send(ask).await?;
        if response.status().as_u16() == 304 {
            return Ok(Conditional::Unchanged);
        }
        let validators = validators(response.headers());
        let bytes = self.body(ask, &mut response, limit).await?;
        Ok(Conditional::Changed(Object { bytes, validators }))
    }

    /// What is known of an object without reading it. Where the server hands reading over to another one, the listing is
    /// asked instead.
    pub async fn head(&self, name: &str) -> Result<Head, RemoteError> {
        match self.head_of("looking at", self.object("looking at", name)?).await {
            Err(RemoteError { problem: Problem::Redirected(_) | Problem::Unexpected(405 | 501), action, place }) => {
                let listing = self.list().await?;
                let entry = listing.get(name).ok_or(RemoteError { action, place, problem: Problem::Missing })?;
                let validators = Validators { tag: entry.tag.clone(), modified: None };
                Ok(Head { length: entry.length, validators })
            }
            answer => answer,
        }
    }

    pub(super) async fn head_of(&self, action: &'static str, url: Url) -> Result<Head, RemoteError> {
        let ask = Ask::new(action, Method::HEAD, url, About::Object, &[200, 204]);
        let Reply { response, .. } = self.persist(&ask).await?;
        // Not reqwest's content_length(): that of the body, which an answer to HEAD has not.
        let length = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Ok(Head { length, validators: validators(response.headers()) })
    }
}

fn propfind() -> Method {
    Method::from_bytes(b"PROPFIND").unwrap_or_default()
}

pub(super) fn validators(headers: &HeaderMap) -> Validators {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    Validators {
        tag: text(ETAG).and_then(EntityTag::parse),
        modified: text(LAST_MODIFIED).map(|modified| modified.trim().to_owned()),
    }
}
