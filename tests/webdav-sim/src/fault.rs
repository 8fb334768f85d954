//! What goes wrong, and when.

use std::time::Duration;

/// What goes wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This status instead, with a `Retry-After`.
    Status(u16, Option<&'static str>),
    /// The connection ends after so many bytes of the request's body.
    CutUpload(u64),
    /// It is stored, and the connection ends before the answer.
    LostAnswer,
    /// The connection ends after so many bytes of the answer's body.
    TornAnswer(usize),
    /// The PUT succeeds, and nothing is stored.
    StoresNothing,
    /// The PUT succeeds, and so many bytes are stored.
    StoresPart(usize),
    /// The listing has every other entry only.
    HalfListing,
    /// It is sent to another address.
    Redirect(u16, String),
    /// The answer takes so long.
    Slow(Duration),
    /// There is never an answer.
    Hang,
}

/// A fault, and which requests it hits.
#[derive(Debug, Clone)]
pub struct Rule {
    pub(crate) fault: Fault,
    method: Option<&'static str>,
    part: Option<String>,
    left: usize,
}

impl Fault {
    /// For requests of this method, once.
    pub fn on(self, method: &'static str) -> Rule {
        Rule { method: Some(method), ..self.on_all() }
    }

    /// For the next request.
    pub fn on_all(self) -> Rule {
        Rule { fault: self, method: None, part: None, left: 1 }
    }
}

impl Rule {
    /// For so many requests.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { left: times, ..self }
    }

    /// For paths that hold `part`.
    #[must_use]
    pub fn at(self, part: &str) -> Self {
        Self { part: Some(part.to_owned()), ..self }
    }

    fn hits(&self, method: &str, path: &str) -> bool {
        self.left > 0
            && self.method.is_none_or(|wanted| wanted == method)
            && self.part.as_ref().is_none_or(|part| path.contains(part.as_str()))
    }
}

/// The fault that hits a request, which is used up by it.
pub(crate) fn take(rules: &mut [Rule], method: &str, path: &str) -> Option<Fault> {
    let rule = rules.iter_mut().find(|rule| rule.hits(method, path))?;
    rule.left -= 1;
    Some(rule.fault.clone())
}
