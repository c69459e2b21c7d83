//! Members: list, show, leave, remove. People join with an invite (`invites.rs`), bots are put in (`bots.rs`).

use nexus_store::{Tx, sql};
use nexus_types::ErrorCode;
use nexus_types::events::Event;
use nexus_types::ids::{GuildId, UserId};
use nexus_types::limits::{GUILDS_PER_USER_MAX, MEMBERS_IN_SNAPSHOT_MAX, MEMBERS_PAGE_MAX, MEMBERS_PER_GUILD_MAX};
use nexus_types::members::Member;
use nexus_types::permissions::Permissions;
use nexus_types::timestamps::Timestamp;

use crate::errors::{Error, Result};
use crate::{App, Caller, events, scopes};

/// The use cases of members.
pub struct Members<'a>(pub(crate) &'a App);

impl Members<'_> {
    /// Members by id, after one of them.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownGuild`], [`ErrorCode::InvalidLimit`].
    pub async fn list(&self, caller: Caller, guild: GuildId, limit: i64, after: UserId) -> Result<Vec<Member>> {
        if !(1..=MEMBERS_PAGE_MAX).contains(&limit) {
            return Err(ErrorCode::InvalidLimit.into());
        }
        self.0
            .db
            .read(async move |tx| {
                scopes::in_guild(tx, caller.user, guild).await?;
                Ok(sql::members::page(tx, guild, after, limit).await?)
            })
            .await
    }

    /// One member.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownGuild`], [`ErrorCode::UnknownMember`].
    pub async fn show(&self, caller: Caller, guild: GuildId, user: UserId) -> Result<Member> {
        self.0
            .db
            .read(async move |tx| {
                scopes::in_guild(tx, caller.user, guild).await?;
                sql::members::load(tx, guild, user)
                    .await?
                    .ok_or_else(|| ErrorCode::UnknownMember.into())
            })
            .await
    }

    /// Leaves a guild.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownGuild`], [`ErrorCode::OwnerRequired`] for its owner.
    pub async fn leave(&self, caller: Caller, guild: GuildId) -> Result<()> {
        let clock = self.0.clock.clone();
        self.0
            .db
            .write(async move |tx| {
                let standing = scopes::in_guild(tx, caller.user, guild).await?;
                if standing.guild.owner_id == caller.user {
                    return Err(ErrorCode::OwnerRequired.into());
                }
                remove(tx, guild, caller.user, standing.member_count, clock.now_ms()).await
            })
            .await
    }

    /// Removes a member (KICK_MEMBERS, and a place above the member's).
    ///
    /// # Errors
    /// [`ErrorCode::UnknownGuild`], [`ErrorCode::UnknownMember`], [`ErrorCode::MissingPermission`], [`ErrorCode::RoleHierarchy`].
    pub async fn remove(&self, caller: Caller, guild: GuildId, user: UserId) -> Result<()> {
        let clock = self.0.clock.clone();
        self.0
            .db
            .write(async move |tx| {
                let standing = scopes::in_guild(tx, caller.user, guild).await?;
                standing.require(Permissions::KICK_MEMBERS)?;
                let theirs = sql::members::roles(tx, guild, user)
                    .await?
                    .ok_or(Error::refused(ErrorCode::UnknownMember))?;
                if !standing.guild.outranks(caller.user, &standing.roles, user, &theirs) {
                    return Err(ErrorCode::RoleHierarchy.into());
                }
                remove(tx, guild, user, standing.member_count, clock.now_ms()).await
            })
            .await
    }
}

/// Inside a job: makes a user who is none a member of a guild that has so many.
///
/// # Errors
/// [`ErrorCode::TooManyGuilds`], [`ErrorCode::GuildFull`].
pub(crate) async fn add(tx: &mut Tx<'_>, guild: GuildId, member_count: i64, user: UserId, now: Timestamp) -> Result<()> {
    if member_count >= MEMBERS_PER_GUILD_MAX {
        return Err(ErrorCode::GuildFull.into());
    }
    if sql::members::guild_count(tx, user).await? >= GUILDS_PER_USER_MAX {
        return Err(ErrorCode::TooManyGuilds.into());
    }
    sql::members::insert(tx, guild, user, now).await?;
    let gone = || Error::internal("join a guild", "the guild or member is not there after the insert");
    let member = sql::members::load(tx, guild, user).await?.ok_or_else(gone)?;
    let snapshot = sql::guilds::snapshot(tx, guild, user, MEMBERS_IN_SNAPSHOT_MAX)
        .await?
        .ok_or_else(gone)?;
    let event = Event::GuildMemberAdd {
        member: Box::new(member),
        snapshot: Box::new(snapshot),
    };
    events::append(tx, now.0, &event).await?;
    Ok(())
}

async fn remove(tx: &mut Tx<'_>, guild_id: GuildId, user: UserId, member_count: i64, now_ms: i64) -> Result<()> {
    let member = sql::members::load(tx, guild_id, user)
        .await?
        .ok_or(Error::refused(ErrorCode::UnknownMember))?;
    sql::members::delete(tx, guild_id, user).await?;
    let user = member
        .user
        .ok_or_else(|| Error::internal("remove a member", "the row has no user"))?;
    events::append(
        tx,
        now_ms,
        &Event::GuildMemberRemove {
            guild_id,
            user,
            member_count: member_count - 1,
        },
    )
    .await?;
    Ok(())
}
