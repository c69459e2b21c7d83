//! Guilds and their roles.

use nexus_types::guilds::{Constants, Guild, GuildSummary, Snapshot};
use nexus_types::ids::{GuildId, RoleId, UserId};
use nexus_types::permissions::Permissions;
use nexus_types::roles::Role;
use nexus_types::scopes::GuildScope;

use crate::{Row, StoreError, Tx};

/// Adds a guild with its @everyone role and no member.
///
/// # Errors
/// Those of the store.
pub async fn insert(tx: &mut Tx<'_>, guild: &Guild) -> Result<(), StoreError> {
    const GUILD: &str = "INSERT INTO guilds (id, name, owner_id, member_count) VALUES ($1, $2, $3, 0)";
    const ROLE: &str = "INSERT INTO roles (id, guild_id, name, position, permissions) VALUES ($1, $2, $3, $4, $5)";
    tx.execute(GUILD, &[guild.id.into(), (&guild.name).into(), guild.owner_id.into()])
        .await?;
    for role in &guild.roles {
        let bits = role.permissions.0 as i64;
        tx.execute(
            ROLE,
            &[
                role.id.into(),
                guild.id.into(),
                (&role.name).into(),
                role.position.into(),
                bits.into(),
            ],
        )
        .await?;
    }
    Ok(())
}

/// A guild that was not deleted, with its roles, and how many members it has.
///
/// # Errors
/// Those of the store.
pub async fn load(tx: &mut Tx<'_>, id: GuildId) -> Result<Option<(Guild, i64)>, StoreError> {
    const GUILD: &str = "SELECT name, owner_id, member_count FROM guilds WHERE id = $1 AND deleted_ms IS NULL";
    let found = tx
        .query_opt(GUILD, &[id.into()], |row| {
            Ok((row.get::<String>(0)?, row.get::<UserId>(1)?, row.get::<i64>(2)?))
        })
        .await?;
    let Some((name, owner_id, member_count)) = found else {
        return Ok(None);
    };
    let roles = roles(tx, id).await?;
    Ok(Some((
        Guild {
            id,
            name,
            owner_id,
            roles,
            constants: Constants::default(),
        },
        member_count,
    )))
}

/// The roles of a guild, lowest first.
///
/// # Errors
/// Those of the store.
pub async fn roles(tx: &mut Tx<'_>, guild: GuildId) -> Result<Vec<Role>, StoreError> {
    const ROLES: &str = "SELECT id, name, position, permissions FROM roles WHERE guild_id = $1 ORDER BY position, id";
    tx.query(ROLES, &[guild.into()], |row| {
        Ok(Role::new(
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            Permissions(row.get::<i64>(3)? as u64),
        ))
    })
    .await
}

/// The bits of a guild's roles alone.
///
/// # Errors
/// Those of the store.
pub async fn role_bits(tx: &mut Tx<'_>, guild: GuildId) -> Result<Vec<(RoleId, Permissions)>, StoreError> {
    const BITS: &str = "SELECT id, permissions FROM roles WHERE guild_id = $1";
    tx.query(BITS, &[guild.into()], |row| {
        Ok((row.get(0)?, Permissions(row.get::<i64>(1)? as u64)))
    })
    .await
}

/// What decides who may see and do what in a guild that was not deleted.
///
/// # Errors
/// Those of the store.
pub async fn scope(tx: &mut Tx<'_>, id: GuildId) -> Result<Option<GuildScope>, StoreError> {
    const OWNER: &str = "SELECT owner_id FROM guilds WHERE id = $1 AND deleted_ms IS NULL";
    let Some(owner) = tx.query_opt(OWNER, &[id.into()], |row| row.get::<UserId>(0)).await? else {
        return Ok(None);
    };
    let roles = role_bits(tx, id).await?.into_iter().collect();
    let channels = super::channels::overwrites(tx, id).await?.into_iter().collect();
    Ok(Some(GuildScope {
        id,
        owner,
        roles,
        channels,
    }))
}

/// Renames a guild.
///
/// # Errors
/// Those of the store.
pub async fn rename(tx: &mut Tx<'_>, id: GuildId, name: &str) -> Result<(), StoreError> {
    tx.execute("UPDATE guilds SET name = $2 WHERE id = $1", &[id.into(), name.into()])
        .await
        .map(drop)
}

/// Hands a guild over.
///
/// # Errors
/// Those of the store.
pub async fn set_owner(tx: &mut Tx<'_>, id: GuildId, owner: UserId) -> Result<(), StoreError> {
    tx.execute("UPDATE guilds SET owner_id = $2 WHERE id = $1", &[id.into(), owner.into()])
        .await
        .map(drop)
}

/// Marks a guild deleted; its rows go later, see [`sweep`].
///
/// # Errors
/// Those of the store.
pub async fn mark_deleted(tx: &mut Tx<'_>, id: GuildId, now_ms: i64) -> Result<bool, StoreError> {
    const MARK: &str = "UPDATE guilds SET deleted_ms = $2 WHERE id = $1 AND deleted_ms IS NULL";
    Ok(tx.execute(MARK, &[id.into(), now_ms.into()]).await? == 1)
}

/// Removes up to `rows_max` rows of guilds deleted before a moment, the guild itself last. Says how many; 0 means there is nothing left.
///
/// # Errors
/// Those of the store.
pub async fn sweep(tx: &mut Tx<'_>, before_ms: i64, rows_max: i64) -> Result<u64, StoreError> {
    const NEXT: &str = "SELECT id FROM guilds WHERE deleted_ms IS NOT NULL AND deleted_ms < $1 ORDER BY deleted_ms LIMIT 1";
    const CHANNELS: &str = "UPDATE channels SET deleted_ms = $2 WHERE id IN
        (SELECT id FROM channels WHERE guild_id = $1 AND deleted_ms IS NULL LIMIT $3)";
    const MEMBERS: &str = "DELETE FROM members WHERE guild_id = $1 AND user_id IN 
        (SELECT user_id FROM members WHERE guild_id = $1 ORDER BY user_id LIMIT $2)";
    const BOT_JOINS: &str = "DELETE FROM bot_joins WHERE guild_id = $1 AND user_id IN
        (SELECT user_id FROM bot_joins WHERE guild_id = $1 ORDER BY user_id LIMIT $2)";
    const ROLES: &str = "DELETE FROM roles WHERE id IN (SELECT id FROM roles WHERE guild_id = $1 LIMIT $2)";
    // Codes are never given out again, so invites stay as revoked rows that lead nowhere.
    const INVITES: &str =
        "UPDATE invites SET revoked = 1 WHERE code IN (SELECT code FROM invites WHERE guild_id = $1 AND revoked = 0 LIMIT $2)";
    // A session of such a member may still be away and believe in the guild. Once the member's row is gone, nothing else would tell
    // it on its return, so it must not resume.
    const LOST: &str = "INSERT INTO log_trim (key, position)
        SELECT user_id, $2 FROM members WHERE guild_id = $1 ORDER BY user_id LIMIT $3
        ON CONFLICT (key) DO UPDATE SET position = excluded.position WHERE log_trim.position < excluded.position";
    let Some(id) = tx.query_opt(NEXT, &[before_ms.into()], |row| row.get::<GuildId>(0)).await? else {
        return Ok(0);
    };
    let head = crate::log::head(tx).await?;
    tx.execute(LOST, &[id.into(), head.into(), rows_max.into()]).await?;
    let mut gone = tx.execute(CHANNELS, &[id.into(), (before_ms - 1).into(), rows_max.into()]).await?;
    for sql in [MEMBERS, BOT_JOINS, ROLES, INVITES] {
        if gone == 0 {
            gone = tx.execute(sql, &[id.into(), rows_max.into()]).await?;
        }
    }
    if gone == 0 {
        gone = tx.execute("DELETE FROM guilds WHERE id = $1", &[id.into()]).await?;
    }
    Ok(gone)
}

/// The guilds of a user, oldest first: a summary without permissions, and the member's roles.
///
/// # Errors
/// Those of the store.
pub async fn summaries(tx: &mut Tx<'_>, user: UserId) -> Result<Vec<(GuildSummary, Vec<RoleId>)>, StoreError> {
    const MINE: &str = "SELECT g.id, g.name, g.owner_id, m.roles FROM members m JOIN guilds g ON g.id = m.guild_id
        WHERE m.user_id = $1 AND g.deleted_ms IS NULL ORDER BY g.id";
    tx.query(MINE, &[user.into()], |row: &Row<'_>| {
        let owner = row.get::<UserId>(2)? == user;
        let summary = GuildSummary {
            id: row.get(0)?,
            name: row.get(1)?,
            icon: None,
            owner,
            permissions: Permissions::NONE,
        };
        Ok((summary, super::from_json(&row.get::<String>(3)?)?))
    })
    .await
}

/// A guild with every channel, and its members if there are at most `members_max`, else only the viewer.
///
/// # Errors
/// Those of the store.
pub async fn snapshot(tx: &mut Tx<'_>, id: GuildId, viewer: UserId, members_max: i64) -> Result<Option<Snapshot>, StoreError> {
    let Some((guild, member_count)) = load(tx, id).await? else {
        return Ok(None);
    };
    let channels = super::channels::of_guild(tx, id).await?;
    let members = if member_count > members_max {
        super::members::load(tx, id, viewer).await?.into_iter().collect()
    } else {
        super::members::page(tx, id, UserId(0), members_max).await?
    };
    Ok(Some(Snapshot {
        guild,
        channels,
        members,
        member_count,
    }))
}
