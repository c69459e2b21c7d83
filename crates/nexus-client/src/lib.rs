//! The event hub for a Rust program: hear what happens, say what happened.
//!
//! It deliberately knows the hub alone, not communities or messages; and it keeps nothing on disk: the position up to which events were
//! dealt with is the program's to store. The wire is `docs/protocol/events.md`, the design `docs/subsystems/sdk-hub.md`.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use nexus_client::{NexusClient, SubscribeOptions};
//!
//! let client = NexusClient::builder("https://hub.example.org").secret(std::env::var("NEXUS_SECRET")?).build()?;
//! let subscription = client.subscribe(&["FLOWPAY:PAYMENT_RECEIVED", "FACTORY:*"], SubscribeOptions::default(), async |event| {
//!     println!("{} {}", event.kind, event.payload.get());
//!     Ok::<_, std::io::Error>(())
//! })?;
//! client.publish("MIO:IDENTITY_VERIFIED", &serde_json::json!({ "userId": "7" })).await?;
//! subscription.close().await;
//! # Ok(()) }
//! ```

mod api;
mod client;
mod errors;
mod frames;
mod pauses;
mod streams;
mod subscriptions;

pub use api::{EventQuery, Published};
pub use client::{Builder, NexusClient};
pub use errors::{HubError, Verdict};
pub use frames::Gap;
pub use nexus_types::hub::{EventType, HubEvent};
pub use nexus_types::ids::HubEventId;
pub use subscriptions::{SubscribeOptions, Subscription};
