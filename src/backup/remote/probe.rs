//! Trying out what a server really does, judged by what is read back and never by a status alone.

use super::capability::{Capabilities, Finding, Level, Primitive};
use super::connection::{Ask, Remote};
use super::error::{Problem, RemoteError};
use super::etag::EntityTag;
use super::read::{Conditional, Object};
use super::verdict::About;
use super::write::Creation;

/// Length of what is stored for a try, in bytes.
const LENGTH: u64 = 32;
/// Most writes until an entity tag should have changed.
const MOST_WRITES: u32 = 5;
/// Names nobody else looks at.
const FIRST: &str = "p1";
const SECOND: &str = "p2";

/// What a server does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeReport {
    /// Each thing tried, in order.
    pub findings: Vec<Finding>,
    /// What follows from them.
    pub capabilities: Capabilities,
    /// How many requests it took.
    pub requests: u64,
}

impl ProbeReport {
    /// What follows for the owner.
    pub fn level(&self) -> Level {
        self.capabilities.level()
    }
}

impl Remote {
    /// Tries the server in a new directory inside this one, which is made when it is missing, and leaves nothing behind.
    /// About twenty-five requests: for setting up, and for when the server changed.
    ///
    /// # Errors
    /// Those that say nothing about what the server can do: unreachable, refused, full. A server that does not list
    /// or store as WebDAV does is a report of [`Level::Unusable`].
    pub async fn probe(&self) -> Result<ProbeReport, RemoteError> {
        let asked = || self.answers().values().sum::<u64>();
        let before = asked();
        let findings = match self.ensure_directory().await {
            Ok(_) => self.try_everything().await?,
            Err(error) => vec![unusable(error)?],
        };
        let capabilities = Capabilities::of(&findings);
        Ok(ProbeReport { findings, capabilities, requests: asked() - before })
    }

    async fn try_everything(&self) -> Result<Vec<Finding>, RemoteError> {
        let place = self.below(&format!("probe-{}", hex(&random::<6>(&self.directory)?)))?;
        let mut trial = Trial { place, findings: Vec::new() };
        let tried = trial.run().await;
        let cleared = trial.clear().await;
        tried.and(cleared)?;
        Ok(trial.findings)
    }
}

/// Problems that are an answer to what the server can do.
fn unusable(error: RemoteError) -> Result<Finding, RemoteError> {
    match error.problem {
        Problem::NotWebDav(_)
        | Problem::ListingUnreadable(_)
        | Problem::Unexpected(_)
        | Problem::RefusedWrite(_)
        | Problem::Redirected(_) => {
            Ok(Finding { primitive: Primitive::List, works: false, detail: error.problem.to_string() })
        }
        _ => Err(error),
    }
}

/// A probe under way.
struct Trial {
    place: Remote,
    findings: Vec<Finding>,
}

impl Trial {
    async fn run(&mut self) -> Result<(), RemoteError> {
        let directory = self.place.directory.clone();
        let made = self.place.make("making the directory", directory.clone()).await;
        self.found(Primitive::MakeDirectory, made.is_ok(), describe(&made));
        made?;
        let [a, b, c] = [random::<32>(&directory)?, random::<32>(&directory)?, random::<32>(&directory)?]
            .map(|bytes| bytes.to_vec());
        if !self.essentials(&a).await? {
            return Ok(());
        }
        self.overwriting(Primitive::IfMatch, ("if-match", "\"no-such-tag\""), &a, &b).await?;
        self.overwriting(Primitive::IfNoneMatch, ("if-none-match", "*"), &a, &b).await?;
        self.moving(&a, c).await?;
        self.fine_tag(&a, &b).await?;
        self.deleting().await
    }

    /// Storing, reading, looking and listing; whether going on makes sense.
    async fn essentials(&mut self, a: &[u8]) -> Result<bool, RemoteError> {
        self.place.put(FIRST, a.to_vec(), Creation::Plain).await?;
        let Object { bytes, validators } = match self.place.get(FIRST, LENGTH).await {
            Ok(object) => object,
            Err(error) => {
                let Finding { detail, .. } = absent(error)?;
                self.found(Primitive::ReadBack, false, detail);
                return Ok(false);
            }
        };
        let same = bytes == a;
        self.found(Primitive::ReadBack, same, if same { "what was stored came back" } else { "other bytes came back" });
        let head = self.place.head(FIRST).await?;
        self.found(Primitive::Length, head.length == Some(LENGTH), format!("HEAD says {}", shown(head.length)));
        let steady =
            matches!((&validators.tag, &head.validators.tag), (Some(first), Some(second)) if first.resembles(second));
        self.found(Primitive::Tag, steady, tag_detail(validators.tag.as_ref(), steady));
        let listed = match self.place.list().await {
            Ok(listing) => listing,
            Err(error) => {
                self.findings.push(unusable(error)?);
                return Ok(false);
            }
        };
        let entry = listed.get(FIRST);
        let length = entry.and_then(|entry| entry.length);
        let detail = if entry.is_some() { format!("listed with {}", shown(length)) } else { "not listed".to_owned() };
        self.found(Primitive::List, length == Some(LENGTH), detail);
        let tagged = entry.is_some_and(|entry| entry.tag.is_some());
        self.found(
            Primitive::ListedTag,
            tagged,
            if tagged { "the listing has entity tags" } else { "the listing has none" },
        );
        let unchanged = !validators.is_empty()
            && self.place.get_conditional(FIRST, LENGTH, &validators).await? == Conditional::Unchanged;
        self.found(Primitive::Unchanged, unchanged, if unchanged { "304 for the same" } else { "always sent whole" });
        Ok(same && length == Some(LENGTH))
    }

    /// A PUT that must not overwrite.
    async fn overwriting(
        &mut self,
        primitive: Primitive,
        (header, value): (&'static str, &str),
        kept: &[u8],
        other: &[u8],
    ) -> Result<(), RemoteError> {
        let url = self.place.object("storing", FIRST)?;
        let ask = Ask::new("storing", reqwest::Method::PUT, url, About::Storing, &[200, 201, 202, 204, 207])
            .header("content-type", "application/octet-stream")
            .header(header, value)
            .payload(super::body::Payload::Small(other.to_vec().into()));
        let answer = self.place.persist(&ask).await.map(|reply| reply.response.status().as_u16());
        let refused = matches!(&answer, Err(RemoteError { problem: Problem::Exists, .. }));
        if let Err(error) = answer {
            tolerated(error)?;
        }
        let is_kept = self.place.get(FIRST, LENGTH).await?.bytes == kept;
        let detail = match (refused, is_kept) {
            (true, true) => "412, and the content stayed",
            (true, false) => "412, but the content changed",
            (false, true) => "refused with another status, so it is not sent",
            (false, false) => "ignored: it was overwritten",
        };
        self.found(primitive, refused && is_kept, detail);
        if !is_kept {
            self.place.put(FIRST, kept.to_vec(), Creation::Plain).await?;
        }
        Ok(())
    }

    async fn moving(&mut self, kept: &[u8], other: Vec<u8>) -> Result<(), RemoteError> {
        self.place.put(SECOND, other, Creation::Plain).await?;
        let moved = self.place.move_onto_nothing(SECOND, FIRST).await;
        let refused = matches!(&moved, Err(RemoteError { problem: Problem::Exists, .. }));
        if let Err(error) = moved {
            tolerated(error)?;
        }
        let is_kept = self.place.get(FIRST, LENGTH).await.is_ok_and(|object| object.bytes == kept);
        let detail = match (refused, is_kept) {
            (true, true) => "412, and the content stayed",
            (false, true) => "refused with another status",
            (_, false) => "ignored: it was overwritten",
        };
        self.found(Primitive::MoveKeeps, refused && is_kept, detail);
        Ok(())
    }

    /// Two contents of one size in turn, as fast as they can be stored. Some servers take the time from a clock that ticks
    /// every few milliseconds, so more than two writes may be needed to tell those from whole seconds.
    async fn fine_tag(&mut self, a: &[u8], b: &[u8]) -> Result<(), RemoteError> {
        let mut first: Option<EntityTag> = None;
        let mut detail = "there is none".to_owned();
        let mut fine = false;
        for write in 1..=MOST_WRITES {
            let bytes = if write % 2 == 1 { a } else { b };
            self.place.put(FIRST, bytes.to_vec(), Creation::Plain).await?;
            let Some(tag) = self.place.head(FIRST).await?.validators.tag else { break };
            match &first {
                None => first = Some(tag),
                Some(first) if first.resembles(&tag) => detail = format!("the same for {write} writes in a row"),
                Some(_) => {
                    fine = true;
                    detail = format!("differs within {write} writes in a row");
                    break;
                }
            }
        }
        self.found(Primitive::FineTag, fine, detail);
        Ok(())
    }

    async fn deleting(&mut self) -> Result<(), RemoteError> {
        for name in [FIRST, SECOND] {
            self.place.delete(name).await?;
        }
        let left = self.place.list().await?.entries.len();
        let detail = if left == 0 { "gone from the listing".to_owned() } else { format!("{left} still listed") };
        self.found(Primitive::Delete, left == 0, detail);
        Ok(())
    }

    /// Leaves nothing behind, whatever happened.
    async fn clear(&self) -> Result<(), RemoteError> {
        self.place.delete_at(self.place.directory.clone()).await.map(drop)
    }

    fn found(&mut self, primitive: Primitive, works: bool, detail: impl Into<String>) {
        self.findings.push(Finding { primitive, works, detail: detail.into() });
    }
}

/// A refusal of the one request that was meant to be refused; trouble on the way is none.
fn tolerated(error: RemoteError) -> Result<(), RemoteError> {
    let trouble = error.is_transient() || matches!(error.problem, Problem::RefusedCredentials { .. } | Problem::Full);
    if trouble { Err(error) } else { Ok(()) }
}

/// What was just stored is not there.
fn absent(error: RemoteError) -> Result<Finding, RemoteError> {
    if error.is_missing() || matches!(error.problem, Problem::TooLarge { .. }) {
        Ok(Finding { primitive: Primitive::ReadBack, works: false, detail: error.problem.to_string() })
    } else {
        Err(error)
    }
}

fn describe(made: &Result<(), RemoteError>) -> String {
    made.as_ref().map_or_else(|error| error.problem.to_string(), |()| "made".to_owned())
}

fn shown(length: Option<u64>) -> String {
    length.map_or_else(|| "no length".to_owned(), |length| format!("{length} bytes"))
}

fn tag_detail(tag: Option<&EntityTag>, steady: bool) -> &'static str {
    match tag {
        None => "there is none",
        Some(_) if !steady => "changes although nothing changed",
        Some(tag) if tag.is_weak() => "the same twice, weak",
        Some(_) => "the same twice, strong",
    }
}

fn random<const N: usize>(place: &reqwest::Url) -> Result<[u8; N], RemoteError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| RemoteError {
        action: "probing",
        place: place.to_string(),
        problem: Problem::LocalFile(format!("no randomness: {error}")),
    })?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
