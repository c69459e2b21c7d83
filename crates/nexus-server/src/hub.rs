//! The event hub's side of this program: its secrets, its types, and what rules may know of the environment.
//!
//! The hub itself is `nexus_core::hub`, its routes are `http/events.rs`, its streams `streams.rs`. The page for
//! operators is `docs/guide/events.md`.

pub mod environment;
pub mod secrets;
pub mod types;
