//! Guilds, and the snapshot of one that a joining or identifying viewer gets.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::channels::Channel;
use crate::errors::FieldErrors;
use crate::ids::{GuildId, RoleId, UserId};
use crate::limits::GUILD_NAME_CHARS_MAX;
use crate::members::Member;
use crate::names::parse_title;
use crate::permissions::Permissions;
use crate::roles::Role;

/// A guild without its channels and members.
///
/// # Shape
/// Discord's guild object; what Nexus does not have yet is there as null, zero or empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guild {
    /// The guild's id.
    pub id: GuildId,
    /// Its name.
    pub name: String,
    /// Its owner.
    pub owner_id: UserId,
    /// Its roles, @everyone first.
    pub roles: Vec<Role>,
    /// What never varies yet; see [`Constants`].
    #[serde(flatten)]
    pub constants: Constants,
}

impl Guild {
    /// The height of the highest of these roles; @everyone is 0.
    fn height(&self, roles: &[RoleId]) -> i64 {
        self.roles
            .iter()
            .filter(|role| roles.contains(&role.id))
            .map(|role| role.position)
            .max()
            .unwrap_or(0)
    }

    /// Does one member stand above another? The owner above all, others by their highest role; nobody above the owner or itself.
    pub fn outranks(&self, user: UserId, roles: &[RoleId], other: UserId, other_roles: &[RoleId]) -> bool {
        user != other && other != self.owner_id && (user == self.owner_id || self.height(roles) > self.height(other_roles))
    }
}

/// The fields of a guild that Discord's libraries read and Nexus does not vary yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are Discord's and each is constant")]
pub struct Constants {
    pub icon: Option<String>,
    pub splash: Option<String>,
    pub discovery_splash: Option<String>,
    pub banner: Option<String>,
    pub description: Option<String>,
    pub afk_channel_id: Option<String>,
    pub afk_timeout: i64,
    pub system_channel_id: Option<String>,
    pub system_channel_flags: i64,
    pub rules_channel_id: Option<String>,
    pub public_updates_channel_id: Option<String>,
    pub safety_alerts_channel_id: Option<String>,
    pub application_id: Option<String>,
    pub vanity_url_code: Option<String>,
    pub verification_level: i64,
    pub default_message_notifications: i64,
    pub explicit_content_filter: i64,
    pub mfa_level: i64,
    pub nsfw_level: i64,
    pub premium_tier: i64,
    pub premium_subscription_count: i64,
    pub premium_progress_bar_enabled: bool,
    pub preferred_locale: String,
    pub features: Vec<Value>,
    pub emojis: Vec<Value>,
    pub stickers: Vec<Value>,
}

impl Default for Constants {
    fn default() -> Self {
        Self {
            icon: None,
            splash: None,
            discovery_splash: None,
            banner: None,
            description: None,
            afk_channel_id: None,
            afk_timeout: 300,
            system_channel_id: None,
            system_channel_flags: 0,
            rules_channel_id: None,
            public_updates_channel_id: None,
            safety_alerts_channel_id: None,
            application_id: None,
            vanity_url_code: None,
            verification_level: 0,
            default_message_notifications: 1,
            explicit_content_filter: 0,
            mfa_level: 0,
            nsfw_level: 0,
            premium_tier: 0,
            premium_subscription_count: 0,
            premium_progress_bar_enabled: false,
            preferred_locale: "en-US".into(),
            features: vec![],
            emojis: vec![],
            stickers: vec![],
        }
    }
}

/// A guild whole, as the log keeps it when somebody gains it: every channel, and members up to
/// [`crate::limits::MEMBERS_IN_SNAPSHOT_MAX`]. What one viewer gets of it is [`crate::dispatches::guild_create`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The guild.
    pub guild: Guild,
    /// Every channel, whoever may see it.
    pub channels: Vec<Channel>,
    /// All members, or the viewer alone if there are too many.
    pub members: Vec<Member>,
    /// All of them.
    pub member_count: i64,
}

/// `POST /guilds`.
#[derive(Deserialize)]
pub struct CreateGuild {
    /// 1 to 100 characters.
    pub name: String,
}

/// `PATCH /guilds/{id}`; what is absent stays.
#[derive(Deserialize, Default)]
pub struct UpdateGuild {
    /// 1 to 100 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// A member to hand the guild over to; for the owner only.
    #[serde(default)]
    pub owner_id: Option<UserId>,
}

/// One guild in `GET /users/@me/guilds`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GuildSummary {
    /// The guild's id.
    pub id: GuildId,
    /// Its name.
    pub name: String,
    /// Always null for now.
    pub icon: Option<String>,
    /// Is the caller its owner?
    pub owner: bool,
    /// What the caller may do in it.
    pub permissions: Permissions,
}

/// The answer to `POST /guilds`: the guild with its first channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreatedGuild {
    /// The guild.
    #[serde(flatten)]
    pub guild: Guild,
    /// Its channels.
    pub channels: Vec<Channel>,
}

/// A guild's name.
///
/// # Errors
/// A field error at `name`.
pub fn parse_name(raw: &str) -> Result<String, FieldErrors> {
    parse_title("name", raw, GUILD_NAME_CHARS_MAX)
}
