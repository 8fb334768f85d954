//! GET and HEAD.

use hyper::body::Bytes;

use super::{Call, http_date};
use crate::answer::{Answer, answer, with};
use crate::profile::Collection;
use crate::server::{HANDED_OVER, ROOT};
use crate::tag::matches_weakly;

pub(crate) fn read(call: &Call, handed_over: bool) -> Answer {
    let profile = call.profile();
    let mut world = call.shared.world();
    if world.tree.is_directory(&call.path) {
        return directory(call);
    }
    let Some(file) = world.tree.file(&call.path).cloned() else { return answer(404, "") };
    if profile.hands_reads_over && !handed_over {
        return with(answer(302, ""), "location", &format!("{HANDED_OVER}{}?sign=drawn", call.path));
    }
    let mut tag = profile.tag_read.then(|| call.tag(&mut world, &file));
    if profile.tag_gzip && call.header("accept-encoding").is_some_and(|encodings| encodings.contains("gzip")) {
        tag = tag.map(|tag| format!("{}-gzip\"", tag.trim_end_matches('"')));
    }
    let modified = profile.last_modified.then(|| http_date(file.modified));
    let unchanged = match (call.header("if-none-match"), call.header("if-modified-since")) {
        (Some(known), _) => tag.as_deref().is_some_and(|tag| matches_weakly(known, tag)),
        (None, Some(known)) => modified.as_deref() == Some(known),
        (None, None) => false,
    };
    let mut response = if unchanged { answer(304, "") } else { part(call, file.bytes.to_vec().into(), tag.as_deref()) };
    if let Some(tag) = &tag {
        response = with(response, "etag", tag);
    }
    if let Some(modified) = &modified {
        response = with(response, "last-modified", modified);
    }
    response
}

/// What the `Range` names, or the whole.
fn part(call: &Call, whole: Bytes, tag: Option<&str>) -> Answer {
    let careless = call.profile().careless_ranges;
    let total = if careless { "*".to_owned() } else { whole.len().to_string() };
    let holds = careless || call.header("if-range").is_none_or(|state| Some(state) == tag);
    let range = call.header("range").filter(|_| holds);
    let start: Option<usize> = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let Some(start) = start else { return with(answer(200, whole), "accept-ranges", "bytes") };
    if start >= whole.len() && !careless {
        return with(answer(416, ""), "content-range", &format!("bytes */{total}"));
    }
    let rest = whole.slice(start.min(whole.len())..);
    let range = format!("bytes {start}-{}/{total}", whole.len().saturating_sub(1));
    with(answer(206, rest), "content-range", &range)
}

fn directory(call: &Call) -> Answer {
    if call.slash && !matches!(call.profile().collection, Collection::Status(403)) {
        return answer(200, "<html>a directory</html>");
    }
    let path = format!("{ROOT}{}/", call.path);
    match call.profile().collection {
        Collection::RedirectFull(status) => {
            with(answer(status, ""), "location", &format!("http://{}{path}", call.shared.address))
        }
        Collection::RedirectPath(status) => with(answer(status, ""), "location", &path),
        Collection::Status(status) => answer(status, ""),
    }
}
