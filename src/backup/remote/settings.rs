//! Where the directory is and who may enter it: text of the owner, checked once.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;

use super::retry::RetryPolicy;
use crate::config::secret::Secret;

/// What the owner wrote. [`RemoteSettings::check`] makes a [`Destination`] of it.
#[derive(Debug, Clone)]
pub struct RemoteSettings {
    /// The address of the WebDAV root, without user name and password.
    pub url: String,
    /// For Basic authentication.
    pub username: String,
    /// For Basic authentication.
    pub password: Secret<String>,
    /// Below `url`: a directory when it ends in `/`, else a file whose name becomes the stem of all names.
    pub remote_path: String,
    /// Certificates in PEM that are trusted besides the system's.
    pub extra_ca: Option<Vec<u8>>,
    /// Allows `http://` to other hosts than this one. The password then travels readable.
    pub allow_http: bool,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// How often to try.
    pub retries: RetryPolicy,
}

/// How long to wait for a server. There is no limit for a whole transfer: a slow one that moves is a good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// Without a byte in either direction.
    pub idle: Duration,
    /// For the answer after the last byte of a body; some services hash or copy the whole file first.
    pub answer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(15), idle: Duration::from_mins(1), answer: Duration::from_mins(5) }
    }
}

/// Settings that can be used.
#[derive(Debug, Clone)]
pub struct Destination {
    pub(super) root: Url,
    pub(super) components: Vec<String>,
    pub(super) directory: Url,
    pub(super) stem: String,
    pub(super) username: String,
    pub(super) password: Secret<String>,
    pub(super) certificates: Vec<reqwest::Certificate>,
    pub(super) timeouts: Timeouts,
    pub(super) retries: RetryPolicy,
}

/// Settings that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No address.
    #[error("[backup] url is no address of a server: {0}; it looks like https://dav.example.com/dav/")]
    Url(String),
    /// A user name or password in the address, where it would be logged.
    #[error("[backup] url holds a user name or password; write them as username and password, where they stay secret")]
    Userinfo,
    /// What follows a path in an address.
    #[error("[backup] url ends in a query or fragment (? or #); WebDAV has neither")]
    Query,
    /// The password would travel readable.
    #[error(
        "[backup] url is http:// to another host, so the password would travel readable; use https://, or allow it with allow_http = true"
    )]
    PlainHttp,
    /// Basic authentication cannot carry it (RFC 7617, section 2).
    #[error("[backup] username holds a colon or control character, which Basic authentication cannot carry")]
    Username,
    /// Not a path below the address.
    #[error("[backup] remote_path {0}")]
    RemotePath(&'static str),
    /// Not certificates.
    #[error("[backup] ca holds no certificate in PEM: {0}")]
    Certificate(String),
}

impl RemoteSettings {
    /// The settings, when they can be used.
    pub fn check(self) -> Result<Destination, SettingsError> {
        let root = root(&self.url, self.allow_http)?;
        if self.username.contains(|c: char| c == ':' || c.is_control()) {
            return Err(SettingsError::Username);
        }
        let (components, stem) = split(&self.remote_path)?;
        let mut directory = root.clone();
        if let Ok(mut path) = directory.path_segments_mut() {
            path.pop_if_empty().extend(&components).push("");
        }
        let certificates = match &self.extra_ca {
            None => Vec::new(),
            Some(pem) => certificates(pem)?,
        };
        Ok(Destination {
            root,
            components,
            directory,
            stem,
            username: self.username,
            password: self.password,
            certificates,
            timeouts: self.timeouts,
            retries: self.retries,
        })
    }
}

impl Destination {
    /// The address of the directory; it ends in `/` and holds no password.
    pub fn directory(&self) -> &str {
        self.directory.as_str()
    }

    /// What the names of all our objects begin with; empty when `remote_path` is a directory.
    pub fn stem(&self) -> &str {
        &self.stem
    }
}

fn root(text: &str, allow_http: bool) -> Result<Url, SettingsError> {
    let mut url = Url::parse(text.trim()).map_err(|error| SettingsError::Url(error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(SettingsError::Userinfo);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(SettingsError::Query);
    }
    match url.scheme() {
        "https" => {}
        "http" if allow_http || is_loopback(&url) => {}
        "http" => return Err(SettingsError::PlainHttp),
        _ => return Err(SettingsError::Url("it begins neither with https:// nor with http://".to_owned())),
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The folders of a remote path, and the stem.
fn split(path: &str) -> Result<(Vec<String>, String), SettingsError> {
    let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
    let stem = parts.pop().unwrap_or_default();
    parts.retain(|part| !part.is_empty());
    if parts.iter().chain([&stem]).any(|part| matches!(part.as_str(), "." | "..") || part.contains(char::is_control)) {
        return Err(SettingsError::RemotePath("holds a part that is . or .. or a control character"));
    }
    // nginx and copyparty hide what begins with a dot; other characters are written differently by every server.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if stem.starts_with('.') || stem.len() > 100 || !stem.chars().all(is_plain) {
        return Err(SettingsError::RemotePath(
            "names a file with other characters than a-z A-Z 0-9 . _ -, or a dot in front, or over 100 characters",
        ));
    }
    Ok((parts, stem))
}

fn certificates(pem: &[u8]) -> Result<Vec<reqwest::Certificate>, SettingsError> {
    let wrong = |error: &dyn std::error::Error| SettingsError::Certificate(error.to_string());
    let found = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| wrong(&error.without_url()))?;
    if found.is_empty() {
        return Err(SettingsError::Certificate("the file has no BEGIN CERTIFICATE".to_owned()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::{Destination, RemoteSettings, SettingsError, Timeouts};
    use crate::backup::remote::RetryPolicy;
    use crate::config::secret::Secret;

    fn check(url: &str, remote_path: &str) -> Result<Destination, SettingsError> {
        RemoteSettings {
            url: url.to_owned(),
            username: "alice".to_owned(),
            password: Secret::new("hunter2".to_owned()),
            remote_path: remote_path.to_owned(),
            extra_ca: None,
            allow_http: false,
            timeouts: Timeouts::default(),
            retries: RetryPolicy::default(),
        }
        .check()
    }

    #[test]
    fn a_path_that_ends_in_a_slash_is_a_directory_and_any_other_gives_the_stem() {
        for (url, path, directory, stem) in [
            ("https://h/dav/", "/tgsignd/", "https://h/dav/tgsignd/", ""),
            ("https://h/dav", "a/b", "https://h/dav/a/", "b"),
            ("https://h", "/", "https://h/", ""),
            ("https://h", "", "https://h/", ""),
            ("https://h/", "/x/backup.tar.age", "https://h/x/", "backup.tar.age"),
            ("https://h/", "/备份 #1/%/", "https://h/%E5%A4%87%E4%BB%BD%20%231/%25/", ""),
        ] {
            let found = check(url, path).unwrap();
            assert_eq!((found.directory(), found.stem()), (directory, stem));
        }
    }

    #[test]
    fn the_password_travels_readable_only_inside_this_host() {
        for url in ["http://localhost:1/", "http://127.0.0.1/", "http://[::1]:8080/"] {
            assert!(check(url, "/").is_ok(), "{url}");
        }
        for url in ["http://dav.example.com/", "http://127.0.0.1.example.com/", "http://192.168.1.1/"] {
            assert_eq!(check(url, "/").unwrap_err(), SettingsError::PlainHttp, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_and_never_shows_a_password() {
        assert_eq!(check("https://a:secret@h/", "/").unwrap_err(), SettingsError::Userinfo);
        assert_eq!(check("https://h/?token=secret", "/").unwrap_err(), SettingsError::Query);
        for wrong in ["h/dav", "ftp://h/", ""] {
            assert!(matches!(check(wrong, "/").unwrap_err(), SettingsError::Url(_)), "{wrong}");
        }
        for wrong in ["/../x/", "/a/./b", "/a/..", "/.hidden", "/名"] {
            assert!(matches!(check("https://h", wrong).unwrap_err(), SettingsError::RemotePath(_)), "{wrong}");
        }
        assert!(!format!("{:?}", check("https://h", "/").unwrap()).contains("hunter2"));
    }
}
