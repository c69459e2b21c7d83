//! How far a user has read. Unread is derived from it and the channel's order, never counted.

use serde::{Deserialize, Serialize};

use crate::ids::{ChannelId, MessageId};

/// A user's place in a channel.
///
/// # Shape
/// `{"id": channel, "last_message_id", "mention_count"}`, as Discord's READY has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadState {
    /// The channel.
    pub id: ChannelId,
    /// The newest message that was read.
    pub last_message_id: MessageId,
    /// Always 0 for now.
    pub mention_count: i64,
}
