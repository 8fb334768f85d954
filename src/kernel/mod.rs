//! PURE: `(now, Event) → Vec<Effect>`, the next deadline and the observable status.
//!
//! | file | what it holds |
//! |---|---|
//! | [`event`] | what the kernel is told |
//! | [`engine`] | [`Kernel`]: its state, and which part takes in which event |
//! | `load` | a configuration comes into force |
//! | `fire` | what is due: slots, further attempts, deadlines |
//! | `queue`, `lane`, `lanes` | orders wait for their account: priorities, quiet hours, budget |
//! | `ended` | orders come back |
//! | `agenda` | what is due next |
//! | `pair`, `pairs` | one account of one task: handled and planned slots; all of them by number |
//! | `describe` | keeping the status in step |
//! | [`order`] | what the kernel asks the shells to do |
//! | [`resume`] | whether and when a slot is taken up again |
//! | [`record`] | claims and runs as they are kept |
//! | [`status`] | everything that can be seen from outside |
//! | [`random_id`] | the number Telegram refuses to take twice |

mod agenda;
mod describe;
mod ended;
pub mod engine;
pub mod event;
mod fire;
mod lane;
mod lanes;
mod load;
pub mod order;
mod pair;
mod pairs;
mod queue;
pub mod random_id;
pub mod record;
pub mod resume;
pub mod status;

pub use describe::evidence_line;
pub use engine::Kernel;
pub use event::{Event, OnceError, Seeds};
pub use order::{Alarm, Effect, RunOrder, Work};
pub use pairs::PairKey;

#[cfg(test)]
mod tests;
