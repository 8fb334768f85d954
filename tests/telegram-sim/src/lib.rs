//! A simulated Telegram data centre.
//!
//! It speaks real `MTProto` 2.0 over loopback TCP to unmodified clients, holds accounts, bots and groups, and shows tests
//! everything it received. Start a [`DataCentre`] with a [`World`]:
//!
//! ```
//! # async fn example() -> std::io::Result<()> {
//! use telegram_sim::{Account, BotAction, BotContext, BotEvent, BotProfile, Content, DataCentre, World};
//!
//! let world = World::new()
//!     .account(Account::new("alice", "+10000000001", 1001).signed_in())
//!     .bot(BotProfile::new("echo", "sim_echo_bot", |_: &BotEvent, _: &mut BotContext<'_>| {
//!         vec![BotAction::send(Content::text("hello").buttons(&[("Check in", "checkin")]))]
//!     }));
//! let centre = DataCentre::start(world).await?;
//! println!("{}", centre.daemon_config());
//! # Ok(())
//! # }
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | `bot` | what bots are told and can do; bots as rules |
//! | `centre` | the listener and what tests see and do |
//! | `clock` | the world's time |
//! | `connection`, `calls` | one TCP connection and what is called over it |
//! | `content` | what a message shows |
//! | `crypto`, `srp` | the server's half of `MTProto`'s cryptography |
//! | `exchange` | how a client without a key gets one |
//! | `envelope`, `transport` | the layers of `MTProto` below the methods |
//! | `fault` | what can go wrong on purpose |
//! | `inspect` | what tests see of chats, and say in them |
//! | `log` | everything received |
//! | `rpc` | the methods |
//! | `state` | the living world |
//! | `tl` | the world in Telegram's types |
//! | `witness` | moments of calls, for tests that act exactly then |
//! | `world` | the world as it starts |

mod bot;
mod calls;
mod centre;
mod clock;
mod connection;
mod content;
mod crypto;
mod envelope;
mod exchange;
mod fault;
mod inspect;
mod log;
mod rpc;
mod srp;
mod state;
mod tl;
mod transport;
pub mod trial;
mod witness;
mod world;

pub use bot::{
    Bot, BotAction, BotContext, BotEvent, BotEventKind, BotUser, Effect, Pattern, PatternError, Period, Rule, Script,
    ScriptAction, Target, Trigger,
};
pub use centre::DataCentre;
pub use clock::Clock;
pub use content::{Button, ButtonAction, Content, Document, Markup, Media, Photo, PhotoError, Poll};
pub use crypto::{AUTH_KEY_LENGTH, derived_key};
pub use exchange::{ExchangeKey, exchange_key};
pub use fault::{Fault, Mode};
pub use inspect::Message;
pub use log::{Device, Entry, Event};
pub use witness::{Moment, Stage};
pub use world::{Account, BotProfile, Group, GroupKind, World, WorldError};
