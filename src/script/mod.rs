//! PURE: steps, matching and outcomes; the conversation with a bot as a state machine.
//!
//! | file | what it owns |
//! |---|---|
//! | `step` | the validated script of a task |
//! | `describe` | steps in a few words |
//! | `unroll` | branches and repetitions as one list of steps |
//! | `template` | texts with captures in them, and what a run remembers |
//! | `pattern`, `text` | literals and regular expressions, and what is ignored when texts are compared |
//! | `message` | messages, keyboards and popups as the shell hands them over |
//! | `protocol` | what goes into a conversation and what comes out |
//! | `inbox` | whose messages count, since when, and what was heard |
//! | `keyboard` | which button a step means |
//! | `host` | hosts that a task names |
//! | `question` | which button a question asks for |
//! | `arithmetic` | sums in digits and in words |
//! | `consult` | what models are asked, and which of their answers count |
//! | `classify`, `phrases` | what a text says about the outcome |
//! | `amounts` | the numbers a bot names |
//! | `conversation` | the state machine, its verdicts, and taking a run up again |
//! | `verdict` | the outcome with its evidence |

mod amounts;
mod arithmetic;
mod classify;
mod consult;
mod conversation;
mod describe;
mod host;
mod inbox;
mod keyboard;
mod message;
mod outcome;
mod pattern;
mod phrases;
mod protocol;
mod question;
mod step;
mod template;
mod text;
mod unroll;
mod verdict;

pub use amounts::{Amount, amounts};
pub use arithmetic::solve;
pub use classify::{Classified, Finding, classify};
pub use consult::{Alphabet, Answer, MAX_READ, Question, Wanted, Word};
pub use conversation::{Conversation, decide_from_history, doubt_what_follows, find_sends};
pub use host::{Host, NoHost};
pub use keyboard::{Cell, Target};
pub use message::{Button, ButtonKind, ChatMessage, Link, Media, Mention, Place, Popup, Position, Sender};
pub use outcome::Outcome;
pub use pattern::{Pattern, PatternError, PatternSource};
pub use protocol::{Act, Command, Elapsed, Input, JournalMark, Original, Outgoing, Press, Refusal};
pub use step::{Branch, DEFAULT_WITHIN, OutcomeRules, Page, Proof, Quiet, Script, Step, Verb};
pub use template::{Memory, Template, TemplateError};
pub use unroll::{MAX_STEPS, Part, PartKind, TooManySteps, unroll};
pub use verdict::{Evidence, EvidenceSource, Rule, Verdict};
