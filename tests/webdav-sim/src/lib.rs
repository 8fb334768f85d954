//! A WebDAV server for tests and for the demo, with a profile for each server of the field.
//!
//! | file | what it holds |
//! |---|---|
//! | `profile` | in what servers differ |
//! | `profiles` | the servers, each as it was measured |
//! | `tree` | files and directories, in memory |
//! | `tag` | entity tags as each server makes them |
//! | `fault` | what goes wrong, and when |
//! | `server` | the listener, the log, and the handles tests hold |
//! | `serve` | the methods |
//! | `answer` | bodies and statuses |
//!
//! ```
//! # async fn example() -> std::io::Result<()> {
//! let server = webdav_sim::Server::start(webdav_sim::profiles::NGINX).await?;
//! server.write("backup/a", b"left by somebody else");
//! server.fail(webdav_sim::Fault::Status(503, Some("1")).on("PUT").times(2));
//! println!("{} {} {}", server.url(), server.username(), server.password());
//! # Ok(()) }
//! ```

mod answer;
mod fault;
mod profile;
pub mod profiles;
mod serve;
mod server;
mod tag;
mod tree;

pub use fault::{Fault, Rule};
pub use profile::{
    Collection, Cut, Full, IfHeader, Left, Listed, Lock, MadeOf, MissingParent, MoveOntoTaken, Profile, UnmodifiedSince,
};
pub use server::{Request, Server};
