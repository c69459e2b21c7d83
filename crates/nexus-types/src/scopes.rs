//! What decides who may see and do what in a guild: its owner, its roles' bits and its channels' exceptions.
//!
//! Use cases load a scope from the store; the gateway keeps one for each guild it serves and advances it by the same log, in
//! order, so that an event at position p is judged by the scope at p.

use std::collections::HashMap;

use crate::channels::Channel;
use crate::events::Event;
use crate::guilds::{Guild, Snapshot};
use crate::ids::{ChannelId, GuildId, RoleId, UserId};
use crate::permissions::{Overwrite, Permissions, Subject, in_channel, in_guild};

/// A guild as the permission algebra sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct GuildScope {
    /// The guild.
    pub id: GuildId,
    /// Its owner.
    pub owner: UserId,
    /// The bits of its roles, @everyone among them.
    pub roles: HashMap<RoleId, Permissions>,
    /// The exceptions of its channels. A channel that is not here can't be seen by anybody.
    pub channels: HashMap<ChannelId, Vec<Overwrite>>,
}

/// A member of a guild: who looks.
#[derive(Debug, Clone, Copy)]
pub struct Viewer<'a> {
    /// The user.
    pub user: UserId,
    /// The user's roles in the guild without @everyone.
    pub roles: &'a [RoleId],
}

impl GuildScope {
    /// The scope of a guild and its channels.
    pub fn new<'a>(guild: &Guild, channels: impl IntoIterator<Item = &'a Channel>) -> Self {
        Self {
            id: guild.id,
            owner: guild.owner_id,
            roles: guild.roles.iter().map(|role| (role.id, role.permissions)).collect(),
            channels: channels
                .into_iter()
                .map(|channel| (channel.id, channel.permission_overwrites.clone()))
                .collect(),
        }
    }

    /// The scope of a snapshot.
    pub fn of(snapshot: &Snapshot) -> Self {
        Self::new(&snapshot.guild, &snapshot.channels)
    }

    fn subject<'a>(&self, viewer: Viewer<'a>) -> Subject<'a> {
        Subject {
            user: viewer.user,
            owner: self.owner == viewer.user,
            roles: viewer.roles,
        }
    }

    /// What a member may do in the guild.
    pub fn in_guild(&self, viewer: Viewer<'_>) -> Permissions {
        in_guild(self.id, self.subject(viewer), |role| self.roles.get(&role).copied())
    }

    /// What a member may do under a channel's exceptions.
    pub fn under(&self, viewer: Viewer<'_>, overwrites: &[Overwrite]) -> Permissions {
        in_channel(self.id, self.subject(viewer), self.in_guild(viewer), overwrites)
    }

    /// What a member may do in a channel; nothing in one that does not exist.
    pub fn in_channel(&self, viewer: Viewer<'_>, channel: ChannelId) -> Permissions {
        self.channels
            .get(&channel)
            .map_or(Permissions::NONE, |overwrites| self.under(viewer, overwrites))
    }

    /// May a member see a channel under these exceptions?
    pub fn sees(&self, viewer: Viewer<'_>, overwrites: &[Overwrite]) -> bool {
        self.under(viewer, overwrites).contains(Permissions::VIEW_CHANNEL)
    }

    /// May a member see a channel?
    pub fn sees_channel(&self, viewer: Viewer<'_>, channel: ChannelId) -> bool {
        self.in_channel(viewer, channel).contains(Permissions::VIEW_CHANNEL)
    }

    /// Does every member see a channel, whoever it is? Saves asking for each.
    pub fn is_open(&self, channel: ChannelId) -> bool {
        let everyone = self.roles.get(&self.id.everyone()).copied().unwrap_or_default();
        everyone.contains(Permissions::VIEW_CHANNEL) && self.channels.get(&channel).is_some_and(Vec::is_empty)
    }

    /// Takes in what an event of this guild changes.
    pub fn advance(&mut self, event: &Event) {
        match event {
            Event::GuildCreate(snapshot) | Event::GuildOwnerUpdate { snapshot, .. } => *self = Self::of(snapshot),
            Event::GuildUpdate(guild) => {
                self.owner = guild.owner_id;
                self.roles = guild.roles.iter().map(|role| (role.id, role.permissions)).collect();
            }
            Event::ChannelCreate(channel) | Event::ChannelUpdate(channel) | Event::ChannelOverwriteUpdate { channel, .. } => {
                self.channels.insert(channel.id, channel.permission_overwrites.clone());
            }
            Event::ChannelDelete(channel) => {
                self.channels.remove(&channel.id);
            }
            Event::GuildDelete { .. }
            | Event::GuildMemberAdd { .. }
            | Event::GuildMemberRemove { .. }
            | Event::MessageCreate(_)
            | Event::MessageAck { .. }
            | Event::LoginEnd { .. }
            | Event::HubEvent { .. } => {}
        }
    }
}
