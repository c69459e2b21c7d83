//! Communities: make, show, change, hand over, delete.

use nexus_store::sql;
use nexus_types::channels::Channel;
use nexus_types::events::Event;
use nexus_types::guilds::{Constants, CreateGuild, CreatedGuild, Guild, GuildSummary, UpdateGuild, parse_name};
use nexus_types::ids::{ChannelId, GuildId};
use nexus_types::limits::{GUILDS_PER_USER_MAX, MEMBERS_IN_SNAPSHOT_MAX};
use nexus_types::permissions::Permissions;
use nexus_types::roles::Role;
use nexus_types::scopes::{GuildScope, Viewer};
use nexus_types::{ErrorCode, FieldErrors};

use crate::errors::{Error, Result};
use crate::{App, Caller, events, scopes};

/// The use cases of guilds.
pub struct Guilds<'a>(pub(crate) &'a App);

/// The name of the channel that a new guild has.
const FIRST_CHANNEL: &str = "general";

impl Guilds<'_> {
    /// Makes a guild with an @everyone role, one text channel and the caller as owner and member.
    ///
    /// # Errors
    /// A bad name, [`ErrorCode::TooManyGuilds`], [`ErrorCode::BotsNotAllowed`].
    pub async fn create(&self, caller: Caller, draft: CreateGuild) -> Result<CreatedGuild> {
        caller.require_login()?;
        let name = parse_name(&draft.name)?;
        let clock = self.0.clock.clone();
        self.0
            .db
            .write(async move |tx| {
                if sql::members::guild_count(tx, caller.user).await? >= GUILDS_PER_USER_MAX {
                    return Err(ErrorCode::TooManyGuilds.into());
                }
                let now = clock.now();
                let id = GuildId(clock.next_id());
                let everyone = Role::new(id.everyone(), "@everyone".into(), 0, Permissions::EVERYONE_DEFAULT);
                let guild = Guild {
                    id,
                    name,
                    owner_id: caller.user,
                    roles: vec![everyone],
                    constants: Constants::default(),
                };
                sql::guilds::insert(tx, &guild).await?;
                sql::members::insert(tx, id, caller.user, now).await?;
                let channel = Channel::text(ChannelId(clock.next_id()), id, FIRST_CHANNEL.into(), 0);
                sql::channels::insert(tx, &channel).await?;
                let snapshot = sql::guilds::snapshot(tx, id, caller.user, MEMBERS_IN_SNAPSHOT_MAX).await?;
                let snapshot = snapshot.ok_or_else(|| Error::internal("make a guild", "it is not there after its insert"))?;
                events::append(tx, now.0, &Event::GuildCreate(Box::new(snapshot))).await?;
                Ok(CreatedGuild {
                    guild,
                    channels: vec![channel],
                })
            })
            .await
    }

    /// The caller's guilds, oldest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(&self, caller: Caller) -> Result<Vec<GuildSummary>> {
        self.0
            .db
            .read(async move |tx| {
                let mut list = Vec::new();
                for (mut summary, roles) in sql::guilds::summaries(tx, caller.user).await? {
                    let Some((guild, _)) = sql::guilds::load(tx, summary.id).await? else {
                        continue;
                    };
                    summary.permissions = GuildScope::new(&guild, []).in_guild(Viewer {
                        user: caller.user,
                        roles: &roles,
                    });
                    list.push(summary);
                }
                Ok(list)
            })
            .await
    }

    /// A guild the caller is a member of.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownGuild`].
    pub async fn show(&self, caller: Caller, id: GuildId) -> Result<Guild> {
        self.0
            .db
            .read(async move |tx| Ok(scopes::in_guild(tx, caller.user, id).await?.guild))
            .await
    }

    /// Renames a guild (MANAGE_GUILD) or hands it to another member (its owner).
    ///
    /// # Errors
    /// [`ErrorCode::UnknownGuild`], [`ErrorCode::MissingPermission`], [`ErrorCode::UnknownMember`] for a new owner who is none,
    /// a field error for one who is a bot.
    pub async fn update(&self, caller: Caller, id: GuildId, draft: UpdateGuild) -> Result<Guild> {
        let name = draft.name.as_deref().map(parse_name).transpose()?;
        let clock = self.0.clock.clone();
        self.0
            .db
            .write(async move |tx| {
                let standing = scopes::in_guild(tx, caller.user, id).await?;
                let before = standing.guild.clone();
                let mut guild = standing.guild.clone();
                if let Some(name) = name {
                    standing.require(Permissions::MANAGE_GUILD)?;
                    guild.name = name;
                }
                if let Some(owner) = draft.owner_id {
                    standing.require_owner()?;
                    if sql::members::roles(tx, id, owner).await?.is_none() {
                        return Err(ErrorCode::UnknownMember.into());
                    }
                    if sql::bots::exists(tx, owner).await? {
                        return Err(FieldErrors::one("owner_id", "OWNER_IS_BOT", "A bot can't own a community.").into());
                    }
                    guild.owner_id = owner;
                }
                if guild == before {
                    return Ok(guild);
                }
                if guild.name != before.name {
                    sql::guilds::rename(tx, id, &guild.name).await?;
                }
                let event = if guild.owner_id == before.owner_id {
                    Event::GuildUpdate(Box::new(guild.clone()))
                } else {
                    sql::guilds::set_owner(tx, id, guild.owner_id).await?;
                    let snapshot = sql::guilds::snapshot(tx, id, guild.owner_id, MEMBERS_IN_SNAPSHOT_MAX).await?;
                    let mut snapshot = snapshot.ok_or_else(|| Error::internal("hand a guild over", "it is not there"))?;
                    if snapshot.member_count > MEMBERS_IN_SNAPSHOT_MAX {
                        // Both owners get their own place in it; a small guild's snapshot has everybody's.
                        snapshot.members.extend(sql::members::load(tx, id, before.owner_id).await?);
                    }
                    Event::GuildOwnerUpdate {
                        before: before.owner_id,
                        snapshot: Box::new(snapshot),
                    }
                };
                events::append(tx, clock.now_ms(), &event).await?;
                Ok(guild)
            })
            .await
    }

    /// Deletes a guild. It is gone at once; its rows are swept away later.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownGuild`], [`ErrorCode::MissingPermission`] for anybody but the owner.
    pub async fn delete(&self, caller: Caller, id: GuildId) -> Result<()> {
        let clock = self.0.clock.clone();
        self.0
            .db
            .write(async move |tx| {
                scopes::in_guild(tx, caller.user, id).await?.require_owner()?;
                let now_ms = clock.now_ms();
                sql::guilds::mark_deleted(tx, id, now_ms).await?;
                events::append(tx, now_ms, &Event::GuildDelete { id }).await?;
                Ok(())
            })
            .await
    }
}
