//! The wire vocabulary of Nexus and the rules that need no I/O: ids, limits, error codes, the permission algebra, and the shapes
//! of REST bodies, gateway frames and log entries.
//!
//! It deliberately knows neither HTTP nor SQL nor a clock, so that it compiles to WebAssembly and every rule in it is a pure
//! function. The shapes follow Discord's public API (see `docs/protocol/community.md`).

pub mod channels;
pub mod dispatches;
pub mod errors;
pub mod events;
pub mod gateway;
pub mod guilds;
pub mod hub;
pub mod ids;
pub mod invites;
pub mod limits;
pub mod logins;
pub mod members;
pub mod messages;
pub mod names;
pub mod permissions;
pub mod read_states;
pub mod roles;
pub mod scopes;
pub mod snowflakes;
pub mod timestamps;
pub mod users;

pub use errors::{ErrorCode, FieldErrors};
