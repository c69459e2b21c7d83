//! How far users have read.

use nexus_types::ids::{ChannelId, MessageId, UserId};
use nexus_types::read_states::ReadState;

use crate::{StoreError, Tx};

/// Moves a user's place forward; false if it was as far already.
///
/// # Errors
/// Those of the store.
pub async fn advance(tx: &mut Tx<'_>, user: UserId, channel: ChannelId, message: MessageId) -> Result<bool, StoreError> {
    const ADVANCE: &str = "INSERT INTO read_states (user_id, channel_id, last_message_id) VALUES ($1, $2, $3)
        ON CONFLICT (user_id, channel_id) DO UPDATE SET last_message_id = excluded.last_message_id
        WHERE read_states.last_message_id < excluded.last_message_id";
    Ok(tx.execute(ADVANCE, &[user.into(), channel.into(), message.into()]).await? == 1)
}

/// A user's places in the channels of its guilds.
///
/// # Errors
/// Those of the store.
pub async fn of_user(tx: &mut Tx<'_>, user: UserId) -> Result<Vec<ReadState>, StoreError> {
    const MINE: &str = "SELECT r.channel_id, r.last_message_id FROM read_states r JOIN channels c ON c.id = r.channel_id
        JOIN members m ON m.guild_id = c.guild_id AND m.user_id = r.user_id JOIN guilds g ON g.id = c.guild_id
        WHERE r.user_id = $1 AND c.deleted_ms IS NULL AND g.deleted_ms IS NULL ORDER BY r.channel_id";
    tx.query(MINE, &[user.into()], |row| {
        Ok(ReadState {
            id: row.get(0)?,
            last_message_id: row.get(1)?,
            mention_count: 0,
        })
    })
    .await
}
