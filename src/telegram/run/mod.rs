//! Carrying a conversation out: commands become calls, updates become inputs.
//!
//! Whatever is uncertain is settled by the chat's history: a send whose answer was lost, messages that may have been missed
//! while the connection was broken, and the last look before a step's time is up. Nothing polls.
//!
//! | file | what it does |
//! |---|---|
//! | `plan` | what is asked for, what comes of it, and where its traces go |
//! | `converse` | listens until the conversation ends |
//! | `act` | sends and presses, once |
//! | `opening` | gets the pages of buttons, once |
//! | `posts` | the distance between own messages in groups |

mod act;
mod converse;
mod opening;
mod plan;
mod posts;

use std::time::Duration;

use tokio::sync::watch;

pub use converse::{perform, review};
pub use plan::{Advisor, Note, Performed, Plan, Recorder, RunError};
pub use posts::Posts;

/// Pause before a broken connection is tried again.
const RECONNECT_PAUSE: Duration = Duration::from_secs(2);

/// Seconds that are looked back further than the attempt began: dates are whole seconds, and both clocks are read at a distance.
const CLOCK_TOLERANCE: i64 = 10;

/// Waits for the end of the daemon.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody can say so any more, which is the end as well.
    let _ = stop.wait_for(|stop| *stop).await;
}
