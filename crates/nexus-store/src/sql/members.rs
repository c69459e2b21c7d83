//! Members of guilds.

use nexus_types::ids::{GuildId, RoleId, UserId};
use nexus_types::members::Member;
use nexus_types::timestamps::Timestamp;

use super::{from_json, users};
use crate::{Row, StoreError, Tx};

fn member(row: &Row<'_>) -> Result<Member, StoreError> {
    let user = users::user(row, 0)?;
    Ok(Member::new(Some(user), from_json(&row.get::<String>(4)?)?, row.get(3)?))
}

/// Adds a member; false if the user is one already. Counts it.
///
/// # Errors
/// Those of the store.
pub async fn insert(tx: &mut Tx<'_>, guild: GuildId, user: UserId, joined_at: Timestamp) -> Result<bool, StoreError> {
    const INSERT: &str =
        "INSERT INTO members (guild_id, user_id, joined_ms) VALUES ($1, $2, $3) ON CONFLICT (guild_id, user_id) DO NOTHING";
    const COUNT: &str = "UPDATE guilds SET member_count = member_count + 1 WHERE id = $1";
    let added = tx.execute(INSERT, &[guild.into(), user.into(), joined_at.into()]).await? == 1;
    if added {
        tx.execute(COUNT, &[guild.into()]).await?;
    }
    Ok(added)
}

/// Removes a member; false if the user was none. Uncounts it.
///
/// # Errors
/// Those of the store.
pub async fn delete(tx: &mut Tx<'_>, guild: GuildId, user: UserId) -> Result<bool, StoreError> {
    const DELETE: &str = "DELETE FROM members WHERE guild_id = $1 AND user_id = $2";
    const COUNT: &str = "UPDATE guilds SET member_count = member_count - 1 WHERE id = $1";
    let removed = tx.execute(DELETE, &[guild.into(), user.into()]).await? == 1;
    if removed {
        tx.execute(COUNT, &[guild.into()]).await?;
    }
    Ok(removed)
}

/// One member.
///
/// # Errors
/// Those of the store.
pub async fn load(tx: &mut Tx<'_>, guild: GuildId, user: UserId) -> Result<Option<Member>, StoreError> {
    const LOAD: &str = "SELECT u.id, u.username, u.bot, m.joined_ms, m.roles FROM members m JOIN users u ON u.id = m.user_id
        WHERE m.guild_id = $1 AND m.user_id = $2";
    tx.query_opt(LOAD, &[guild.into(), user.into()], member).await
}

/// Members by id, after one of them.
///
/// # Errors
/// Those of the store.
pub async fn page(tx: &mut Tx<'_>, guild: GuildId, after: UserId, limit: i64) -> Result<Vec<Member>, StoreError> {
    const PAGE: &str = "SELECT u.id, u.username, u.bot, m.joined_ms, m.roles FROM members m JOIN users u ON u.id = m.user_id
        WHERE m.guild_id = $1 AND m.user_id > $2 ORDER BY m.user_id LIMIT $3";
    tx.query(PAGE, &[guild.into(), after.into(), limit.into()], member).await
}

/// A member's roles without @everyone, if the user is one of a guild that was not deleted.
///
/// # Errors
/// Those of the store.
pub async fn roles(tx: &mut Tx<'_>, guild: GuildId, user: UserId) -> Result<Option<Vec<RoleId>>, StoreError> {
    const ROLES: &str = "SELECT m.roles FROM members m JOIN guilds g ON g.id = m.guild_id
        WHERE m.guild_id = $1 AND m.user_id = $2 AND g.deleted_ms IS NULL";
    tx.query_opt(ROLES, &[guild.into(), user.into()], |row| from_json(&row.get::<String>(0)?))
        .await
}

/// A user's place in every guild, also in those deleted a short while ago (`true`), for a session that may resume.
///
/// # Errors
/// Those of the store.
pub async fn of_user(tx: &mut Tx<'_>, user: UserId) -> Result<Vec<(GuildId, Vec<RoleId>, bool)>, StoreError> {
    const MINE: &str = "SELECT m.guild_id, m.roles, g.deleted_ms IS NOT NULL FROM members m JOIN guilds g ON g.id = m.guild_id
        WHERE m.user_id = $1 ORDER BY m.guild_id";
    tx.query(MINE, &[user.into()], |row| {
        Ok((row.get(0)?, from_json(&row.get::<String>(1)?)?, row.get(2)?))
    })
    .await
}

/// How many guilds a user is a member of.
///
/// # Errors
/// Those of the store.
pub async fn guild_count(tx: &mut Tx<'_>, user: UserId) -> Result<i64, StoreError> {
    const COUNT: &str = "SELECT COUNT(*) FROM members m JOIN guilds g ON g.id = m.guild_id WHERE m.user_id = $1 AND g.deleted_ms IS NULL";
    Ok(tx.query_opt(COUNT, &[user.into()], |row| row.get(0)).await?.unwrap_or(0))
}
