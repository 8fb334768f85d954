//! PURE: `(now, Event) → Vec<Effect>`, the next deadline and the observable status.

pub mod status;
