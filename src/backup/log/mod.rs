//! PURE: what a listing of the server means and what may be done next.
//!
//! The log is append-only: every object has a name of its own and is written once, so the log works on servers that ignore
//! conditions, answer 2xx without storing, or tear what is overwritten. Each writer writes before it lists, so of two that
//! commit at the same time at least one sees the other.
//!
//! | file | what it owns |
//! |---|---|
//! | `position` | [`Position`]: what a data directory knows about the log |
//! | `survey` | [`survey()`]: a listing and a position → [`Survey`] |
//! | `conversation` | [`Request`], [`Answer`], [`Plan`]: the words of a commit |
//! | `commit` | [`Commit`]: the conversation that adds a generation |
//! | `resolve` | [`resolve()`]: what a person's decision does |
//! | `retention` | [`retention::plan`]: what is deleted, in which order |
//! | `takeover` | [`Roster`]: which boot owns the sessions |

mod commit;
mod conversation;
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod model;
mod position;
mod resolve;
pub mod retention;
mod survey;
mod takeover;

pub use commit::{Commit, Ending, Step};
pub use conversation::{Answer, NewPart, Plan, Request, Stop};
pub use position::{Committed, Position, Restored};
pub use resolve::{Above, Keep, Resolution, ResolveError, resolve};
pub use survey::{Head, Listing, Log, Problem, Relation, Side, Survey, manifests_to_fetch, read_complete, survey};
pub use takeover::{HOLDER_LISTS_EVERY, Hold, Roster, TAKEOVER_WAIT, Wait};
