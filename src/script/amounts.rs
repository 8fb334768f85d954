//! The numbers a bot names.

use serde::{Deserialize, Serialize};

/// A number with what it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// As written, without thousands separators: `5`, `+5`, `0.25`.
    pub value: String,
    /// As written: `积分`, `GB`, `days`; empty when the bot names none.
    pub unit: String,
}

/// The numbers that `text` names as gains, balances or streaks, in order.
pub fn amounts(_text: &str) -> Vec<Amount> {
    Vec::new()
}
