//! Invites.

use nexus_types::channels::KIND_TEXT;
use nexus_types::ids::{ChannelId, GuildId, UserId};
use nexus_types::invites::{Invite, InviteChannel, InviteGuild};
use nexus_types::timestamps::Timestamp;

use super::users;
use crate::{Row, StoreError, Tx};

/// An invite with what decides whether it is good.
#[derive(Debug)]
pub struct Found {
    /// The invite.
    pub invite: Invite,
    /// Was it taken back, or its guild or channel deleted?
    pub revoked: bool,
    /// Members of its guild.
    pub member_count: i64,
}

impl Found {
    /// May somebody join with it at this moment?
    pub fn is_good(&self, now: Timestamp) -> bool {
        !self.revoked
            && self.invite.expires_at.is_none_or(|end| now < end)
            && (self.invite.max_uses == 0 || self.invite.uses < self.invite.max_uses)
    }
}

/// The text of a statement over invites and what they lead to, in the order that [`found`] reads.
macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT i.code, g.id, g.name, c.id, c.name, u.id, u.username, u.bot, i.uses, i.max_uses, i.created_ms, i.expires_ms,
            i.revoked = 1 OR g.deleted_ms IS NOT NULL OR c.deleted_ms IS NOT NULL, g.member_count
            FROM invites i JOIN guilds g ON g.id = i.guild_id JOIN channels c ON c.id = i.channel_id JOIN users u ON u.id = i.inviter_id ",
            $tail
        )
    };
}

fn found(row: &Row<'_>) -> Result<Found, StoreError> {
    let (created, expires): (Timestamp, Timestamp) = (row.get(10)?, row.get(11)?);
    let ends = expires.0 != 0;
    Ok(Found {
        invite: Invite {
            code: row.get(0)?,
            kind: 0,
            guild: InviteGuild {
                id: row.get(1)?,
                name: row.get(2)?,
                icon: None,
            },
            channel: InviteChannel {
                id: row.get(3)?,
                name: row.get(4)?,
                kind: KIND_TEXT,
            },
            inviter: users::user(row, 5)?,
            approximate_member_count: None,
            uses: row.get(8)?,
            max_uses: row.get(9)?,
            max_age: if ends { (expires.0 - created.0) / 1_000 } else { 0 },
            temporary: false,
            created_at: created,
            expires_at: ends.then_some(expires),
        },
        revoked: row.get(12)?,
        member_count: row.get(13)?,
    })
}

/// A new invite's row.
#[derive(Debug, Clone, Copy)]
pub struct NewInvite<'a> {
    /// The code.
    pub code: &'a str,
    /// Where it leads.
    pub guild: GuildId,
    /// Where it leads.
    pub channel: ChannelId,
    /// Who made it.
    pub inviter: UserId,
    /// 0 for no limit.
    pub max_uses: i64,
    /// When.
    pub created_at: Timestamp,
    /// 0 for never.
    pub expires_ms: i64,
}

/// Adds an invite.
///
/// # Errors
/// Those of the store.
pub async fn insert(tx: &mut Tx<'_>, invite: NewInvite<'_>) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO invites (code, guild_id, channel_id, inviter_id, max_uses, created_ms, expires_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let args = [
        invite.code.into(),
        invite.guild.into(),
        invite.channel.into(),
        invite.inviter.into(),
        invite.max_uses.into(),
        invite.created_at.into(),
        invite.expires_ms.into(),
    ];
    tx.execute(INSERT, &args).await.map(drop)
}

/// An invite, good or not.
///
/// # Errors
/// Those of the store.
pub async fn load(tx: &mut Tx<'_>, code: &str) -> Result<Option<Found>, StoreError> {
    tx.query_opt(select!("WHERE i.code = $1"), &[code.into()], found).await
}

/// The invites of a guild that nobody took back, newest first.
///
/// # Errors
/// Those of the store.
pub async fn of_guild(tx: &mut Tx<'_>, guild: GuildId) -> Result<Vec<Found>, StoreError> {
    tx.query(
        select!("WHERE i.guild_id = $1 AND i.revoked = 0 ORDER BY i.created_ms DESC, i.code"),
        &[guild.into()],
        found,
    )
    .await
}

/// Counts a use.
///
/// # Errors
/// Those of the store.
pub async fn count_use(tx: &mut Tx<'_>, code: &str) -> Result<(), StoreError> {
    tx.execute("UPDATE invites SET uses = uses + 1 WHERE code = $1", &[code.into()])
        .await
        .map(drop)
}

/// Takes an invite back; false if it was already.
///
/// # Errors
/// Those of the store.
pub async fn revoke(tx: &mut Tx<'_>, code: &str) -> Result<bool, StoreError> {
    Ok(tx
        .execute("UPDATE invites SET revoked = 1 WHERE code = $1 AND revoked = 0", &[code.into()])
        .await?
        == 1)
}

/// How many invites of a guild are live.
///
/// # Errors
/// Those of the store.
pub async fn count_live(tx: &mut Tx<'_>, guild: GuildId, now: Timestamp) -> Result<i64, StoreError> {
    const COUNT: &str = "SELECT COUNT(*) FROM invites WHERE guild_id = $1 AND revoked = 0
        AND (expires_ms = 0 OR expires_ms > $2) AND (max_uses = 0 OR uses < max_uses)";
    Ok(tx
        .query_opt(COUNT, &[guild.into(), now.into()], |row| row.get(0))
        .await?
        .unwrap_or(0))
}
