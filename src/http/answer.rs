//! A request and the status become a response.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::Utc;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::watch;
use tokio::time::Instant;

use super::guard::{Doorkeeper, Verdict};
use super::process::ProcessMetrics;
use super::{health, metrics};
use crate::kernel::status::Status;

pub(super) type Answer = Response<Full<Bytes>>;

const TEXT: &str = "text/plain; charset=utf-8";

/// Seconds after which a probe that found us not ready may ask again.
const NOT_READY_RETRY: &str = "5";

/// What every connection answers from.
pub(super) struct Desk {
    pub(super) status: watch::Receiver<Arc<Status>>,
    pub(super) door: Mutex<Doorkeeper>,
}

impl Desk {
    pub(super) fn answer<B>(&self, request: &Request<B>) -> Answer {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match request.uri().path() {
            "/livez" => self.livez(),
            "/readyz" => self.readyz(),
            "/metrics" => self.guarded(request, Self::metrics),
            "/healthz" => self.guarded(request, Self::healthz),
            _ => not_found(),
        }
    }

    fn status(&self) -> Arc<Status> {
        self.status.borrow().clone()
    }

    fn livez(&self) -> Answer {
        if health::of(&self.status(), Utc::now()).live {
            plain(StatusCode::OK, "live\n")
        } else {
            plain(StatusCode::SERVICE_UNAVAILABLE, "the loop does not turn\n")
        }
    }

    fn readyz(&self) -> Answer {
        if health::of(&self.status(), Utc::now()).ready {
            return plain(StatusCode::OK, "ready\n");
        }
        let mut answer = plain(StatusCode::SERVICE_UNAVAILABLE, "not ready\n");
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(NOT_READY_RETRY));
        answer
    }

    fn metrics(&self) -> Answer {
        let page = metrics::render(&self.status(), &ProcessMetrics::read());
        answer(StatusCode::OK, metrics::CONTENT_TYPE, page)
    }

    fn healthz(&self) -> Answer {
        let health = health::of(&self.status(), Utc::now());
        let code = if health.status == health::Level::Fail { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        match serde_json::to_string(&health) {
            Ok(json) => answer(code, "application/json", json + "\n"),
            Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the health cannot be shown\n"),
        }
    }

    fn guarded<B>(&self, request: &Request<B>, page: impl Fn(&Self) -> Answer) -> Answer {
        let authorization = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let verdict = self.door.lock().unwrap_or_else(PoisonError::into_inner).judge(authorization, Instant::now());
        match verdict {
            Verdict::Allowed => page(self),
            Verdict::Hidden => not_found(),
            Verdict::Unauthorized => {
                let mut answer = plain(StatusCode::UNAUTHORIZED, "a user name and a password are needed\n");
                let challenge = HeaderValue::from_static("Basic realm=\"tgsignd\", charset=\"UTF-8\"");
                answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
                answer
            }
            Verdict::Wait(time) => {
                let mut answer = plain(StatusCode::TOO_MANY_REQUESTS, "too many wrong passwords\n");
                answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(time.as_secs() + 1));
                answer
            }
        }
    }
}

fn not_found() -> Answer {
    plain(StatusCode::NOT_FOUND, "not found\n")
}

fn plain(code: StatusCode, text: &'static str) -> Answer {
    answer(code, TEXT, text)
}

fn answer(code: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = code;
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
    ];
    for (name, value) in headers {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}
