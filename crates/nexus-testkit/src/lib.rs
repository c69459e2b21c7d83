//! What the proof of Nexus is made of: a server in the process or beside it, a network that can be cut, clients with a reducer, and
//! an oracle that judges what they saw.
//!
//! It is for tests only and deliberately shares no decision with the server: the reducer and the client work on JSON, so that a
//! mistake in `nexus_types` can't hide by being made twice. The page of this subsystem is `docs/subsystems/testkit.md`.

pub mod crowds;
pub mod oracles;
pub mod processes;
pub mod proxies;
pub mod rests;
pub mod seeds;
pub mod servers;
pub mod sessions;
pub mod stages;
pub mod states;
pub mod transcripts;
pub mod wires;
pub mod worlds;

pub use crowds::{Crowd, Outcome, Size};
pub use oracles::{Breach, Oracle, Row, Stream};
pub use processes::Process;
pub use proxies::{Cut, Proxy};
pub use rests::Rest;
pub use seeds::{Seed, rounds};
pub use servers::Server;
pub use sessions::{Heard, Session};
pub use stages::Stage;
pub use states::State;
pub use transcripts::Transcript;
pub use wires::Wire;
pub use worlds::{Person, World};
