//! What a status means, depending on what was asked.

use std::time::Duration;

use super::error::Problem;
use super::retry::Again;

/// What a request is about: the same status means different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// The properties of the directory.
    Directory,
    /// Reading or deleting an object.
    Object,
    /// Storing an object.
    Storing,
    /// Making a directory.
    Making,
}

/// What a status that is no success means, and whether the request may be sent again. `asked` is the server's
/// `Retry-After`.
pub(super) fn refusal(status: u16, about: About, asked: Option<Duration>) -> (Problem, Again) {
    let final_problem = match (status, about) {
        // The connection knows how long it will be silent.
        (401, _) => Problem::RefusedCredentials { pause: Duration::ZERO },
        (403, _) => Problem::Forbidden,
        // Jianguoyun says 409 AncestorsNotFound even to a GET, nginx 500 to a PUT into a missing directory.
        (404 | 410, About::Object) => Problem::Missing,
        (404 | 409 | 410, _) => Problem::MissingDirectory,
        (400 | 405 | 501, About::Directory | About::Making) => Problem::NotWebDav(status),
        // rclone and golang.org/x/net/webdav say 405 on a full disk, AList for everything it does not know.
        (405, About::Storing) => Problem::RefusedWrite(status),
        (412, _) => Problem::Exists,
        (413, _) => Problem::RefusedSize,
        (507, _) => Problem::Full,
        (429 | 503, _) => return (Problem::Throttled { status, wait: asked }, Again::After(asked)),
        (408 | 423 | 425 | 500 | 502 | 504..=599, _) => return (Problem::ServerTrouble(status), Again::After(asked)),
        _ => Problem::Unexpected(status),
    };
    (final_problem, Again::Never)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waiting_may_cure_is_tried_again_and_nothing_else() {
        for status in [408, 423, 425, 429, 500, 502, 503, 504, 520] {
            assert_eq!(refusal(status, About::Storing, None).1, Again::After(None), "{status}");
        }
        for status in [400, 401, 403, 404, 405, 409, 411, 412, 413, 501, 507] {
            assert_eq!(refusal(status, About::Storing, None).1, Again::Never, "{status}");
        }
        let asked = Some(Duration::from_secs(5));
        assert_eq!(refusal(503, About::Directory, asked).1, Again::After(asked));
    }

    #[test]
    fn a_missing_directory_is_told_from_a_missing_object() {
        assert_eq!(refusal(404, About::Object, None).0, Problem::Missing);
        for (status, about) in
            [(404, About::Directory), (409, About::Object), (404, About::Storing), (409, About::Making)]
        {
            assert_eq!(refusal(status, about, None).0, Problem::MissingDirectory, "{status} {about:?}");
        }
    }
}
