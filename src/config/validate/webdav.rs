//! Where a WebDAV server is, as text.

use std::net::IpAddr;
use std::str::FromStr;

use crate::config::document::Place;

/// Our own part of a name follows it, and a name may have 255 bytes.
const LONGEST_STEM: usize = 100;

/// The address, ending in a slash.
pub(super) fn address(text: &str, allow_http: bool, place: Place<'_>) -> Option<String> {
    let refuse = |message: &str, hint: &str| {
        place.error_with_hint(message, hint.to_owned());
        None
    };
    let (secure, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return refuse("the address must begin with https://", "write \"https://dav.example.com/dav/\""),
    };
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return refuse(
            "the address must not hold a user name or password",
            "use `username` and `password`, which never appear in a message",
        );
    }
    let plain = |c: char| c.is_ascii_graphic() && !"?#\\".contains(c);
    if host(authority).is_empty() || !rest.chars().all(plain) {
        return refuse("this is not the address of a WebDAV folder", "write \"https://dav.example.com/dav/\"");
    }
    if !secure && !allow_http && !is_loopback(host(authority)) {
        return refuse(
            "the address must begin with https://: with http:// everybody on the way sees the password",
            "where you accept that, such as on a network of your own, write `allow_http = true`",
        );
    }
    Some(if text.ends_with('/') { text.to_owned() } else { format!("{text}/") })
}

/// Without the port; an IPv6 address without its brackets.
fn host(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || IpAddr::from_str(host).is_ok_and(|address| address.is_loopback())
}

/// A folder, or a file whose name becomes the stem of ours.
pub(super) fn remote_path(text: &str, place: Place<'_>) -> Option<String> {
    let segments = text.strip_prefix('/').map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let sound = |segment: &str| {
        !matches!(segment, "" | "." | "..") && !segment.chars().any(|c| c.is_control() || "\\?#%".contains(c))
    };
    if text == "/" || segments.is_some_and(|segments| segments.split('/').all(sound)) {
        let file = text.rsplit('/').next().unwrap_or_default();
        if is_stem(file) {
            return Some(text.to_owned());
        }
        place.error_with_hint(
            format!(
                "{file:?} cannot begin the names of files: at most {LONGEST_STEM} of a-z A-Z 0-9 . _ -, no dot in front"
            ),
            format!("to name a folder, end it in a slash: \"{text}/\""),
        );
        return None;
    }
    place.error_with_hint(
        "this is not a path on the server",
        "write a folder such as \"/tgsignd/\", or a file such as \"/backup/tgsignd\"".to_owned(),
    );
    None
}

/// Servers write other characters differently, and some hide what begins with a dot.
fn is_stem(file: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !file.starts_with('.') && file.len() <= LONGEST_STEM && file.chars().all(plain)
}
