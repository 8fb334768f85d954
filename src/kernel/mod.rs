//! PURE: `(now, Event) → Vec<Effect>`, the next deadline and the observable status.
//!
//! | file | what it holds |
//! |---|---|
//! | [`engine`] | [`Kernel`]: what happens when |
//! | [`agenda`] | what is due next |
//! | `pair` | one account of one task: handled and planned slots |
//! | `describe` | keeping the status in step |
//! | [`order`] | what the kernel asks the shells to do |
//! | [`resume`] | whether and when a slot is taken up again |
//! | [`record`] | claims and runs as they are kept |
//! | [`status`] | everything that can be seen from outside |
//! | [`random_id`] | the number Telegram refuses to take twice |

pub mod agenda;
mod describe;
pub mod engine;
pub mod order;
mod pair;
pub mod random_id;
pub mod record;
pub mod resume;
pub mod status;

pub use describe::evidence_line;
pub use engine::{Event, Kernel, Seeds};
pub use order::{Alarm, Effect, RunOrder, Work};
