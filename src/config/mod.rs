//! PURE: workdir bytes become a [`Snapshot`], or every diagnostic at once.
//!
//! | file | what it owns |
//! |---|---|
//! | `source` | what is read: the files and the environment variables that count |
//! | `keys` | the one table of all keys; the reader and the JSON Schema both follow it |
//! | `diagnostic`, `suggest` | what a finding looks like, and "did you mean …?" |
//! | `document`, `reader` | TOML with positions; values are taken by the shape that `keys` gives them |
//! | `validate` | values become the parts of a [`Snapshot`], every error is collected |
//! | `load`, `again` | the way from sources to a snapshot, the first time and after an edit |
//! | `snapshot`, `secret` | the valid model |
//! | `diff` | what changed between two snapshots |
//! | `schema` | the JSON Schema of the files |

mod again;
mod diagnostic;
mod diff;
mod document;
mod keys;
mod load;
mod reader;
pub mod schema;
pub mod secret;
mod snapshot;
mod source;
mod suggest;
mod validate;

pub use again::Loader;
pub use diagnostic::{Diagnostic, Related, Severity};
pub use diff::{Changes, Diff};
pub use load::{Loaded, load};
pub use snapshot::*;
pub use source::{ENVIRONMENT, FileContent, SETTINGS_FILE, Sources};
