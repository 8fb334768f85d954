//! Why there is no answer.

use super::error::Problem;

/// What an attempt without an answer means.
pub(super) fn problem_of(error: &reqwest::Error) -> Problem {
    if let Some(why) = distrust(error) {
        return Problem::Untrusted(why);
    }
    if cause::<rustls::Error>(error).is_some_and(|error| matches!(error, rustls::Error::InvalidMessage(_))) {
        return Problem::Unreachable("nobody speaks TLS there; https:// is for ports that do".to_owned());
    }
    if error.is_connect() || error.is_builder() {
        Problem::Unreachable(deepest(error))
    } else {
        Problem::BrokenOff(deepest(error))
    }
}

/// Why TLS refused the certificate, if that is what went wrong.
fn distrust(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    match cause(error)? {
        rustls::Error::InvalidCertificate(why) => Some(why.to_string()),
        _ => None,
    }
}

/// The outermost cause of this type.
fn cause<'a, E: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a E> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An io::Error does not show what it is made of as its source.
        cause = match error.downcast_ref::<std::io::Error>() {
            Some(error) => error.get_ref().map(|inner| inner as _),
            None => error.source(),
        };
    }
    None
}

/// The innermost cause, which says most and holds no address.
pub(super) fn deepest(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
