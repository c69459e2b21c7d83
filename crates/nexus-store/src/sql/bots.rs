//! Bots: what the account of a program has instead of a password, and the guilds that it was ever put into.

use nexus_types::ids::{GuildId, UserId};
use nexus_types::timestamps::Timestamp;

use crate::{StoreError, Tx};

/// Makes an account a bot without a token; false if there are as many bots as there may be.
///
/// # Errors
/// Those of the store.
pub async fn insert(tx: &mut Tx<'_>, user: UserId, created_at: Timestamp, most: i64) -> Result<bool, StoreError> {
    const INSERT: &str = "INSERT INTO bots (user_id, created_ms) SELECT $1, $2 WHERE (SELECT COUNT(*) FROM bots) < $3";
    Ok(tx.execute(INSERT, &[user.into(), created_at.into(), most.into()]).await? == 1)
}

/// Is this account a bot?
///
/// # Errors
/// Those of the store.
pub async fn exists(tx: &mut Tx<'_>, user: UserId) -> Result<bool, StoreError> {
    const FIND: &str = "SELECT user_id FROM bots WHERE user_id = $1";
    Ok(tx.query_opt(FIND, &[user.into()], |row| row.get::<UserId>(0)).await?.is_some())
}

/// The hash of a bot's token; `None` if it is no bot or has no token.
///
/// # Errors
/// Those of the store.
pub async fn token_hash(tx: &mut Tx<'_>, user: UserId) -> Result<Option<Vec<u8>>, StoreError> {
    const FIND: &str = "SELECT token_hash FROM bots WHERE user_id = $1";
    let found = tx.query_opt(FIND, &[user.into()], |row| row.get::<Option<Vec<u8>>>(0)).await?;
    Ok(found.flatten())
}

/// Gives a bot a token, in place of the one that it may have had.
///
/// # Errors
/// Those of the store.
pub async fn set_token_hash(tx: &mut Tx<'_>, user: UserId, hash: &[u8; 32]) -> Result<(), StoreError> {
    const SET: &str = "UPDATE bots SET token_hash = $2 WHERE user_id = $1";
    tx.execute(SET, &[user.into(), hash.into()]).await.map(drop)
}

/// Remembers that a bot was put into a guild.
///
/// # Errors
/// Those of the store.
pub async fn note_join(tx: &mut Tx<'_>, guild: GuildId, user: UserId) -> Result<(), StoreError> {
    const NOTE: &str = "INSERT INTO bot_joins (guild_id, user_id) VALUES ($1, $2) ON CONFLICT (guild_id, user_id) DO NOTHING";
    tx.execute(NOTE, &[guild.into(), user.into()]).await.map(drop)
}

/// Was a bot ever put into a guild?
///
/// # Errors
/// Those of the store.
pub async fn has_joined(tx: &mut Tx<'_>, guild: GuildId, user: UserId) -> Result<bool, StoreError> {
    const FIND: &str = "SELECT user_id FROM bot_joins WHERE guild_id = $1 AND user_id = $2";
    let found = tx.query_opt(FIND, &[guild.into(), user.into()], |row| row.get::<UserId>(0)).await?;
    Ok(found.is_some())
}
