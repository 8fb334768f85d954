//! The methods, as each profile has them.

mod changing;
mod listing;
mod reading;
mod storing;

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH};
use hyper::{HeaderMap, Request as Received};

use crate::answer::{Answer, answer, torn, with};
use crate::fault::{self, Fault};
use crate::profile::Profile;
use crate::server::{HANDED_OVER, ROOT, Request, Shared, World};
use crate::tag::tag;
use crate::tree::{self, File};

/// One request on its way.
pub(crate) struct Call {
    pub(crate) shared: Arc<Shared>,
    pub(crate) method: String,
    /// In the tree.
    pub(crate) path: String,
    /// Whether it ended in a slash.
    pub(crate) slash: bool,
    pub(crate) headers: HeaderMap,
    pub(crate) fault: Option<Fault>,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn profile(&self) -> &Profile {
        &self.shared.profile
    }

    /// The tag of a file, as this server gives it now.
    pub(crate) fn tag(&self, world: &mut World, file: &File) -> String {
        let draw = world.draw();
        if world.random_tags {
            return format!("\"{draw:016x}\"");
        }
        tag(self.profile(), file, world.now(), draw)
    }
}

/// The decoded path below the root, without slashes at its ends, or `None` outside of it.
pub(crate) fn below_root(path: &str, root: &str) -> Option<String> {
    let rest = path.strip_prefix(root.trim_end_matches('/'))?;
    let rest = rest.strip_prefix('/').or(rest.is_empty().then_some(""))?;
    let mut decoded = Vec::new();
    let mut bytes = rest.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok().map(|path| path.trim_end_matches('/').to_owned())
}

pub(crate) async fn serve(shared: Arc<Shared>, received: Received<Incoming>) -> io::Result<Answer> {
    let (parts, mut body) = received.into_parts();
    let handed_over = parts.uri.path().starts_with(HANDED_OVER);
    let root = if handed_over { HANDED_OVER } else { ROOT };
    let Some(path) = below_root(parts.uri.path(), root) else { return Ok(answer(404, "")) };
    let authorised = shared.authorises(parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()));
    let method = parts.method.as_str().to_owned();
    let (fault, served) = {
        let mut world = shared.world();
        world.log.push(logged(&method, &path, &parts.headers, authorised));
        (fault::take(&mut world.rules, &method, &path), world.log.len())
    };
    shared.requests.send_modify(|count| *count += 1);
    let slash = parts.uri.path().ends_with('/');
    let call = Call { shared, method, path, slash, headers: parts.headers, fault };
    let early = match instead(&call).await {
        Some(instead) => Some(instead),
        None => refused(&call, authorised || handed_over, served),
    };
    if let Some(early) = early {
        // What came is read, or the connection would be reset before the status can be.
        while body.frame().await.is_some_and(|frame| frame.is_ok()) {}
        return Ok(early);
    }
    let tear = match call.fault {
        Some(Fault::TornAnswer(after)) => Some(after),
        _ => None,
    };
    let lost = call.fault == Some(Fault::LostAnswer);
    let answered = match call.method.as_str() {
        "GET" | "HEAD" => reading::read(&call, handed_over),
        "PUT" => storing::put(&call, body).await?,
        "PROPFIND" => listing::propfind(&call),
        "MKCOL" => changing::mkcol(&call),
        "MOVE" => changing::rename(&call),
        "DELETE" => changing::delete(&call),
        "LOCK" => changing::lock(&call),
        "OPTIONS" => {
            with(with(answer(200, ""), "dav", "1,2"), "allow", "OPTIONS,GET,HEAD,PUT,DELETE,MKCOL,MOVE,PROPFIND")
        }
        _ => answer(405, ""),
    };
    let date = httpdate::fmt_http_date(call.shared.world().now());
    let answered = with(answered, "date", &date);
    match tear {
        _ if lost => Err(io::ErrorKind::ConnectionReset.into()),
        Some(after) => Ok(torn(answered, after).await),
        None => Ok(answered),
    }
}

/// What a fault answers before anything is done.
async fn instead(call: &Call) -> Option<Answer> {
    match call.fault.as_ref()? {
        Fault::Status(status, None) => Some(answer(*status, "")),
        Fault::Status(status, Some(wait)) => Some(with(answer(*status, ""), "retry-after", wait)),
        Fault::Redirect(status, to) => Some(with(answer(*status, ""), "location", to)),
        Fault::Slow(by) => {
            tokio::time::sleep(*by).await;
            None
        }
        Fault::Hang => std::future::pending().await,
        _ => None,
    }
}

/// What keeps a request from being looked at.
fn refused(call: &Call, authorised: bool, served: usize) -> Option<Answer> {
    let profile = call.profile();
    let length = call.header(CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<u64>().ok());
    // nginx says so before it looks at the password.
    if profile.largest_put.zip(length).is_some_and(|(largest, length)| length > largest) {
        return Some(answer(413, ""));
    }
    let open = profile.options_open && call.method == "OPTIONS";
    if !authorised && !open {
        let status = if call.method == "GET" { profile.get_unauthorised } else { 401 };
        return Some(with(answer(status, ""), "www-authenticate", "Basic realm=\"dav\""));
    }
    if profile.most_requests.is_some_and(|most| served > most) {
        return Some(answer(503, "<?xml version=\"1.0\"?><s:exception>BlockedTemporarily</s:exception>"));
    }
    if profile.jianguoyun && !call.path.is_empty() {
        let parent = tree::parent(&call.path);
        let world = call.shared.world();
        if !world.tree.is_directory(parent) {
            return Some(answer(409, "<?xml version=\"1.0\"?><s:exception>AncestorsNotFound</s:exception>"));
        }
        let is_file = matches!(call.method.as_str(), "PUT" | "GET" | "HEAD") && !world.tree.is_directory(&call.path);
        if parent.is_empty() && is_file {
            return Some(answer(404, ""));
        }
    }
    None
}

fn logged(method: &str, path: &str, headers: &HeaderMap, authorised: bool) -> Request {
    let headers = headers
        .iter()
        .filter(|(name, _)| *name != AUTHORIZATION)
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    Request { method: method.to_owned(), path: path.to_owned(), headers, authorised }
}

pub(crate) fn http_date(at: SystemTime) -> String {
    httpdate::fmt_http_date(at)
}
