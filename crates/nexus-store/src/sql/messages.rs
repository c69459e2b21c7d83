//! Messages and the nonces of their authors.

use nexus_types::ids::{ChannelId, GuildId, MessageId, RoleId, UserId};
use nexus_types::messages::{Anchor, Message, Place};
use nexus_types::permissions::Overwrite;
use nexus_types::timestamps::Timestamp;
use nexus_types::users::User;

use super::{from_json, users};
use crate::{Row, StoreError, Tx};

/// What sending into a channel rests on, in one row.
#[derive(Debug)]
pub struct Sending {
    /// The channel's guild.
    pub guild: GuildId,
    /// The guild's owner.
    pub owner: UserId,
    /// The channel's exceptions.
    pub overwrites: Vec<Overwrite>,
    /// The author.
    pub author: User,
    /// The author's roles without @everyone.
    pub roles: Vec<RoleId>,
    /// When the author joined.
    pub joined_at: Timestamp,
}

/// Loads what a decision about sending needs; `None` if the channel is gone or the user is no member.
///
/// # Errors
/// Those of the store.
pub async fn sending(tx: &mut Tx<'_>, channel: ChannelId, author: UserId) -> Result<Option<Sending>, StoreError> {
    const LOAD: &str = "SELECT c.guild_id, g.owner_id, c.overwrites, u.id, u.username, u.bot, m.roles, m.joined_ms
        FROM channels c JOIN guilds g ON g.id = c.guild_id JOIN members m ON m.guild_id = c.guild_id AND m.user_id = $2
        JOIN users u ON u.id = m.user_id WHERE c.id = $1 AND c.deleted_ms IS NULL AND g.deleted_ms IS NULL";
    tx.query_opt(LOAD, &[channel.into(), author.into()], |row| {
        Ok(Sending {
            guild: row.get(0)?,
            owner: row.get(1)?,
            overwrites: from_json(&row.get::<String>(2)?)?,
            author: users::user(row, 3)?,
            roles: from_json(&row.get::<String>(6)?)?,
            joined_at: row.get(7)?,
        })
    })
    .await
}

/// Claims a nonce for a message; if it is taken, says by which message.
///
/// # Errors
/// Those of the store.
pub async fn claim_nonce(
    tx: &mut Tx<'_>,
    channel: ChannelId,
    author: UserId,
    nonce: &str,
    message: MessageId,
) -> Result<Option<MessageId>, StoreError> {
    const CLAIM: &str = "INSERT INTO message_nonces (channel_id, author_id, nonce, message_id) VALUES ($1, $2, $3, $4)
        ON CONFLICT (channel_id, author_id, nonce) DO NOTHING";
    const HOLDER: &str = "SELECT message_id FROM message_nonces WHERE channel_id = $1 AND author_id = $2 AND nonce = $3";
    if tx
        .execute(CLAIM, &[channel.into(), author.into(), nonce.into(), message.into()])
        .await?
        == 1
    {
        return Ok(None);
    }
    tx.query_opt(HOLDER, &[channel.into(), author.into(), nonce.into()], |row| row.get(0))
        .await
}

/// Forgets up to `rows_max` nonces of messages before this id.
///
/// # Errors
/// Those of the store.
pub async fn sweep_nonces(tx: &mut Tx<'_>, before: MessageId, rows_max: i64) -> Result<u64, StoreError> {
    const SWEEP: &str = "DELETE FROM message_nonces WHERE message_id IN
        (SELECT message_id FROM message_nonces WHERE message_id < $1 ORDER BY message_id LIMIT $2)";
    tx.execute(SWEEP, &[before.into(), rows_max.into()]).await
}

/// Adds a message, and makes it its channel's newest.
///
/// # Errors
/// Those of the store.
pub async fn insert(tx: &mut Tx<'_>, message: &Message) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO messages (channel_id, id, author_id, content, created_ms) VALUES ($1, $2, $3, $4, $5)";
    const NEWEST: &str = "UPDATE channels SET last_message_id = $2 WHERE id = $1";
    let args = [
        message.channel_id.into(),
        message.id.into(),
        message.author.id.into(),
        (&message.content).into(),
        message.timestamp.into(),
    ];
    tx.execute(INSERT, &args).await?;
    tx.execute(NEWEST, &[message.channel_id.into(), message.id.into()]).await.map(drop)
}

/// Reads a message of a known guild from `id, author_id, username, bot, content, created_ms, edited_ms`.
fn message(row: &Row<'_>, place: Place) -> Result<Message, StoreError> {
    let author = users::user(row, 1)?;
    let mut message = Message::new(row.get(0)?, place, author, row.get(4)?, row.get(5)?);
    message.edited_timestamp = row.get(6)?;
    Ok(message)
}

/// One message.
///
/// # Errors
/// Those of the store.
pub async fn load(tx: &mut Tx<'_>, place: Place, id: MessageId) -> Result<Option<Message>, StoreError> {
    const LOAD: &str = "SELECT m.id, m.author_id, u.username, u.bot, m.content, m.created_ms, m.edited_ms
        FROM messages m JOIN users u ON u.id = m.author_id WHERE m.channel_id = $1 AND m.id = $2";
    tx.query_opt(LOAD, &[place.channel_id.into(), id.into()], |row| message(row, place))
        .await
}

/// A page of history, newest first.
///
/// # Errors
/// Those of the store.
pub async fn history(tx: &mut Tx<'_>, place: Place, anchor: Anchor, limit: i64) -> Result<Vec<Message>, StoreError> {
    const OLDER: &str = "SELECT m.id, m.author_id, u.username, u.bot, m.content, m.created_ms, m.edited_ms
        FROM messages m JOIN users u ON u.id = m.author_id WHERE m.channel_id = $1 AND m.id < $2 ORDER BY m.id DESC LIMIT $3";
    const NEWER: &str = "SELECT m.id, m.author_id, u.username, u.bot, m.content, m.created_ms, m.edited_ms
        FROM messages m JOIN users u ON u.id = m.author_id WHERE m.channel_id = $1 AND m.id > $2 ORDER BY m.id LIMIT $3";
    let mut page = async |sql: &'static str, id: MessageId, limit: i64| {
        tx.query(sql, &[place.channel_id.into(), id.into(), limit.into()], |row| message(row, place))
            .await
    };
    match anchor {
        Anchor::Latest => page(OLDER, MessageId(i64::MAX), limit).await,
        Anchor::Before(id) => page(OLDER, id, limit).await,
        Anchor::After(id) => {
            let mut newer = page(NEWER, id, limit).await?;
            newer.reverse();
            Ok(newer)
        }
        Anchor::Around(id) => {
            // The message itself counts to the older half.
            let older = page(OLDER, MessageId(id.0.saturating_add(1)), limit - limit / 2).await?;
            let mut both = page(NEWER, id, limit / 2).await?;
            both.reverse();
            both.extend(older);
            Ok(both)
        }
    }
}
