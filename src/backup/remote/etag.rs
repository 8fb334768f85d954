//! Entity tags as servers really write them: weak, without quotes, with `-gzip`, or not at all.

use std::fmt;

/// An entity tag (RFC 9110, section 8.8.3).
///
/// Equal tags do not prove equal contents: many servers make them of a time in whole seconds and the size. Different tags
/// do not prove different contents either. A digest decides; a tag only saves a transfer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntityTag {
    weak: bool,
    opaque: String,
}

impl EntityTag {
    /// Longest tag that is kept, in bytes; the longest seen are digests in hexadecimal.
    const LONGEST: usize = 256;

    /// The tag of a header or of a `getetag` property. Quotes may be missing (wsgidav and dav-server list them so).
    /// `None` for what is no tag.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (weak, rest) = match text.strip_prefix("W/").or_else(|| text.strip_prefix("w/")) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let opaque = rest.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(rest);
        let is_opaque = |c: char| c.is_ascii_graphic() && c != '"';
        let good = !opaque.is_empty() && opaque.len() <= Self::LONGEST && opaque.chars().all(is_opaque);
        good.then(|| Self { weak, opaque: opaque.to_owned() })
    }

    /// Whether the server promises nothing about single bytes.
    pub fn is_weak(&self) -> bool {
        self.weak
    }

    /// Whether both may name the same state, for skipping work and for counting disagreements: without weakness, and
    /// without the `-gzip` that Apache's `mod_deflate` appends.
    pub fn resembles(&self, other: &Self) -> bool {
        self.plain() == other.plain()
    }

    /// Whether both are strong and equal: what a resumed download may rest on (RFC 9110, section 13.1.5).
    pub fn is_strongly(&self, other: &Self) -> bool {
        !self.weak && self == other && !self.opaque.ends_with("-gzip")
    }

    fn plain(&self) -> &str {
        self.opaque.strip_suffix("-gzip").unwrap_or(&self.opaque)
    }
}

/// As it is sent: with quotes, whatever the server wrote.
impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\"{}\"", if self.weak { "W/" } else { "" }, self.opaque)
    }
}

/// What a server says to tell one state of an object from another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`
    pub tag: Option<EntityTag>,
    /// `Last-Modified`, as the server wrote it: it is only ever sent back.
    pub modified: Option<String>,
}

impl Validators {
    /// Whether there is nothing to ask conditionally with.
    pub fn is_empty(&self) -> bool {
        self.tag.is_none() && self.modified.is_none()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::EntityTag;

    fn tag(text: &str) -> EntityTag {
        EntityTag::parse(text).unwrap()
    }

    #[test]
    fn all_spellings_of_the_field_are_read_and_one_is_sent() {
        for (spelling, sent) in [
            ("\"6213f2-5\"", "\"6213f2-5\""),
            (" 6213f2-5 ", "\"6213f2-5\""),
            ("W/\"6213f2-5\"", "W/\"6213f2-5\""),
            ("w/\"x\"", "W/\"x\""),
            ("\"a:b;c\"", "\"a:b;c\""),
        ] {
            assert_eq!(tag(spelling).to_string(), sent);
        }
        for wrong in ["", "\"\"", "\"a\nb\"", "a\"b", "\"a", "W/", &"x".repeat(257)] {
            assert_eq!(EntityTag::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn weakness_and_compression_do_not_hide_a_resemblance() {
        assert!(tag("W/\"a\"").resembles(&tag("\"a\"")) && tag("\"a-gzip\"").resembles(&tag("a")));
        assert!(!tag("\"a\"").resembles(&tag("\"b\"")));
    }

    #[test]
    fn only_equal_strong_tags_carry_a_resumed_download() {
        assert!(tag("\"a\"").is_strongly(&tag("a")));
        assert!(!tag("W/\"a\"").is_strongly(&tag("W/\"a\"")) && !tag("\"a-gzip\"").is_strongly(&tag("\"a-gzip\"")));
    }
}
