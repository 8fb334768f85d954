//! A PROPFIND answer becomes entries, or is refused. It comes from outside: size, depth and number are limited, no entity
//! but the five of XML is expanded, and a document that breaks off is no listing.

use std::collections::BTreeMap;

use quick_xml::events::{BytesRef, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;

use super::error::Problem;
use super::etag::EntityTag;
use super::href::{Relation, decoded_path, relation};

/// Longest answer, in bytes. 700 entries take about 600 KB on the most talkative server.
pub const LONGEST: usize = 8 * 1024 * 1024;
/// Most entries, those of other directories counted.
const MOST_ENTRIES: usize = 20_000;
/// Deepest nesting; WebDAV needs six.
const DEEPEST: usize = 32;
/// Longest text of one property, in bytes.
const LONGEST_TEXT: usize = 16 * 1024;
/// Where Jianguoyun stops listing.
const PAGE: usize = 750;

/// What a directory holds, directly.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Files, by name. Directories are left out.
    pub entries: Vec<Entry>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Decoded, one part of a path.
    pub name: String,
    /// In bytes, where the server says so.
    pub length: Option<u64>,
    /// Where the server says so; two thirds do.
    pub tag: Option<EntityTag>,
}

impl Listing {
    /// The entry of this name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

/// What the answer to `PROPFIND`, `Depth: 1` on a directory with this path (as in an address) says.
///
/// # Errors
/// [`Problem::ListingUnreadable`] for everything that is no complete listing of this directory, and
/// [`Problem::ListingTruncated`] for one that stops exactly where a known service ends its pages.
pub fn parse(answer: &[u8], directory: &str) -> Result<Listing, Problem> {
    let unreadable = |cause: &str| Problem::ListingUnreadable(cause.to_owned());
    if answer.len() > LONGEST {
        return Err(Problem::TooLarge { limit: LONGEST as u64 });
    }
    let text = std::str::from_utf8(answer).map_err(|_| unreadable("it is not UTF-8"))?;
    let directory = decoded_path(directory).ok_or_else(|| unreadable("the directory has no path"))?;
    let responses = responses(text.trim_start_matches('\u{feff}'))?;
    let seen = responses.len();
    let mut itself = false;
    let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
    for response in &responses {
        let Some(href) = &response.href else { return Err(unreadable("an entry has no address")) };
        match relation(&directory, href) {
            Relation::Itself => itself = true,
            Relation::Child(name) if response.is_file() => {
                let entry = Entry { name: name.clone(), length: response.length, tag: response.tag.clone() };
                if entries.insert(name, entry.clone()).is_some_and(|earlier| earlier.length != entry.length) {
                    return Err(Problem::ListingUnreadable(format!(
                        "{:?} is listed twice with two lengths",
                        entry.name
                    )));
                }
            }
            Relation::Child(_) | Relation::Elsewhere => {}
        }
    }
    if !itself {
        let other = responses.first().and_then(|response| response.href.as_deref()).unwrap_or("nothing");
        let other: String = other.chars().take(200).collect();
        return Err(Problem::ListingUnreadable(format!("it was asked for {directory:?} and lists {other:?}")));
    }
    if seen == PAGE || seen == PAGE + 1 {
        return Err(Problem::ListingTruncated { entries: seen });
    }
    Ok(Listing { entries: entries.into_values().collect() })
}

/// One `response` element.
#[derive(Debug, Default)]
struct Response {
    href: Option<String>,
    refused: bool,
    collection: bool,
    length: Option<u64>,
    tag: Option<EntityTag>,
}

impl Response {
    fn is_file(&self) -> bool {
        !self.collection && !self.refused
    }
}

/// The properties of one `propstat` element, which count only when its status is a success.
#[derive(Debug, Default)]
struct Properties {
    refused: bool,
    collection: bool,
    length: Option<u64>,
    tag: Option<EntityTag>,
}

/// Where in a listing an element stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Multistatus,
    Response,
    Href,
    ResponseStatus,
    Propstat,
    PropstatStatus,
    Prop,
    Length,
    Tag,
    ResourceType,
    Collection,
    Other,
}

impl Place {
    fn below(parent: Option<Self>, name: &str) -> Self {
        match (parent, name) {
            (None, "multistatus") => Self::Multistatus,
            (Some(Self::Multistatus), "response") => Self::Response,
            (Some(Self::Response), "href") => Self::Href,
            (Some(Self::Response), "status") => Self::ResponseStatus,
            (Some(Self::Response), "propstat") => Self::Propstat,
            (Some(Self::Propstat), "status") => Self::PropstatStatus,
            (Some(Self::Propstat), "prop") => Self::Prop,
            (Some(Self::Prop), "getcontentlength") => Self::Length,
            (Some(Self::Prop), "getetag") => Self::Tag,
            (Some(Self::Prop), "resourcetype") => Self::ResourceType,
            (Some(Self::ResourceType), "collection") => Self::Collection,
            _ => Self::Other,
        }
    }
}

#[derive(Debug, Default)]
struct Reading {
    path: Vec<Place>,
    text: String,
    response: Response,
    properties: Properties,
    responses: Vec<Response>,
    complete: bool,
}

fn responses(text: &str) -> Result<Vec<Response>, Problem> {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut reading = Reading::default();
    loop {
        let (namespace, event) =
            reader.read_resolved_event().map_err(|error| Problem::ListingUnreadable(format!("no XML: {error}")))?;
        let webdav = namespace == ResolveResult::Bound(Namespace("DAV:"));
        match event {
            Event::Start(element) => reading.open(webdav, element.local_name().as_ref())?,
            Event::End(_) => reading.close()?,
            Event::Text(text) => reading.append(&text)?,
            Event::CData(text) => reading.append(&text)?,
            Event::GeneralRef(reference) => reading.append(&expanded(&reference)?)?,
            Event::DocType(_) => return Err(Problem::ListingUnreadable("it declares a document type".to_owned())),
            Event::Eof => break,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    if !reading.complete {
        return Err(Problem::ListingUnreadable("it breaks off, or is no multistatus".to_owned()));
    }
    Ok(reading.responses)
}

/// A character reference or one of the five entities every XML document has.
fn expanded(reference: &BytesRef<'_>) -> Result<String, Problem> {
    let unreadable = |cause: String| Problem::ListingUnreadable(cause);
    if let Some(character) = reference.resolve_char_ref().map_err(|error| unreadable(error.to_string()))? {
        return Ok(character.to_string());
    }
    let text = match &**reference {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "apos" => "'",
        "quot" => "\"",
        _ => return Err(unreadable("it uses an entity of its own".to_owned())),
    };
    Ok(text.to_owned())
}

impl Reading {
    fn open(&mut self, webdav: bool, name: &str) -> Result<(), Problem> {
        if self.path.len() == DEEPEST {
            return Err(Problem::ListingUnreadable("it is nested too deep".to_owned()));
        }
        if self.complete {
            return Err(Problem::ListingUnreadable("it goes on after its end".to_owned()));
        }
        let place = if webdav { Place::below(self.path.last().copied(), name) } else { Place::Other };
        if self.path.is_empty() && place != Place::Multistatus {
            return Err(Problem::ListingUnreadable("it is no multistatus".to_owned()));
        }
        match place {
            Place::Response => self.response = Response::default(),
            Place::Propstat => self.properties = Properties::default(),
            Place::Collection => self.properties.collection = true,
            _ => {}
        }
        self.text.clear();
        self.path.push(place);
        Ok(())
    }

    fn append(&mut self, text: &str) -> Result<(), Problem> {
        let wanted = matches!(
            self.path.last(),
            Some(Place::Href | Place::ResponseStatus | Place::PropstatStatus | Place::Length | Place::Tag)
        );
        if !wanted {
            return Ok(());
        }
        if self.text.len() + text.len() > LONGEST_TEXT {
            return Err(Problem::ListingUnreadable("a property is too long".to_owned()));
        }
        self.text.push_str(text);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        let text = std::mem::take(&mut self.text);
        match self.path.pop() {
            Some(Place::Href) => self.response.href = Some(text),
            Some(Place::ResponseStatus) => self.response.refused = !is_success(&text),
            Some(Place::PropstatStatus) => self.properties.refused = !is_success(&text),
            Some(Place::Length) => self.properties.length = length(&text)?,
            Some(Place::Tag) => self.properties.tag = EntityTag::parse(&text),
            Some(Place::Propstat) => self.merge(),
            Some(Place::Response) => {
                if self.responses.len() == MOST_ENTRIES {
                    return Err(Problem::ListingUnreadable(format!("it has more than {MOST_ENTRIES} entries")));
                }
                self.responses.push(std::mem::take(&mut self.response));
            }
            Some(Place::Multistatus) => self.complete = true,
            _ => {}
        }
        Ok(())
    }

    fn merge(&mut self) {
        let found = std::mem::take(&mut self.properties);
        if !found.refused {
            self.response.collection |= found.collection;
            self.response.length = found.length.or(self.response.length);
            self.response.tag = found.tag.or(self.response.tag.take());
        }
    }
}

/// Whether a line such as `HTTP/1.1 200 OK` says 2xx.
fn is_success(line: &str) -> bool {
    line.split_whitespace().nth(1).is_some_and(|code| code.len() == 3 && code.starts_with('2'))
}

/// Empty for directories on some servers.
fn length(text: &str) -> Result<Option<u64>, Problem> {
    match text.trim() {
        "" => Ok(None),
        digits => digits.parse().map(Some).map_err(|_| Problem::ListingUnreadable("a length is no number".to_owned())),
    }
}

#[cfg(test)]
mod tests;
