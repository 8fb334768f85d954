//! One request: who asks, where redirects lead, how long silence lasts, what is counted.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, Response, Url};
use tokio::time::Instant;

use super::body::{Activity, Payload};
use super::capability::Capabilities;
use super::cause::{deepest, problem_of};
use super::error::{Problem, RemoteError};
use super::href::is_name;
use super::retry::{Again, Patience, Setback, retry_after};
use super::settings::Destination;
use super::traffic::{Answers, Traffic, TrafficCounts};
use super::verdict::{About, refusal};

/// Most redirects of one request.
const MOST_REDIRECTS: usize = 5;
/// Longest silence, whatever a server asks for.
const LONGEST_SILENCE: Duration = Duration::from_hours(1);

/// One directory on a WebDAV server. Clones share connections, counters and what is known about the server.
#[derive(Clone)]
pub struct Remote {
    shared: Arc<Shared>,
    pub(super) directory: Url,
}

struct Shared {
    client: Client,
    destination: Destination,
    traffic: Arc<Traffic>,
    creates_only_new: AtomicBool,
    silence: Mutex<Option<Silence>>,
}

/// For a while nothing is sent: some services lock out who keeps asking.
#[derive(Debug, Clone, Copy)]
struct Silence {
    until: Instant,
    pause: Duration,
    why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// The credentials were refused.
    Refused,
    /// The server asked for it, with this status.
    Asked(u16),
}

/// A request before it is sent.
pub(super) struct Ask {
    /// As a verb, for messages.
    pub(super) action: &'static str,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) payload: Payload,
    pub(super) about: About,
    /// Statuses that are answers, besides none: everything else is a refusal.
    pub(super) accepted: &'static [u16],
}

/// What came back. The body is still to be read.
pub(super) struct Reply {
    pub(super) response: Response,
    /// Where it came from, after redirects.
    pub(super) url: Url,
}

impl Ask {
    pub(super) fn new(action: &'static str, method: Method, url: Url, about: About, accepted: &'static [u16]) -> Self {
        Self { action, method, url, headers: HeaderMap::new(), payload: Payload::Nothing, about, accepted }
    }

    /// Adds a header; the value is ours, or was read from a header or checked before.
    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    pub(super) fn payload(mut self, payload: Payload) -> Self {
        self.payload = payload;
        self
    }

    pub(super) fn error(&self, problem: Problem) -> RemoteError {
        RemoteError { action: self.action, place: self.url.to_string(), problem }
    }
}

impl Remote {
    /// Ready to ask; nothing is sent yet.
    ///
    /// # Errors
    /// [`Problem::Unreachable`] when TLS cannot be set up on this host.
    pub fn new(destination: Destination) -> Result<Self, RemoteError> {
        // Another part of the process may have chosen a provider before; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("tgsignd/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(destination.timeouts.connect)
            // Shorter than what servers keep: an upload on a connection they just closed would be lost.
            .pool_idle_timeout(Duration::from_secs(4))
            .tls_certs_merge(destination.certificates.iter().cloned())
            .build()
            .map_err(|error| RemoteError {
                action: "preparing to reach",
                place: destination.directory.to_string(),
                problem: Problem::Unreachable(deepest(&error)),
            })?;
        let directory = destination.directory.clone();
        let shared = Shared {
            client,
            destination,
            traffic: Arc::default(),
            creates_only_new: AtomicBool::new(false),
            silence: Mutex::new(None),
        };
        Ok(Self { shared: Arc::new(shared), directory })
    }

    /// Where the directory is.
    pub fn destination(&self) -> &Destination {
        &self.shared.destination
    }

    /// What was sent and received so far, by all clones together.
    pub fn traffic(&self) -> TrafficCounts {
        self.shared.traffic.read()
    }

    /// The requests so far, by all clones together.
    pub fn answers(&self) -> Answers {
        self.shared.traffic.answers()
    }

    /// Uses what the server proved to do; without it nothing is taken for granted.
    pub fn apply(&self, capabilities: &Capabilities) {
        self.shared.creates_only_new.store(capabilities.if_none_match, Ordering::Relaxed);
    }

    pub(super) fn creates_only_new(&self) -> bool {
        self.shared.creates_only_new.load(Ordering::Relaxed)
    }

    /// A directory in this one.
    pub(super) fn below(&self, name: &str) -> Result<Self, RemoteError> {
        let mut directory = self.object("entering", name)?;
        if let Ok(mut path) = directory.path_segments_mut() {
            path.push("");
        }
        Ok(Self { shared: Arc::clone(&self.shared), directory })
    }

    /// The address of an object.
    pub(super) fn object(&self, action: &'static str, name: &str) -> Result<Url, RemoteError> {
        let bad = || RemoteError { action, place: format!("{}{name:?}", self.directory), problem: Problem::BadName };
        let mut url = self.directory.clone();
        if !is_name(name) {
            return Err(bad());
        }
        url.path_segments_mut().map_err(|()| bad())?.pop_if_empty().push(name);
        Ok(url)
    }

    pub(super) fn patience(&self) -> Patience {
        Patience::new(self.shared.destination.retries)
    }

    /// Sends until there is an answer that was asked for, or no more sense in it.
    pub(super) async fn persist(&self, ask: &Ask) -> Result<Reply, RemoteError> {
        let mut patience = self.patience();
        loop {
            match self.send(ask).await {
                Ok(reply) => return Ok(reply),
                Err(setback) => patience.endure(setback).await?,
            }
        }
    }

    /// Sends once, and follows redirects where that is safe.
    pub(super) async fn send(&self, ask: &Ask) -> Result<Reply, Setback> {
        self.respect_silence(ask)?;
        let mut url = ask.url.clone();
        let mut with_password = true;
        for _ in 0..=MOST_REDIRECTS {
            let response = self.exchange(ask, &url, with_password).await?;
            let status = response.status().as_u16();
            if ask.accepted.contains(&status) {
                self.end_silence();
                return Ok(Reply { response, url });
            }
            if let (301 | 302 | 303 | 307 | 308, Some(location)) = (status, response.headers().get(LOCATION)) {
                let target = location.to_str().ok().and_then(|location| url.join(location).ok());
                let target = target.ok_or_else(|| ask.error(Problem::Redirected("no address".to_owned())))?;
                with_password = match follow(&ask.method, &url, &target) {
                    Follow::WithPassword => with_password,
                    Follow::WithoutPassword => false,
                    Follow::No => return Err(ask.error(Problem::Redirected(without_query(target))).into()),
                };
                url = target;
                continue;
            }
            let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let asked = asked.and_then(|text| retry_after(text, SystemTime::now()));
            let (problem, again) = refusal(status, ask.about, asked);
            let problem = match (problem, asked) {
                // What another origin says is no answer of ours.
                (Problem::RefusedCredentials { .. }, _) if !with_password => Problem::Forbidden,
                (Problem::RefusedCredentials { .. }, _) => Problem::RefusedCredentials { pause: self.refused() },
                (problem @ Problem::Throttled { status, .. }, Some(wait)) if with_password => {
                    self.asked_for_silence(status, wait);
                    problem
                }
                (other, _) => {
                    self.end_silence();
                    other
                }
            };
            return Err(Setback { error: ask.error(problem), again });
        }
        Err(ask.error(Problem::Redirected("one address after another".to_owned())).into())
    }

    async fn exchange(&self, ask: &Ask, url: &Url, with_password: bool) -> Result<Response, Setback> {
        let Destination { username, password, timeouts, .. } = &self.shared.destination;
        let activity = Activity::new(*timeouts, ask.about == About::Storing && ask.payload.is_small());
        let mut request = self
            .shared
            .client
            .request(ask.method.clone(), url.clone())
            .headers(ask.headers.clone())
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if with_password {
            request = request.basic_auth(username, Some(password.expose()));
        }
        let (request, failure) = ask
            .payload
            .attach(request, &activity, &self.shared.traffic)
            .await
            .map_err(|cause| ask.error(Problem::LocalFile(cause)))?;
        let sent = tokio::select! {
            sent = request.send() => sent.map_err(|error| problem_of(&error)),
            () = activity.ceased() => Err(Problem::Idle(activity.limit())),
        };
        let status = sent.as_ref().ok().map(|response| response.status().as_u16());
        self.shared.traffic.answered(&ask.method, status);
        sent.map_err(|problem| {
            if let Some(cause) = failure.take() {
                return ask.error(Problem::LocalFile(cause)).into();
            }
            let again = match &problem {
                Problem::Idle(_) => Again::Never,
                _ => Again::After(None),
            };
            Setback { error: ask.error(problem), again }
        })
    }

    /// The whole body, when it is not longer than `limit`.
    pub(super) async fn body(&self, ask: &Ask, response: &mut Response, limit: u64) -> Result<Vec<u8>, Setback> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk(ask, response).await? {
            if bytes.len() as u64 + chunk.len() as u64 > limit {
                return Err(ask.error(Problem::TooLarge { limit }).into());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// The next part of the body.
    pub(super) async fn chunk(
        &self,
        ask: &Ask,
        response: &mut Response,
    ) -> Result<Option<hyper::body::Bytes>, Setback> {
        let idle = self.shared.destination.timeouts.idle;
        let chunk = match tokio::time::timeout(idle, response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| Problem::BrokenOff(deepest(&error))),
            Err(_) => Err(Problem::Idle(idle)),
        };
        let chunk = chunk.map_err(|problem| Setback { error: ask.error(problem), again: Again::After(None) })?;
        if let Some(chunk) = &chunk {
            self.shared.traffic.received(chunk.len());
        }
        Ok(chunk)
    }

    fn respect_silence(&self, ask: &Ask) -> Result<(), Setback> {
        let silence = *self.shared.silence.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Silence { until, why, .. }) = silence else { return Ok(()) };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        let problem = match why {
            Why::Refused => Problem::RefusedCredentials { pause: left },
            Why::Asked(status) => Problem::Throttled { status, wait: Some(left) },
        };
        Err(ask.error(problem).into())
    }

    /// Begins the silence after refused credentials, and says how long it is.
    fn refused(&self) -> Duration {
        let mut silence = self.shared.silence.lock().unwrap_or_else(PoisonError::into_inner);
        let first = self.shared.destination.retries.refused;
        let earlier = silence.filter(|earlier| earlier.why == Why::Refused);
        let pause = earlier.map_or(first, |earlier| (earlier.pause * 2).min(LONGEST_SILENCE));
        *silence = Some(Silence { until: Instant::now() + pause, pause, why: Why::Refused });
        pause
    }

    /// A wait that no request waits out is kept by all that follow.
    fn asked_for_silence(&self, status: u16, wait: Duration) {
        let pause = wait.min(LONGEST_SILENCE);
        let silence = (wait > self.shared.destination.retries.patience).then(|| Silence {
            until: Instant::now() + pause,
            pause,
            why: Why::Asked(status),
        });
        *self.shared.silence.lock().unwrap_or_else(PoisonError::into_inner) = silence;
    }

    fn end_silence(&self) {
        *self.shared.silence.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("directory", &self.directory.as_str()).finish_non_exhaustive()
    }
}

/// What to do about a redirect.
#[derive(Debug, PartialEq, Eq)]
enum Follow {
    WithPassword,
    WithoutPassword,
    No,
}

/// Only what changes nothing is sent elsewhere, and the password never leaves the origin: services hand a GET over to
/// their storage.
fn follow(method: &Method, from: &Url, to: &Url) -> Follow {
    let is_get = *method == Method::GET;
    let harmless = is_get || *method == Method::HEAD || method.as_str() == "PROPFIND";
    if harmless && from.origin() == to.origin() {
        Follow::WithPassword
    } else if is_get && to.scheme() == "https" {
        Follow::WithoutPassword
    } else {
        Follow::No
    }
}

/// Storage services sign addresses in the query.
fn without_query(mut url: Url) -> String {
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_password_stays_at_its_origin_and_nothing_that_changes_is_redirected() {
        let url = |text: &str| Url::parse(text).unwrap();
        let home = url("https://dav.example.com/a");
        let propfind = Method::from_bytes(b"PROPFIND").unwrap();
        for (method, to, expected) in [
            (&Method::GET, "https://dav.example.com/b", Follow::WithPassword),
            (&propfind, "https://dav.example.com/a/", Follow::WithPassword),
            (&Method::PUT, "https://dav.example.com/b", Follow::No),
            (&Method::DELETE, "https://dav.example.com/b", Follow::No),
            (&Method::GET, "https://cloud.example.net/b?signed", Follow::WithoutPassword),
            (&Method::GET, "https://dav.example.com:8443/b", Follow::WithoutPassword),
            (&Method::GET, "http://dav.example.com/b", Follow::No),
            (&propfind, "https://cloud.example.net/", Follow::No),
        ] {
            assert_eq!(follow(method, &home, &url(to)), expected, "{method} {to}");
        }
    }

    #[test]
    fn a_refused_redirect_shows_no_signature() {
        let url = Url::parse("https://u:p@s3.example.com/x?sig=secret#f").unwrap();
        assert_eq!(without_query(url), "https://s3.example.com/x");
    }
}
