//! Why something happened to a slot, as words that never change: they are labels of metrics.

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$why:meta])* $reason:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$why])* #[serde(rename = $word)] $reason),+
        }

        impl $name {
            /// Every reason.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$reason),+];

            /// The word used in metrics and in JSON.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$reason => $word),+
                }
            }
        }
    };
}

reasons! {
    /// Why a slot was missed.
    MissedReason {
        /// `missed = { policy = "skip" }`.
        Policy = "policy",
        /// More than the task's window had passed.
        WindowPassed = "window_passed",
        /// A later slot of the same task and account is run in its place.
        Coalesced = "coalesced",
        /// The account was busy, at rest, out of budget or not reachable through the whole window.
        AccountUnavailable = "account_unavailable",
    }
}

reasons! {
    /// Why a slot was left out on purpose.
    SkippedReason {
        /// The run of the slot before was still going on.
        Overlap = "overlap",
        /// `once_per = "day"`, and it was done before on that day.
        Done = "done",
        /// The task was changed, disabled or removed before the slot began.
        TaskChanged = "task_changed",
        /// A later slot of the same quiet hours is run in its place.
        Quiet = "quiet",
    }
}

reasons! {
    /// Why a run began later than its slot, stagger and jitter say.
    DelayedReason {
        /// Its account was in its quiet hours.
        Quiet = "quiet",
        /// Its account had begun as many runs as its budget allows.
        Budget = "budget",
    }
}
