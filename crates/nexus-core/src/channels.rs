//! Channels: list, make, show, change, delete.

use nexus_store::{Tx, sql};
use nexus_types::channels::{Channel, CreateChannel, KIND_TEXT, UpdateChannel, parse_name, parse_overwrites, parse_topic};
use nexus_types::events::Event;
use nexus_types::ids::{ChannelId, GuildId, UserId};
use nexus_types::limits::CHANNELS_PER_GUILD_MAX;
use nexus_types::permissions::{Overwrite, OverwriteKind, Permissions};
use nexus_types::{ErrorCode, FieldErrors};

use crate::errors::Result;
use crate::scopes::Standing;
use crate::{App, Caller, events, scopes};

/// The use cases of channels.
pub struct Channels<'a>(pub(crate) &'a App);

impl Channels<'_> {
    /// The channels of a guild that the caller may see, in the order of their list.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownGuild`].
    pub async fn list(&self, caller: Caller, guild: GuildId) -> Result<Vec<Channel>> {
        self.0
            .db
            .read(async move |tx| {
                let standing = scopes::in_guild(tx, caller.user, guild).await?;
                let mut channels = sql::channels::of_guild(tx, guild).await?;
                channels.retain(|channel| standing.scope.sees(standing.viewer(), &channel.permission_overwrites));
                Ok(channels)
            })
            .await
    }

    /// Makes a text channel at the end of the list (MANAGE_CHANNELS; with exceptions MANAGE_ROLES too).
    ///
    /// # Errors
    /// Bad fields, [`ErrorCode::UnknownGuild`], [`ErrorCode::MissingPermission`], [`ErrorCode::RoleHierarchy`],
    /// [`ErrorCode::TooManyChannels`].
    pub async fn create(&self, caller: Caller, guild: GuildId, draft: CreateChannel) -> Result<Channel> {
        let name = parse_name(&draft.name)?;
        let topic = draft.topic.as_deref().map(parse_topic).transpose()?.flatten();
        let overwrites = parse_overwrites(draft.permission_overwrites.unwrap_or_default())?;
        if draft.kind.is_some_and(|kind| kind != KIND_TEXT) {
            return Err(FieldErrors::one("type", "BASE_TYPE_CHOICES", "Only text channels (0) for now.").into());
        }
        let clock = self.0.clock.clone();
        self.0
            .db
            .write(async move |tx| {
                let standing = scopes::in_guild(tx, caller.user, guild).await?;
                standing.require(Permissions::MANAGE_CHANNELS)?;
                check_overwrites(tx, &standing, standing.permissions(), &[], &overwrites).await?;
                let (count, position) = sql::channels::count(tx, guild).await?;
                if count >= CHANNELS_PER_GUILD_MAX {
                    return Err(ErrorCode::TooManyChannels.into());
                }
                let mut channel = Channel::text(ChannelId(clock.next_id()), guild, name, position);
                channel.topic = topic;
                channel.permission_overwrites = overwrites;
                sql::channels::insert(tx, &channel).await?;
                events::append(tx, clock.now_ms(), &Event::ChannelCreate(Box::new(channel.clone()))).await?;
                Ok(channel)
            })
            .await
    }

    /// A channel the caller may see.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`].
    pub async fn show(&self, caller: Caller, id: ChannelId) -> Result<Channel> {
        self.0
            .db
            .read(async move |tx| Ok(scopes::in_channel(tx, caller.user, id).await?.1))
            .await
    }

    /// Changes a channel (MANAGE_CHANNELS in it; its exceptions MANAGE_ROLES in it).
    ///
    /// # Errors
    /// Bad fields, [`ErrorCode::UnknownChannel`], [`ErrorCode::MissingPermission`], [`ErrorCode::RoleHierarchy`].
    pub async fn update(&self, caller: Caller, id: ChannelId, draft: UpdateChannel) -> Result<Channel> {
        let name = draft.name.as_deref().map(parse_name).transpose()?;
        let topic = draft
            .topic
            .map(|topic| topic.as_deref().map_or(Ok(None), parse_topic))
            .transpose()?;
        let overwrites = draft.permission_overwrites.map(parse_overwrites).transpose()?;
        if draft
            .position
            .is_some_and(|position| !(0..CHANNELS_PER_GUILD_MAX * 2).contains(&position))
        {
            return Err(FieldErrors::one("position", "NUMBER_TYPE_MAX", "A place in the list is a small number from 0.").into());
        }
        let clock = self.0.clock.clone();
        self.0
            .db
            .write(async move |tx| {
                let (standing, before) = scopes::in_channel(tx, caller.user, id).await?;
                standing.require_in(&before, Permissions::MANAGE_CHANNELS)?;
                let mut channel = before.clone();
                if let Some(name) = name {
                    channel.name = name;
                }
                if let Some(topic) = topic {
                    channel.topic = topic;
                }
                if let Some(position) = draft.position {
                    channel.position = position;
                }
                if let Some(overwrites) = overwrites {
                    let granted = standing.scope.under(standing.viewer(), &before.permission_overwrites);
                    check_overwrites(tx, &standing, granted, &before.permission_overwrites, &overwrites).await?;
                    channel.permission_overwrites = overwrites;
                }
                if channel == before {
                    return Ok(channel);
                }
                sql::channels::update(tx, &channel).await?;
                let event = if channel.permission_overwrites == before.permission_overwrites {
                    Event::ChannelUpdate(Box::new(channel.clone()))
                } else {
                    Event::ChannelOverwriteUpdate {
                        channel: Box::new(channel.clone()),
                        before: Box::new(before),
                    }
                };
                events::append(tx, clock.now_ms(), &event).await?;
                Ok(channel)
            })
            .await
    }

    /// Deletes a channel (MANAGE_CHANNELS in it). It is gone at once; its messages are swept away later.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownChannel`], [`ErrorCode::MissingPermission`].
    pub async fn delete(&self, caller: Caller, id: ChannelId) -> Result<Channel> {
        let clock = self.0.clock.clone();
        self.0
            .db
            .write(async move |tx| {
                let (standing, channel) = scopes::in_channel(tx, caller.user, id).await?;
                standing.require_in(&channel, Permissions::MANAGE_CHANNELS)?;
                let now_ms = clock.now_ms();
                sql::channels::mark_deleted(tx, id, now_ms).await?;
                events::append(tx, now_ms, &Event::ChannelDelete(Box::new(channel.clone()))).await?;
                Ok(channel)
            })
            .await
    }
}

/// Refuses exceptions that are not the caller's to make: without MANAGE_ROLES, with a bit that the caller does not have itself, for
/// a role of another guild, or for a user who is no member.
async fn check_overwrites(
    tx: &mut Tx<'_>,
    standing: &Standing,
    granted: Permissions,
    before: &[Overwrite],
    after: &[Overwrite],
) -> Result<()> {
    let changed = |overwrite: &&Overwrite| !before.contains(*overwrite);
    let dropped = before.iter().filter(|old| !after.iter().any(|new| new.id == old.id));
    let touched: Vec<_> = after.iter().filter(changed).collect();
    if touched.is_empty() && dropped.clone().next().is_none() {
        return Ok(());
    }
    if !granted.contains(Permissions::MANAGE_ROLES) {
        return Err(ErrorCode::MissingPermission.into());
    }
    for (index, overwrite) in after.iter().enumerate().filter(|(_, overwrite)| changed(overwrite)) {
        let exists = match overwrite.kind {
            OverwriteKind::Role => standing.scope.roles.contains_key(&overwrite.id),
            OverwriteKind::Member => sql::members::roles(tx, standing.guild.id, UserId(overwrite.id.0)).await?.is_some(),
        };
        if !exists {
            let field = format!("permission_overwrites.{index}.id");
            return Err(FieldErrors::one(&field, "UNKNOWN", "There is no such role or member in this guild.").into());
        }
    }
    let kept = |id| after.iter().find(|overwrite: &&Overwrite| overwrite.id == id);
    for id in touched.into_iter().chain(dropped).map(|overwrite| overwrite.id) {
        let bits = |overwrite: Option<&Overwrite>| overwrite.map_or((0, 0), |overwrite| (overwrite.allow.0, overwrite.deny.0));
        let (old, new) = (bits(before.iter().find(|old| old.id == id)), bits(kept(id)));
        if !granted.contains(Permissions((old.0 ^ new.0) | (old.1 ^ new.1)) & Permissions::ALL) {
            return Err(ErrorCode::RoleHierarchy.into());
        }
    }
    Ok(())
}
