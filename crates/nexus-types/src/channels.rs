//! Channels.

use serde::{Deserialize, Deserializer, Serialize};

use crate::errors::FieldErrors;
use crate::ids::{ChannelId, GuildId, MessageId};
use crate::limits::{CHANNEL_NAME_CHARS_MAX, OVERWRITES_PER_CHANNEL_MAX, TOPIC_CHARS_MAX};
use crate::messages::Place;
use crate::names::parse_title;
use crate::permissions::Overwrite;

/// The kind of a text channel in a guild (`GUILD_TEXT`).
pub const KIND_TEXT: i64 = 0;

/// A channel of a guild.
///
/// # Shape
/// Discord's channel object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// The channel's id.
    pub id: ChannelId,
    /// [`KIND_TEXT`].
    #[serde(rename = "type")]
    pub kind: i64,
    /// Its guild.
    pub guild_id: GuildId,
    /// Its name.
    pub name: String,
    /// What it is about.
    pub topic: Option<String>,
    /// Its place in the list; equal places go by id.
    pub position: i64,
    /// Always false for now.
    pub nsfw: bool,
    /// Always null for now.
    pub parent_id: Option<ChannelId>,
    /// Slow mode in seconds; 0 for now.
    pub rate_limit_per_user: i64,
    /// The newest message, even if it was deleted since.
    pub last_message_id: Option<MessageId>,
    /// Its exceptions.
    pub permission_overwrites: Vec<Overwrite>,
}

impl Channel {
    /// Where its messages are.
    pub fn place(&self) -> Place {
        Place {
            guild_id: self.guild_id,
            channel_id: self.id,
        }
    }

    /// An empty text channel without topic and exceptions.
    pub fn text(id: ChannelId, guild_id: GuildId, name: String, position: i64) -> Self {
        Self {
            id,
            kind: KIND_TEXT,
            guild_id,
            name,
            topic: None,
            position,
            nsfw: false,
            parent_id: None,
            rate_limit_per_user: 0,
            last_message_id: None,
            permission_overwrites: vec![],
        }
    }
}

/// `POST /guilds/{id}/channels`.
#[derive(Deserialize)]
pub struct CreateChannel {
    /// 1 to 100 characters.
    pub name: String,
    /// Absent or [`KIND_TEXT`].
    #[serde(default, rename = "type")]
    pub kind: Option<i64>,
    /// Up to 1,024 characters.
    #[serde(default)]
    pub topic: Option<String>,
    /// Needs MANAGE_ROLES.
    #[serde(default)]
    pub permission_overwrites: Option<Vec<Overwrite>>,
}

/// `PATCH /channels/{id}`; what is absent stays.
#[derive(Deserialize, Default)]
pub struct UpdateChannel {
    /// 1 to 100 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// `null` clears it.
    #[serde(default, deserialize_with = "present")]
    pub topic: Option<Option<String>>,
    /// Its new place.
    #[serde(default)]
    pub position: Option<i64>,
    /// Replaces all of them; needs MANAGE_ROLES.
    #[serde(default)]
    pub permission_overwrites: Option<Vec<Overwrite>>,
}

/// Tells `null` from absent.
#[expect(clippy::option_option, reason = "absent, null and a text are three things in a PATCH")]
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// A channel's name.
///
/// # Errors
/// A field error at `name`.
pub fn parse_name(raw: &str) -> Result<String, FieldErrors> {
    parse_title("name", raw, CHANNEL_NAME_CHARS_MAX)
}

/// A channel's topic; white space alone is none.
///
/// # Errors
/// A field error at `topic`.
pub fn parse_topic(raw: &str) -> Result<Option<String>, FieldErrors> {
    let text = raw.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.chars().count() > TOPIC_CHARS_MAX {
        return Err(FieldErrors::one(
            "topic",
            "BASE_TYPE_MAX_LENGTH",
            format!("Must be {TOPIC_CHARS_MAX} or fewer in length."),
        ));
    }
    if text.contains('\0') {
        return Err(FieldErrors::one(
            "topic",
            "BASE_TYPE_BAD_CHARACTER",
            "Must not contain the null character.",
        ));
    }
    Ok(Some(text.to_owned()))
}

/// A channel's exceptions: a bounded number, one for each role or member, no bit both allowed and denied.
///
/// # Errors
/// Field errors at `permission_overwrites`.
pub fn parse_overwrites(raw: Vec<Overwrite>) -> Result<Vec<Overwrite>, FieldErrors> {
    let mut errors = FieldErrors::default();
    if raw.len() > OVERWRITES_PER_CHANNEL_MAX {
        errors.add(
            "permission_overwrites",
            "BASE_TYPE_MAX_LENGTH",
            format!("Must be {OVERWRITES_PER_CHANNEL_MAX} or fewer."),
        );
        return Err(errors);
    }
    for (index, overwrite) in raw.iter().enumerate() {
        if raw[..index].iter().any(|earlier| earlier.id == overwrite.id) {
            errors.add(
                &format!("permission_overwrites.{index}.id"),
                "DUPLICATE",
                "Each role or member may stand here once.",
            );
        }
        if overwrite.allow & overwrite.deny != crate::permissions::Permissions::NONE {
            errors.add(
                &format!("permission_overwrites.{index}.deny"),
                "CONTRADICTION",
                "A permission can't be both allowed and denied.",
            );
        }
    }
    if errors.0.is_empty() { Ok(raw) } else { Err(errors) }
}
