//! Channels and their exceptions.

use nexus_types::channels::Channel;
use nexus_types::ids::{ChannelId, GuildId, MessageId};
use nexus_types::permissions::Overwrite;

use super::{from_json, to_json};
use crate::{Row, StoreError, Tx};

fn channel(row: &Row<'_>) -> Result<Channel, StoreError> {
    let last: MessageId = row.get(6)?;
    Ok(Channel {
        id: row.get(0)?,
        guild_id: row.get(1)?,
        kind: row.get(2)?,
        name: row.get(3)?,
        topic: row.get(4)?,
        position: row.get(5)?,
        nsfw: false,
        parent_id: None,
        rate_limit_per_user: 0,
        last_message_id: (last.0 != 0).then_some(last),
        permission_overwrites: from_json(&row.get::<String>(7)?)?,
    })
}

/// Adds a channel.
///
/// # Errors
/// Those of the store.
pub async fn insert(tx: &mut Tx<'_>, channel: &Channel) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO channels (id, guild_id, kind, name, topic, position, overwrites) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let overwrites = to_json(&channel.permission_overwrites);
    let args = [
        channel.id.into(),
        channel.guild_id.into(),
        channel.kind.into(),
        (&channel.name).into(),
        channel.topic.as_ref().into(),
        channel.position.into(),
        (&overwrites).into(),
    ];
    tx.execute(INSERT, &args).await.map(drop)
}

/// A channel that was not deleted, of a guild that was not.
///
/// # Errors
/// Those of the store.
pub async fn load(tx: &mut Tx<'_>, id: ChannelId) -> Result<Option<Channel>, StoreError> {
    const LOAD: &str = "SELECT c.id, c.guild_id, c.kind, c.name, c.topic, c.position, c.last_message_id, c.overwrites
        FROM channels c JOIN guilds g ON g.id = c.guild_id WHERE c.id = $1 AND c.deleted_ms IS NULL AND g.deleted_ms IS NULL";
    tx.query_opt(LOAD, &[id.into()], channel).await
}

/// The channels of a guild in the order of their list.
///
/// # Errors
/// Those of the store.
pub async fn of_guild(tx: &mut Tx<'_>, guild: GuildId) -> Result<Vec<Channel>, StoreError> {
    const LIST: &str = "SELECT id, guild_id, kind, name, topic, position, last_message_id, overwrites
        FROM channels WHERE guild_id = $1 AND deleted_ms IS NULL ORDER BY position, id";
    tx.query(LIST, &[guild.into()], channel).await
}

/// How many channels a guild has, and the place after the last.
///
/// # Errors
/// Those of the store.
pub async fn count(tx: &mut Tx<'_>, guild: GuildId) -> Result<(i64, i64), StoreError> {
    const COUNT: &str = "SELECT COUNT(*), COALESCE(MAX(position) + 1, 0) FROM channels WHERE guild_id = $1 AND deleted_ms IS NULL";
    let found = tx.query_opt(COUNT, &[guild.into()], |row| Ok((row.get(0)?, row.get(1)?))).await?;
    Ok(found.unwrap_or((0, 0)))
}

/// Writes what can be changed of a channel.
///
/// # Errors
/// Those of the store.
pub async fn update(tx: &mut Tx<'_>, channel: &Channel) -> Result<(), StoreError> {
    const UPDATE: &str = "UPDATE channels SET name = $2, topic = $3, position = $4, overwrites = $5 WHERE id = $1";
    let overwrites = to_json(&channel.permission_overwrites);
    let args = [
        channel.id.into(),
        (&channel.name).into(),
        channel.topic.as_ref().into(),
        channel.position.into(),
        (&overwrites).into(),
    ];
    tx.execute(UPDATE, &args).await.map(drop)
}

/// Marks a channel deleted; its messages go later, see [`sweep`].
///
/// # Errors
/// Those of the store.
pub async fn mark_deleted(tx: &mut Tx<'_>, id: ChannelId, now_ms: i64) -> Result<bool, StoreError> {
    const MARK: &str = "UPDATE channels SET deleted_ms = $2 WHERE id = $1 AND deleted_ms IS NULL";
    Ok(tx.execute(MARK, &[id.into(), now_ms.into()]).await? == 1)
}

/// Removes up to `rows_max` rows of channels deleted before a moment, the channel itself last. Says how many; 0 means nothing is left.
///
/// # Errors
/// Those of the store.
pub async fn sweep(tx: &mut Tx<'_>, before_ms: i64, rows_max: i64) -> Result<u64, StoreError> {
    const NEXT: &str = "SELECT id FROM channels WHERE deleted_ms IS NOT NULL AND deleted_ms < $1 ORDER BY deleted_ms LIMIT 1";
    const MESSAGES: &str = "DELETE FROM messages WHERE channel_id = $1 AND id IN (SELECT id FROM messages WHERE channel_id = $1 LIMIT $2)";
    const STATES: &str = "DELETE FROM read_states WHERE channel_id = $1 AND user_id IN
        (SELECT user_id FROM read_states WHERE channel_id = $1 LIMIT $2)";
    const NONCES: &str = "DELETE FROM message_nonces WHERE message_id IN
        (SELECT message_id FROM message_nonces WHERE channel_id = $1 LIMIT $2)";
    // Codes are never given out again, so invites stay as revoked rows that lead nowhere.
    const INVITES: &str =
        "UPDATE invites SET revoked = 1 WHERE code IN (SELECT i.code FROM invites i JOIN channels c ON c.guild_id = i.guild_id
        WHERE c.id = $1 AND i.channel_id = $1 AND i.revoked = 0 LIMIT $2)";
    let Some(id) = tx.query_opt(NEXT, &[before_ms.into()], |row| row.get::<ChannelId>(0)).await? else {
        return Ok(0);
    };
    let mut gone = 0;
    for sql in [MESSAGES, STATES, NONCES, INVITES] {
        if gone == 0 {
            gone = tx.execute(sql, &[id.into(), rows_max.into()]).await?;
        }
    }
    if gone == 0 {
        gone = tx.execute("DELETE FROM channels WHERE id = $1", &[id.into()]).await?;
    }
    Ok(gone)
}

/// The exceptions of a guild's channels alone.
///
/// # Errors
/// Those of the store.
pub async fn overwrites(tx: &mut Tx<'_>, guild: GuildId) -> Result<Vec<(ChannelId, Vec<Overwrite>)>, StoreError> {
    const LIST: &str = "SELECT id, overwrites FROM channels WHERE guild_id = $1 AND deleted_ms IS NULL";
    tx.query(LIST, &[guild.into()], |row| Ok((row.get(0)?, from_json(&row.get::<String>(1)?)?)))
        .await
}
