//! The gateway's frames and numbers.
//!
//! # Source
//! <https://discord.com/developers/docs/events/gateway>, <https://discord.com/developers/docs/topics/opcodes-and-status-codes>

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::ids::GuildId;
use crate::limits::HEARTBEAT_MS;
use crate::read_states::ReadState;
use crate::users::CurrentUser;

/// The API version that READY names.
pub const VERSION: u8 = 10;

/// Opcodes.
pub mod op {
    /// Something happened (server).
    pub const DISPATCH: u8 = 0;
    /// I am alive (client), or tell me that you are (server).
    pub const HEARTBEAT: u8 = 1;
    /// A new session (client).
    pub const IDENTIFY: u8 = 2;
    /// My presence (client).
    pub const PRESENCE_UPDATE: u8 = 3;
    /// My voice state (client).
    pub const VOICE_STATE_UPDATE: u8 = 4;
    /// An old session goes on (client).
    pub const RESUME: u8 = 6;
    /// Reconnect and resume (server).
    pub const RECONNECT: u8 = 7;
    /// Tell me of members (client).
    pub const REQUEST_GUILD_MEMBERS: u8 = 8;
    /// This session can't go on; `d` says whether it may be tried again (server).
    pub const INVALID_SESSION: u8 = 9;
    /// The first frame (server).
    pub const HELLO: u8 = 10;
    /// The answer to a heartbeat (server).
    pub const HEARTBEAT_ACK: u8 = 11;
}

/// Why a socket is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// A slow reader, or something went wrong here; resume.
    Unknown = 4000,
    /// A payload that is no payload.
    Decode = 4002,
    /// A command before IDENTIFY.
    NotAuthenticated = 4003,
    /// The token is not good (any more).
    AuthenticationFailed = 4004,
    /// IDENTIFY twice.
    AlreadyAuthenticated = 4005,
    /// RESUME from a number that was never given out.
    InvalidSeq = 4007,
    /// Too many commands, or too many sockets of one login.
    RateLimited = 4008,
    /// No heartbeat.
    TimedOut = 4009,
    /// Sharding that makes no sense.
    InvalidShard = 4010,
    /// An API version we do not speak.
    InvalidVersion = 4012,
    /// The server restarts; resume.
    Restart = 1012,
    /// A message over the transport's limit (RFC 6455).
    TooBig = 1009,
}

impl CloseCode {
    /// A few words for whoever reads the close frame.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unknown => "Something went wrong or you read too slowly; resume.",
            Self::Decode => "Error while decoding payload.",
            Self::NotAuthenticated => "Not authenticated.",
            Self::AuthenticationFailed => "Authentication failed.",
            Self::AlreadyAuthenticated => "Already authenticated.",
            Self::InvalidSeq => "Invalid seq.",
            Self::RateLimited => "Rate limited.",
            Self::TimedOut => "Session timed out.",
            Self::InvalidShard => "Invalid shard.",
            Self::InvalidVersion => "Invalid API version.",
            Self::Restart => "The server restarts; resume.",
            Self::TooBig => "Message too big.",
        }
    }
}

/// A client's frame; `d` is read by its opcode.
#[derive(Deserialize)]
pub struct ClientFrame<'a> {
    /// The opcode.
    pub op: u8,
    /// The payload.
    #[serde(borrow, default)]
    pub d: Option<&'a RawValue>,
}

/// IDENTIFY. What else is in it (properties, presence, compress, large_threshold) is ignored.
#[derive(Deserialize)]
pub struct Identify {
    /// The bare access token.
    pub token: String,
    /// Which events the client wants; people get all.
    #[serde(default)]
    pub intents: Option<i64>,
    /// `[index, count]`.
    #[serde(default)]
    pub shard: Option<[u32; 2]>,
}

/// RESUME.
#[derive(Deserialize)]
pub struct Resume {
    /// The bare access token.
    pub token: String,
    /// From READY.
    pub session_id: String,
    /// The last `s` the client has handled.
    pub seq: i64,
}

/// READY's `d`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ready {
    /// [`VERSION`].
    pub v: u8,
    /// The own account.
    pub user: CurrentUser,
    /// The guilds that GUILD_CREATE will bring.
    pub guilds: Vec<UnavailableGuild>,
    /// Empty for now.
    pub private_channels: Vec<Value>,
    /// What RESUME needs.
    pub session_id: String,
    /// Bare `ws://host:port` or `wss://host:port`: libraries append the rest themselves.
    pub resume_gateway_url: String,
    /// `[index, count]`, if IDENTIFY had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<[u32; 2]>,
    /// Discord's libraries read its id.
    pub application: PartialApplication,
    /// How far the user has read.
    pub read_state: Vec<ReadState>,
}

/// A guild that is still to come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UnavailableGuild {
    /// The guild's id.
    pub id: GuildId,
    /// Always true.
    pub unavailable: bool,
}

/// READY's `application`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PartialApplication {
    /// The own user's id.
    pub id: crate::ids::UserId,
    /// 0.
    pub flags: i64,
}

/// HELLO.
pub fn hello() -> String {
    json!({ "t": null, "s": null, "op": op::HELLO, "d": { "heartbeat_interval": HEARTBEAT_MS } }).to_string()
}

/// The answer to a heartbeat.
pub const HEARTBEAT_ACK: &str = r#"{"t":null,"s":null,"op":11,"d":null}"#;
/// A request for a heartbeat.
pub const HEARTBEAT_REQUEST: &str = r#"{"t":null,"s":null,"op":1,"d":null}"#;
/// Identify anew.
pub const INVALID_SESSION: &str = r#"{"t":null,"s":null,"op":9,"d":false}"#;
/// Reconnect and resume.
pub const RECONNECT: &str = r#"{"t":null,"s":null,"op":7,"d":null}"#;
