//! One directory on a WebDAV server, and everything that is said to it.
//!
//! | file | kind | what it owns |
//! |---|---|---|
//! | `settings` | pure | where the directory is, who may enter, how long to wait: checked once |
//! | `error` | pure | what goes wrong, and what the owner does about it |
//! | `etag` | pure | entity tags as servers really write them |
//! | `listing` | pure | a PROPFIND answer → entries, or a refusal |
//! | `href` | pure | percent-decoding and which entry an address names |
//! | `verdict` | pure | a status → what it means for the request |
//! | `retry` | pure, but for the sleep | when to try again |
//! | `capability` | pure | what a server proved to do, and the level that follows |
//! | `connection` | shell | one request: password, redirects, idleness, counters |
//! | `cause` | pure | why there is no answer |
//! | `body` | shell | a file as the body of a request |
//! | `read` | shell | listing, GET, HEAD |
//! | `download` | shell | a large object into a file, taken up where it broke off |
//! | `write` | shell | PUT, MKCOL, MOVE, DELETE |
//! | `probe` | shell | trying out what a server really does |
//! | `traffic` | shell | counters of bytes and requests |
//!
//! Servers lie: half of them answer 2xx to a conditional request whose condition does not hold. So nothing here takes a
//! status for a proof, and an answer that is not understood is an error, never an empty directory.
#![allow(clippy::disallowed_methods, reason = "a shell reads the clock, the disk and the network")]

mod body;
mod capability;
mod cause;
mod connection;
mod download;
mod error;
mod etag;
mod href;
pub mod listing;
mod probe;
mod read;
mod retry;
mod settings;
mod traffic;
mod verdict;
mod write;

pub use body::Progress;
pub use capability::{Capabilities, Finding, Level, Primitive};
pub use connection::Remote;
pub use download::Downloaded;
pub use error::{Problem, RemoteError};
pub use etag::{EntityTag, Validators};
pub use listing::{Entry, Listing};
pub use probe::ProbeReport;
pub use read::{Conditional, Head, Object};
pub use retry::RetryPolicy;
pub use settings::{Destination, RemoteSettings, SettingsError, Timeouts};
pub use traffic::{Answers, Traffic, TrafficCounts};
pub use write::{Creation, Deleted, Ensured, Uploaded};
