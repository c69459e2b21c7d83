//! What the log is made of: every committed change, as data.
//!
//! An event is stored with its address (who may read it) and its body. One stem names it in all layers: `message_create` in the
//! log, `MessageCreate` here, `MESSAGE_CREATE` on the gateway. What a viewer gets of an event is `dispatches.rs`.

use serde::{Deserialize, Serialize};

use crate::channels::Channel;
use crate::guilds::{Guild, Snapshot};
use crate::ids::{ChannelId, GuildId, HubEventId, LoginId, MessageId, UserId};
use crate::members::Member;
use crate::messages::Message;
use crate::users::User;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = ($number:literal, $stem:literal),)*) => {
        /// The kind of an event; the number is stored and never reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[$doc])* $name = $number,)* }

        impl Kind {
            /// All kinds.
            pub const ALL: &'static [Kind] = &[$(Kind::$name,)*];

            /// The kind with this number.
            pub fn of(number: i64) -> Option<Self> { match number { $($number => Some(Self::$name),)* _ => None } }

            /// The name that all layers share.
            pub const fn stem(self) -> &'static str { match self { $(Self::$name => $stem,)* } }
        }
    };
}

kinds! {
    /// A guild was made.
    GuildCreate = (1, "guild_create"),
    /// A guild's name or roles changed.
    GuildUpdate = (2, "guild_update"),
    /// A guild was handed over.
    GuildOwnerUpdate = (3, "guild_owner_update"),
    /// A guild was deleted.
    GuildDelete = (4, "guild_delete"),
    /// A user joined.
    GuildMemberAdd = (5, "guild_member_add"),
    /// A member left or was removed.
    GuildMemberRemove = (6, "guild_member_remove"),
    /// A channel was made.
    ChannelCreate = (7, "channel_create"),
    /// A channel's name, topic or place changed.
    ChannelUpdate = (8, "channel_update"),
    /// A channel's exceptions changed, maybe more.
    ChannelOverwriteUpdate = (9, "channel_overwrite_update"),
    /// A channel was deleted.
    ChannelDelete = (10, "channel_delete"),
    /// A message was sent.
    MessageCreate = (11, "message_create"),
    /// A user read up to a message.
    MessageAck = (12, "message_ack"),
    /// A login ended; its sockets close.
    LoginEnd = (13, "login_end"),
    /// An event came to the hub.
    HubEvent = (14, "hub_event"),
}

impl Kind {
    /// Kinds that may take from somebody in the guild what they could see. After one of these a session of that guild can't resume.
    pub const SCOPE: &'static [Kind] = &[
        Kind::GuildOwnerUpdate,
        Kind::GuildDelete,
        Kind::ChannelOverwriteUpdate,
        Kind::ChannelDelete,
    ];
}

/// Who may read an event, and what can scrub it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Address {
    /// The guild, or 0 for an event with one reader.
    pub topic: i64,
    /// The channel one must see to read it, or 0.
    pub channel: i64,
    /// The user whose scope it changes, or its only reader, or 0.
    pub subject: i64,
    /// What a scrub must find, or 0.
    pub object: i64,
}

/// A committed change.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A guild was made by its owner.
    GuildCreate(Box<Snapshot>),
    /// The guild as it is now.
    GuildUpdate(Box<Guild>),
    /// The guild as it is under its new owner.
    GuildOwnerUpdate {
        /// Who owned it.
        before: UserId,
        /// All of it, as both owners' view changes.
        snapshot: Box<Snapshot>,
    },
    /// A guild was deleted.
    GuildDelete {
        /// Which.
        id: GuildId,
    },
    /// A user joined.
    GuildMemberAdd {
        /// Who.
        member: Box<Member>,
        /// What the joiner gets.
        snapshot: Box<Snapshot>,
    },
    /// A member left or was removed.
    GuildMemberRemove {
        /// Where.
        guild_id: GuildId,
        /// Who.
        user: User,
        /// Members after it.
        member_count: i64,
    },
    /// A channel was made.
    ChannelCreate(Box<Channel>),
    /// The channel as it is now, with the exceptions it had.
    ChannelUpdate(Box<Channel>),
    /// The channel as it is now.
    ChannelOverwriteUpdate {
        /// The channel.
        channel: Box<Channel>,
        /// The channel before: who loses sight of it is told of that one alone.
        before: Box<Channel>,
    },
    /// The channel as it was.
    ChannelDelete(Box<Channel>),
    /// A message was sent.
    MessageCreate(MessageCreate),
    /// A user read up to a message.
    MessageAck {
        /// The user.
        user_id: UserId,
        /// The channel.
        channel_id: ChannelId,
        /// The newest message read.
        message_id: MessageId,
    },
    /// A login ended.
    LoginEnd {
        /// Whose.
        user_id: UserId,
        /// Which.
        login_id: LoginId,
    },
    /// An event came to the hub. No session of the gateway is told.
    HubEvent {
        /// Which.
        id: HubEventId,
        /// See [`crate::hub::HubEvent::entry_body`].
        data: String,
    },
}

/// A sent message, already in the shape of its dispatch: encoded once, and never parsed again on its way to a socket.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageCreate {
    /// Where.
    pub guild_id: GuildId,
    /// Where.
    pub channel_id: ChannelId,
    /// Which.
    pub message_id: MessageId,
    /// The JSON of MESSAGE_CREATE's `d`.
    pub data: String,
}

impl MessageCreate {
    /// The message with its author as a member, as MESSAGE_CREATE carries it.
    pub fn new(message: &Message, member: &Member) -> Self {
        #[derive(Serialize)]
        struct Data<'a> {
            #[serde(flatten)]
            message: &'a Message,
            member: &'a Member,
        }
        let data = serde_json::to_string(&Data { message, member }).expect("a message serialises");
        Self {
            guild_id: message.guild_id,
            channel_id: message.channel_id,
            message_id: message.id,
            data,
        }
    }
}

/// A stored body that does not have the shape of its kind.
#[derive(Debug, thiserror::Error)]
#[error("the log holds an entry that cannot be read ({kind})")]
pub struct BadEntry {
    /// The kind's stem or number.
    pub kind: String,
    /// Why.
    #[source]
    pub source: Option<serde_json::Error>,
}

#[derive(Serialize, Deserialize)]
struct OwnerUpdateBody {
    before: UserId,
    snapshot: Box<Snapshot>,
}

#[derive(Serialize, Deserialize)]
struct MemberAddBody {
    member: Box<Member>,
    snapshot: Box<Snapshot>,
}

#[derive(Serialize, Deserialize)]
struct MemberRemoveBody {
    user: User,
    member_count: i64,
}

#[derive(Serialize, Deserialize)]
struct OverwriteUpdateBody {
    channel: Box<Channel>,
    before: Box<Channel>,
}

impl Event {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::GuildCreate(_) => Kind::GuildCreate,
            Self::GuildUpdate(_) => Kind::GuildUpdate,
            Self::GuildOwnerUpdate { .. } => Kind::GuildOwnerUpdate,
            Self::GuildDelete { .. } => Kind::GuildDelete,
            Self::GuildMemberAdd { .. } => Kind::GuildMemberAdd,
            Self::GuildMemberRemove { .. } => Kind::GuildMemberRemove,
            Self::ChannelCreate(_) => Kind::ChannelCreate,
            Self::ChannelUpdate(_) => Kind::ChannelUpdate,
            Self::ChannelOverwriteUpdate { .. } => Kind::ChannelOverwriteUpdate,
            Self::ChannelDelete(_) => Kind::ChannelDelete,
            Self::MessageCreate(_) => Kind::MessageCreate,
            Self::MessageAck { .. } => Kind::MessageAck,
            Self::LoginEnd { .. } => Kind::LoginEnd,
            Self::HubEvent { .. } => Kind::HubEvent,
        }
    }

    /// Who may read it.
    pub fn address(&self) -> Address {
        match self {
            Self::GuildCreate(snapshot) => Address {
                topic: snapshot.guild.id.0,
                subject: snapshot.guild.owner_id.0,
                object: snapshot.guild.id.0,
                ..Address::default()
            },
            Self::GuildUpdate(guild) => Address {
                topic: guild.id.0,
                object: guild.id.0,
                ..Address::default()
            },
            Self::GuildOwnerUpdate { snapshot, .. } => Address {
                topic: snapshot.guild.id.0,
                object: snapshot.guild.id.0,
                ..Address::default()
            },
            Self::GuildDelete { id } => Address {
                topic: id.0,
                object: id.0,
                ..Address::default()
            },
            Self::GuildMemberAdd { member, snapshot } => {
                let user = member.user.as_ref().map_or(0, |user| user.id.0);
                Address {
                    topic: snapshot.guild.id.0,
                    subject: user,
                    object: user,
                    ..Address::default()
                }
            }
            Self::GuildMemberRemove { guild_id, user, .. } => Address {
                topic: guild_id.0,
                subject: user.id.0,
                object: user.id.0,
                ..Address::default()
            },
            Self::ChannelCreate(channel)
            | Self::ChannelUpdate(channel)
            | Self::ChannelOverwriteUpdate { channel, .. }
            | Self::ChannelDelete(channel) => Address {
                topic: channel.guild_id.0,
                channel: channel.id.0,
                object: channel.id.0,
                ..Address::default()
            },
            Self::MessageCreate(message) => Address {
                topic: message.guild_id.0,
                channel: message.channel_id.0,
                object: message.message_id.0,
                ..Address::default()
            },
            Self::MessageAck {
                user_id,
                message_id,
                channel_id,
            } => Address {
                channel: channel_id.0,
                subject: user_id.0,
                object: message_id.0,
                ..Address::default()
            },
            Self::LoginEnd { user_id, login_id } => Address {
                subject: user_id.0,
                object: login_id.0,
                ..Address::default()
            },
            Self::HubEvent { id, .. } => Address {
                object: id.0,
                ..Address::default()
            },
        }
    }

    /// The stored body.
    pub fn body(&self) -> String {
        let json = match self {
            Self::GuildCreate(snapshot) => serde_json::to_string(snapshot),
            Self::GuildUpdate(guild) => serde_json::to_string(guild),
            Self::GuildOwnerUpdate { before, snapshot } => serde_json::to_string(&OwnerUpdateBody {
                before: *before,
                snapshot: snapshot.clone(),
            }),
            Self::GuildMemberAdd { member, snapshot } => serde_json::to_string(&MemberAddBody {
                member: member.clone(),
                snapshot: snapshot.clone(),
            }),
            Self::GuildMemberRemove { user, member_count, .. } => serde_json::to_string(&MemberRemoveBody {
                user: user.clone(),
                member_count: *member_count,
            }),
            Self::ChannelCreate(channel) | Self::ChannelUpdate(channel) | Self::ChannelDelete(channel) => serde_json::to_string(channel),
            Self::ChannelOverwriteUpdate { channel, before } => serde_json::to_string(&OverwriteUpdateBody {
                channel: channel.clone(),
                before: before.clone(),
            }),
            Self::MessageCreate(message) => return message.data.clone(),
            Self::HubEvent { data, .. } => return data.clone(),
            // The address says it all; a body that is not empty tells it from a scrubbed one.
            Self::GuildDelete { .. } | Self::MessageAck { .. } | Self::LoginEnd { .. } => return "{}".into(),
        };
        json.expect("an event serialises")
    }

    /// Reads a stored entry.
    ///
    /// # Errors
    /// [`BadEntry`] for a kind we do not know or a body of another shape.
    pub fn parse(kind: i64, address: Address, body: &str) -> Result<Self, BadEntry> {
        let known = Kind::of(kind).ok_or_else(|| BadEntry {
            kind: kind.to_string(),
            source: None,
        })?;
        let bad = |source| BadEntry {
            kind: known.stem().into(),
            source: Some(source),
        };
        Ok(match known {
            Kind::GuildCreate => Self::GuildCreate(serde_json::from_str(body).map_err(bad)?),
            Kind::GuildUpdate => Self::GuildUpdate(serde_json::from_str(body).map_err(bad)?),
            Kind::GuildOwnerUpdate => {
                let OwnerUpdateBody { before, snapshot } = serde_json::from_str(body).map_err(bad)?;
                Self::GuildOwnerUpdate { before, snapshot }
            }
            Kind::GuildDelete => Self::GuildDelete {
                id: GuildId(address.topic),
            },
            Kind::GuildMemberAdd => {
                let MemberAddBody { member, snapshot } = serde_json::from_str(body).map_err(bad)?;
                Self::GuildMemberAdd { member, snapshot }
            }
            Kind::GuildMemberRemove => {
                let MemberRemoveBody { user, member_count } = serde_json::from_str(body).map_err(bad)?;
                Self::GuildMemberRemove {
                    guild_id: GuildId(address.topic),
                    user,
                    member_count,
                }
            }
            Kind::ChannelCreate => Self::ChannelCreate(serde_json::from_str(body).map_err(bad)?),
            Kind::ChannelUpdate => Self::ChannelUpdate(serde_json::from_str(body).map_err(bad)?),
            Kind::ChannelOverwriteUpdate => {
                let OverwriteUpdateBody { channel, before } = serde_json::from_str(body).map_err(bad)?;
                Self::ChannelOverwriteUpdate { channel, before }
            }
            Kind::ChannelDelete => Self::ChannelDelete(serde_json::from_str(body).map_err(bad)?),
            Kind::MessageCreate => Self::MessageCreate(MessageCreate {
                guild_id: GuildId(address.topic),
                channel_id: ChannelId(address.channel),
                message_id: MessageId(address.object),
                data: body.to_owned(),
            }),
            Kind::MessageAck => Self::MessageAck {
                user_id: UserId(address.subject),
                channel_id: ChannelId(address.channel),
                message_id: MessageId(address.object),
            },
            Kind::LoginEnd => Self::LoginEnd {
                user_id: UserId(address.subject),
                login_id: LoginId(address.object),
            },
            Kind::HubEvent => Self::HubEvent {
                id: HubEventId(address.object),
                data: body.to_owned(),
            },
        })
    }
}
