//! Which entry of a directory an address names. Servers percent-encode differently, so decoded paths are compared.

/// What an address is, seen from a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Relation {
    /// The directory.
    Itself,
    /// Directly in it.
    Child(String),
    /// Deeper, above or beside it, or nothing that can be read.
    Elsewhere,
}

/// What `href` is, seen from the directory with this decoded path.
pub(super) fn relation(directory: &str, href: &str) -> Relation {
    let Some(path) = decoded_path(href) else { return Relation::Elsewhere };
    let directory = directory.trim_end_matches('/');
    let Some(rest) = path.strip_prefix(directory) else { return Relation::Elsewhere };
    if rest.is_empty() || rest == "/" {
        return Relation::Itself;
    }
    let Some(name) = rest.strip_prefix('/') else { return Relation::Elsewhere };
    let name = name.strip_suffix('/').unwrap_or(name);
    if is_name(name) { Relation::Child(name.to_owned()) } else { Relation::Elsewhere }
}

/// Whether it names something directly in a directory.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(|c: char| c == '/' || c.is_control())
}

/// The decoded path of an absolute path or a full URL, runs of `/` taken as one. `None` for anything else, and for bytes
/// that are no UTF-8.
pub(super) fn decoded_path(href: &str) -> Option<String> {
    let href = href.trim();
    let path = match href.split_once("://") {
        Some((scheme, rest)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => {
            &rest[rest.find('/').unwrap_or(rest.len())..]
        }
        _ => href,
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = if path.is_empty() && href.contains("://") { "/" } else { path };
    if !path.starts_with('/') {
        return None;
    }
    let mut decoded: Vec<u8> = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => hex(rest.next()?)? * 16 + hex(rest.next()?)?,
            other => other,
        };
        if !(byte == b'/' && decoded.last() == Some(&b'/')) {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_child_is_the_same_child() {
        for href in [
            "/dav/my%20dir/a%5bb%5d+c",
            "/dav/my%20dir/a%5Bb%5D%2Bc",
            "/dav/my dir/a[b]+c",
            "http://other.example:8080/dav/my%20dir/a[b]%2bc",
            "//dav//my%20dir/a[b]+c/",
            " /dav/my%20dir/a[b]+c ",
        ] {
            assert_eq!(relation("/dav/my dir/", href), Relation::Child("a[b]+c".to_owned()), "{href}");
        }
    }

    #[test]
    fn the_directory_itself_and_everything_elsewhere_are_told_apart() {
        for href in ["/dav/x", "/dav/x/", "https://h/dav/x/", "/dav/%78/?a"] {
            assert_eq!(relation("/dav/x/", href), Relation::Itself, "{href}");
        }
        for href in [
            "/dav/",
            "/dav/xy",
            "/dav/x/a/b",
            "/dav/x/a%2Fb",
            "/dav/x/..",
            "x/a",
            "",
            "/dav/x/%zz",
            "/dav/x/%ff",
            "/dav/x/%2",
        ] {
            assert_eq!(relation("/dav/x/", href), Relation::Elsewhere, "{href}");
        }
        assert_eq!(relation("/", "https://h"), Relation::Itself);
        assert_eq!(relation("/", "/a"), Relation::Child("a".to_owned()));
    }
}
