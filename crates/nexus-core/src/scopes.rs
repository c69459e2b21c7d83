//! Where a caller stands: what the permission algebra needs to know of a guild or a channel, loaded in the transaction that decides.
//!
//! What the caller can't see does not exist for it (404); what it sees but may not do is refused (403).

use nexus_store::{Tx, sql};
use nexus_types::ErrorCode;
use nexus_types::channels::Channel;
use nexus_types::guilds::Guild;
use nexus_types::ids::{ChannelId, GuildId, RoleId, UserId};
use nexus_types::permissions::Permissions;
use nexus_types::scopes::{GuildScope, Viewer};

use crate::errors::{Error, Result};

/// A member's place in a guild.
pub(crate) struct Standing {
    pub guild: Guild,
    pub member_count: i64,
    pub scope: GuildScope,
    pub user: UserId,
    pub roles: Vec<RoleId>,
}

impl Standing {
    /// The member as the algebra sees it.
    pub(crate) fn viewer(&self) -> Viewer<'_> {
        Viewer {
            user: self.user,
            roles: &self.roles,
        }
    }

    /// What the member may do in the guild.
    pub(crate) fn permissions(&self) -> Permissions {
        self.scope.in_guild(self.viewer())
    }

    /// Refuses who may not do this in the guild.
    pub(crate) fn require(&self, wanted: Permissions) -> Result<()> {
        if self.permissions().contains(wanted) {
            Ok(())
        } else {
            Err(ErrorCode::MissingPermission.into())
        }
    }

    /// Refuses who does not own the guild.
    pub(crate) fn require_owner(&self) -> Result<()> {
        if self.guild.owner_id == self.user {
            Ok(())
        } else {
            Err(ErrorCode::MissingPermission.into())
        }
    }

    /// Refuses who may not do this in a channel of the guild.
    pub(crate) fn require_in(&self, channel: &Channel, wanted: Permissions) -> Result<()> {
        let granted = self.scope.under(self.viewer(), &channel.permission_overwrites);
        if granted.contains(wanted) {
            Ok(())
        } else {
            Err(ErrorCode::MissingPermission.into())
        }
    }
}

/// A member's place in a guild; the guild is unknown to everybody else.
pub(crate) async fn in_guild(tx: &mut Tx<'_>, user: UserId, id: GuildId) -> Result<Standing> {
    let roles = sql::members::roles(tx, id, user)
        .await?
        .ok_or(Error::refused(ErrorCode::UnknownGuild))?;
    let (guild, member_count) = sql::guilds::load(tx, id).await?.ok_or(Error::refused(ErrorCode::UnknownGuild))?;
    let scope = GuildScope::new(&guild, []);
    Ok(Standing {
        guild,
        member_count,
        scope,
        user,
        roles,
    })
}

/// A member's place in a channel that it may see; the channel is unknown to everybody else.
pub(crate) async fn in_channel(tx: &mut Tx<'_>, user: UserId, id: ChannelId) -> Result<(Standing, Channel)> {
    let unknown = || Error::refused(ErrorCode::UnknownChannel);
    let channel = sql::channels::load(tx, id).await?.ok_or_else(unknown)?;
    let standing = match in_guild(tx, user, channel.guild_id).await {
        Err(error) if error.code() == Some(ErrorCode::UnknownGuild) => return Err(unknown()),
        standing => standing?,
    };
    if !standing.scope.sees(standing.viewer(), &channel.permission_overwrites) {
        return Err(unknown());
    }
    Ok((standing, channel))
}
