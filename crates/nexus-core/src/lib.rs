//! The use cases: authorise, decide, write, append the event. One module a noun, one file a verb.
//!
//! Core deliberately never learns what HTTP or a socket is, and writes no SQL: it loads what a decision rests on, lets the pure
//! rules of `nexus_types` decide, and changes rows and appends the event in one `db.write`.

pub mod admin_tokens;
mod app;
pub mod bots;
pub mod channels;
pub mod clock;
pub mod errors;
pub mod events;
pub mod guilds;
pub mod hub;
pub mod invites;
pub mod keys;
pub mod logins;
pub mod members;
pub mod messages;
pub mod outbound;
pub mod passwords;
mod reactors;
pub mod read_states;
pub mod scopes;
pub mod sessions;
pub mod setup;
pub mod sweeps;
pub mod transparency;
pub mod typing;
pub mod users;

pub use app::{App, Ports, Settings};
pub use clock::Clock;
pub use errors::{Error, Result};
pub use logins::Caller;
