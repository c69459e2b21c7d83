//! The event hub's rows: events, who may send them, outgoing webhooks, rates. What reactors do for events is in
//! [`reactors`](super::reactors).

pub mod events;
pub mod sources;
pub mod stats;
pub mod webhooks;

/// A new secret in the place of the present one.
#[derive(Debug, Clone, Copy)]
pub struct Rotation<'a> {
    /// The new one.
    pub secret: &'a [u8],
    /// The one before it, as long as it is still good.
    pub previous: Option<&'a [u8]>,
    /// Until when it is.
    pub previous_until_ms: Option<i64>,
    /// When the secret was changed.
    pub rotated_ms: i64,
}
