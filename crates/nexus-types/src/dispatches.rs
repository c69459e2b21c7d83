//! What a viewer gets of an event: a pure function of (event, viewer), the same live, in a resumed stream and in a test.
//!
//! # Invariant
//! Every dispatch is absolute, never only a delta, so that one which a snapshot already holds does no harm.

use serde::Serialize;
use serde_json::{Value, json};

use crate::channels::Channel;
use crate::events::Event;
use crate::guilds::{Guild, Snapshot};
use crate::ids::{ChannelId, GuildId, UserId};
use crate::limits::MEMBERS_IN_SNAPSHOT_MAX;
use crate::members::Member;
use crate::scopes::{GuildScope, Viewer};
use crate::timestamps::Timestamp;

/// One op 0 payload before it has a sequence number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatch {
    /// `t`.
    pub name: &'static str,
    /// `d`, encoded.
    pub data: String,
}

impl Dispatch {
    fn new(name: &'static str, data: &impl Serialize) -> Self {
        Self {
            name,
            data: serde_json::to_string(data).expect("a dispatch serialises"),
        }
    }

    /// The frame without its sequence number: `{"t":…,"op":0,"d":…`. Append [`tail`] to make it whole.
    pub fn head(&self) -> String {
        let mut head = String::with_capacity(self.data.len() + self.name.len() + 48);
        head.push_str("{\"t\":\"");
        head.push_str(self.name);
        head.push_str("\",\"op\":0,\"d\":");
        head.push_str(&self.data);
        head
    }

    /// The whole frame.
    pub fn frame(&self, s: i64) -> String {
        let mut frame = self.head();
        frame.push_str(&tail(s));
        frame
    }
}

/// The end of a frame: `,"s":N}`.
pub fn tail(s: i64) -> String {
    format!(",\"s\":{s}}}")
}

/// One dispatch of an event for one viewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// The dispatch with this index in [`shared`]; everybody who gets it gets the same bytes.
    Shared(usize),
    /// One made for this viewer alone.
    Own(Dispatch),
}

/// The dispatches of an event that look the same to all who get them; encoded once.
pub fn shared(event: &Event) -> Vec<Dispatch> {
    match event {
        Event::GuildCreate(_) | Event::LoginEnd { .. } | Event::HubEvent { .. } => vec![],
        Event::GuildUpdate(guild) => vec![Dispatch::new("GUILD_UPDATE", guild)],
        Event::GuildOwnerUpdate { snapshot, .. } => vec![Dispatch::new("GUILD_UPDATE", &snapshot.guild)],
        Event::GuildDelete { id } => vec![guild_delete(*id)],
        Event::GuildMemberAdd { member, snapshot } => vec![member_add(snapshot.guild.id, member, snapshot.member_count)],
        Event::GuildMemberRemove {
            guild_id,
            user,
            member_count,
        } => vec![
            Dispatch::new(
                "GUILD_MEMBER_REMOVE",
                &json!({ "guild_id": guild_id, "user": user, "member_count": member_count, "large": is_large(*member_count) }),
            ),
            guild_delete(*guild_id),
        ],
        Event::ChannelCreate(channel) => vec![Dispatch::new("CHANNEL_CREATE", channel)],
        Event::ChannelUpdate(channel) => vec![Dispatch::new("CHANNEL_UPDATE", channel)],
        Event::ChannelOverwriteUpdate { channel, before } => vec![
            Dispatch::new("CHANNEL_UPDATE", channel),
            Dispatch::new("CHANNEL_CREATE", channel),
            Dispatch::new(
                "CHANNEL_DELETE",
                &Channel {
                    topic: None,
                    last_message_id: None,
                    permission_overwrites: vec![],
                    ..(**before).clone()
                },
            ),
        ],
        Event::ChannelDelete(channel) => vec![Dispatch::new("CHANNEL_DELETE", channel)],
        Event::MessageCreate(message) => vec![Dispatch {
            name: "MESSAGE_CREATE",
            data: message.data.clone(),
        }],
        Event::MessageAck {
            channel_id, message_id, ..
        } => {
            vec![Dispatch::new(
                "MESSAGE_ACK",
                &json!({ "channel_id": channel_id, "message_id": message_id }),
            )]
        }
    }
}

/// What one viewer gets of an event, in order.
///
/// `scope` is the guild before the event if the viewer is a member of it then, else `None`.
pub fn pieces(event: &Event, viewer: Viewer<'_>, scope: Option<&GuildScope>) -> Vec<Piece> {
    let first = || vec![Piece::Shared(0)];
    match (event, scope) {
        (Event::GuildCreate(snapshot), _) if snapshot.guild.owner_id == viewer.user => vec![Piece::Own(guild_create(snapshot, viewer))],
        (Event::GuildMemberAdd { member, snapshot }, _) if is(member, viewer.user) => {
            let roles = &member.roles;
            vec![
                Piece::Own(guild_create(snapshot, Viewer { user: viewer.user, roles })),
                Piece::Shared(0),
            ]
        }
        (Event::GuildMemberRemove { user, .. }, _) if user.id == viewer.user => vec![Piece::Shared(1)],
        (Event::MessageAck { user_id, .. }, _) if *user_id == viewer.user => first(),
        (Event::GuildOwnerUpdate { before, snapshot }, Some(_)) if [*before, snapshot.guild.owner_id].contains(&viewer.user) => {
            vec![Piece::Own(guild_create(snapshot, viewer))]
        }
        (
            Event::GuildUpdate(_)
            | Event::GuildOwnerUpdate { .. }
            | Event::GuildDelete { .. }
            | Event::GuildMemberAdd { .. }
            | Event::GuildMemberRemove { .. },
            Some(_),
        ) => first(),
        (Event::MessageCreate(message), Some(scope)) if scope.sees_channel(viewer, message.channel_id) => first(),
        (Event::ChannelCreate(channel) | Event::ChannelUpdate(channel) | Event::ChannelDelete(channel), Some(scope))
            if scope.sees(viewer, &channel.permission_overwrites) =>
        {
            first()
        }
        (Event::ChannelOverwriteUpdate { channel, before }, Some(scope)) => {
            match (
                scope.sees(viewer, &before.permission_overwrites),
                scope.sees(viewer, &channel.permission_overwrites),
            ) {
                (true, true) => first(),
                (false, true) => vec![Piece::Shared(1)],
                (true, false) => vec![Piece::Shared(2)],
                (false, false) => vec![],
            }
        }
        _ => vec![],
    }
}

fn is(member: &Member, user: UserId) -> bool {
    member.user.as_ref().is_some_and(|known| known.id == user)
}

/// Are there so many members that a viewer is sent only itself?
fn is_large(member_count: i64) -> bool {
    member_count > MEMBERS_IN_SNAPSHOT_MAX
}

fn guild_delete(id: GuildId) -> Dispatch {
    Dispatch::new("GUILD_DELETE", &json!({ "id": id }))
}

fn member_add(guild_id: GuildId, member: &Member, member_count: i64) -> Dispatch {
    #[derive(Serialize)]
    struct Data<'a> {
        #[serde(flatten)]
        member: &'a Member,
        guild_id: GuildId,
        member_count: i64,
        large: bool,
    }
    Dispatch::new(
        "GUILD_MEMBER_ADD",
        &Data {
            member,
            guild_id,
            member_count,
            large: is_large(member_count),
        },
    )
}

/// GUILD_CREATE: the guild as one viewer sees it.
///
/// # Shape
/// Discord's guild-create object; `members` holds the viewer alone if `large`.
pub fn guild_create(snapshot: &Snapshot, viewer: Viewer<'_>) -> Dispatch {
    #[derive(Serialize)]
    struct Data<'a> {
        #[serde(flatten)]
        guild: &'a Guild,
        joined_at: Timestamp,
        large: bool,
        unavailable: bool,
        member_count: i64,
        channels: Vec<&'a Channel>,
        members: &'a [Member],
        threads: [Value; 0],
        presences: [Value; 0],
        voice_states: [Value; 0],
        stage_instances: [Value; 0],
        guild_scheduled_events: [Value; 0],
        soundboard_sounds: [Value; 0],
    }
    let scope = GuildScope::of(snapshot);
    let own = snapshot.members.iter().find(|member| is(member, viewer.user));
    let large = is_large(snapshot.member_count);
    Dispatch::new(
        "GUILD_CREATE",
        &Data {
            guild: &snapshot.guild,
            joined_at: own.map_or(Timestamp(0), |member| member.joined_at),
            large,
            unavailable: false,
            member_count: snapshot.member_count,
            channels: snapshot
                .channels
                .iter()
                .filter(|channel| scope.sees(viewer, &channel.permission_overwrites))
                .collect(),
            members: if large {
                own.map_or(&[], std::slice::from_ref)
            } else {
                &snapshot.members
            },
            threads: [],
            presences: [],
            voice_states: [],
            stage_instances: [],
            guild_scheduled_events: [],
            soundboard_sounds: [],
        },
    )
}

/// TYPING_START: somebody began to write. It is not in the log and repeats the sequence number before it.
pub fn typing_start(guild_id: GuildId, channel_id: ChannelId, user: UserId, member: &Member, at: Timestamp) -> Dispatch {
    Dispatch::new(
        "TYPING_START",
        &json!({ "guild_id": guild_id, "channel_id": channel_id, "user_id": user, "timestamp": at.0 / 1_000, "member": member }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_loses_sight_of_a_channel_is_told_its_old_name_only() {
        let before = Channel::text(ChannelId(2), GuildId(1), "plans".into(), 0);
        let channel = Channel {
            name: "layoffs".into(),
            ..before.clone()
        };
        let dispatches = shared(&Event::ChannelOverwriteUpdate {
            channel: Box::new(channel),
            before: Box::new(before),
        });
        let gone = &dispatches[2];
        assert_eq!(gone.name, "CHANNEL_DELETE");
        assert!(gone.data.contains("plans") && !gone.data.contains("layoffs"), "{}", gone.data);
    }
}
