//! Answers to PROPFIND, which come from any server and any proxy before it.

use std::collections::BTreeSet;

use tgsignd::backup::remote::listing;

use super::edits;

const GOOD: &str = "<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/dav/x/</D:href><D:propstat>\
    <D:prop><D:resourcetype><D:collection/></D:resourcetype></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>\
    </D:response><D:response><D:href>http://h:1/dav/x/a%5b1&amp;&#45;</D:href><D:propstat><D:prop><D:resourcetype/>\
    <D:getcontentlength>5</D:getcontentlength><D:getetag>W/&quot;1&quot;</D:getetag></D:prop><D:status>HTTP/1.1 200 OK\
    </D:status></D:propstat></D:response></D:multistatus>";

/// Takes any bytes as a listing, and as changes of a good one: names that come out are single parts of paths, each one once.
pub fn read(data: &[u8]) {
    let (path, answer) = data.split_at(data.len().min(8));
    look(answer, &format!("/{}/", String::from_utf8_lossy(path).trim_end_matches('\0')));
    look(&edits::apply(GOOD.as_bytes(), data), "/dav/x/");
}

fn look(answer: &[u8], directory: &str) {
    let Ok(found) = listing::parse(answer, directory) else { return };
    let mut names = BTreeSet::new();
    for entry in &found.entries {
        let name = entry.name.as_str();
        assert!(!name.is_empty() && !name.contains('/') && name != "." && name != "..", "{name:?}");
        assert!(names.insert(name), "{name:?} twice");
    }
}

/// What a fuzzer begins with: the directory's name, then the answer.
pub fn seed() -> Vec<u8> {
    [b"dav/x\0\0\0", GOOD.as_bytes()].concat()
}

/// The document that changes are made to is good itself.
///
/// # Panics
/// When it is not.
pub fn assert_good() {
    let found = listing::parse(GOOD.as_bytes(), "/dav/x/").expect("a good listing");
    assert_eq!(found.get("a[1&-").map(|entry| entry.length), Some(Some(5)));
}
