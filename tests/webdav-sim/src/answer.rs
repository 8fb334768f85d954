//! Bodies and statuses.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use hyper::{Response, StatusCode};

pub(crate) type Answer = Response<BoxBody<Bytes, io::Error>>;

/// An answer with this status and body.
pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    let body = Full::new(body.into()).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// Adds a header; values that are none are left out.
pub(crate) fn with(mut response: Answer, name: &'static str, value: &str) -> Answer {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// The answer with its body cut after so many bytes, and the connection with it.
pub(crate) async fn torn(response: Answer, after: usize) -> Answer {
    let (mut parts, body) = response.into_parts();
    let Ok(whole) = body.collect().await else { return answer(500, "") };
    let whole = whole.to_bytes();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let part = whole.slice(..after.min(whole.len()));
    Response::from_parts(parts, Torn { part: Some(part), flushed: false }.boxed())
}

struct Torn {
    part: Option<Bytes>,
    flushed: bool,
}

impl Body for Torn {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(part) = self.part.take() {
            return Poll::Ready(Some(Ok(Frame::data(part))));
        }
        if !self.flushed {
            // What was handed over goes out while there is nothing more to hand over.
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
