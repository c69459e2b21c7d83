//! Messages.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::errors::FieldErrors;
use crate::ids::{ChannelId, GuildId, MessageId};
use crate::limits::{MESSAGE_CHARS_MAX, NONCE_CHARS_MAX};
use crate::timestamps::Timestamp;
use crate::users::User;

/// An ordinary message.
pub const KIND_DEFAULT: i64 = 0;

/// A message.
///
/// # Shape
/// Discord's message object; what Nexus does not have yet is there as null, false or empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The message's id; ids of a channel grow in the order of commit.
    pub id: MessageId,
    /// Its channel.
    pub channel_id: ChannelId,
    /// Its guild.
    pub guild_id: GuildId,
    /// Who wrote it.
    pub author: User,
    /// The text.
    pub content: String,
    /// When it was accepted.
    pub timestamp: Timestamp,
    /// When it was last edited.
    pub edited_timestamp: Option<Timestamp>,
    /// Always false.
    pub tts: bool,
    /// Always false for now.
    pub mention_everyone: bool,
    /// Empty for now.
    pub mentions: Vec<Value>,
    /// Empty for now.
    pub mention_roles: Vec<Value>,
    /// Empty for now.
    pub attachments: Vec<Value>,
    /// Empty for now.
    pub embeds: Vec<Value>,
    /// Always false for now.
    pub pinned: bool,
    /// [`KIND_DEFAULT`].
    #[serde(rename = "type")]
    pub kind: i64,
    /// Discord's flags; 0.
    pub flags: i64,
    /// The author's nonce, in the answer to the sender and in MESSAGE_CREATE; never in history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
}

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The guild.
    pub guild_id: GuildId,
    /// The channel in it.
    pub channel_id: ChannelId,
}

impl Message {
    /// A plain text message.
    pub fn new(id: MessageId, place: Place, author: User, content: String, timestamp: Timestamp) -> Self {
        Self {
            id,
            channel_id: place.channel_id,
            guild_id: place.guild_id,
            author,
            content,
            timestamp,
            edited_timestamp: None,
            tts: false,
            mention_everyone: false,
            mentions: vec![],
            mention_roles: vec![],
            attachments: vec![],
            embeds: vec![],
            pinned: false,
            kind: KIND_DEFAULT,
            flags: 0,
            nonce: None,
        }
    }
}

/// `POST /channels/{id}/messages`.
#[derive(Deserialize)]
pub struct CreateMessage {
    /// The text.
    #[serde(default)]
    pub content: Option<String>,
    /// A string or an integer of the author's choice.
    #[serde(default)]
    pub nonce: Option<Nonce>,
}

/// What an author calls a message before it has an id; at most one message for (channel, author, nonce) within 24 hours.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Nonce(String);

impl Nonce {
    /// # Errors
    /// A field error at `nonce` for an empty one, one that is too long, or one with control characters.
    pub fn parse(raw: &str) -> Result<Self, FieldErrors> {
        if raw.is_empty() || raw.chars().count() > NONCE_CHARS_MAX || raw.chars().any(char::is_control) {
            return Err(FieldErrors::one(
                "nonce",
                "BASE_TYPE_BAD_LENGTH",
                format!("Must be 1 to {NONCE_CHARS_MAX} printable characters."),
            ));
        }
        Ok(Self(raw.to_owned()))
    }

    /// As given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Discord's libraries send both; the integer comes back as its decimal string.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Text(String),
            Number(i64),
        }
        let text = match Raw::deserialize(deserializer)? {
            Raw::Text(text) => text,
            Raw::Number(number) => number.to_string(),
        };
        Self::parse(&text).map_err(|_| serde::de::Error::custom(format!("a nonce has 1 to {NONCE_CHARS_MAX} printable characters")))
    }
}

/// The text of a message: 1 to [`MESSAGE_CHARS_MAX`] characters that are not all white space; kept as typed but for line ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body(String);

impl Body {
    /// # Errors
    /// A field error at `content`.
    pub fn parse(raw: &str) -> Result<Self, FieldErrors> {
        let text = raw.trim();
        if text.is_empty() {
            return Err(FieldErrors::one("content", "BASE_TYPE_REQUIRED", "A message can't be empty."));
        }
        if text.chars().count() > MESSAGE_CHARS_MAX {
            return Err(FieldErrors::one(
                "content",
                "BASE_TYPE_MAX_LENGTH",
                format!("Must be {MESSAGE_CHARS_MAX} or fewer in length."),
            ));
        }
        if text.contains('\0') {
            return Err(FieldErrors::one(
                "content",
                "BASE_TYPE_BAD_CHARACTER",
                "Must not contain the null character.",
            ));
        }
        Ok(Self(if text.contains('\r') {
            text.replace("\r\n", "\n")
        } else {
            text.to_owned()
        }))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Which page of history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The newest.
    Latest,
    /// Older than this one.
    Before(MessageId),
    /// Newer than this one.
    After(MessageId),
    /// Half older, this one, half newer.
    Around(MessageId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_trimmed_and_bounded() {
        assert_eq!(Body::parse("  hi\r\nyou ").expect("fine").as_str(), "hi\nyou");
        for bad in ["", " \n\t ", "a\0b", &"x".repeat(MESSAGE_CHARS_MAX + 1)] {
            assert!(Body::parse(bad).is_err());
        }
        assert!(Body::parse(&"é".repeat(MESSAGE_CHARS_MAX)).is_ok());
    }

    #[test]
    fn a_nonce_may_be_a_number() {
        let draft: CreateMessage = serde_json::from_str(r#"{"content":"x","nonce":42}"#).expect("a number");
        assert_eq!(draft.nonce.expect("it is there").as_str(), "42");
        assert!(serde_json::from_str::<CreateMessage>(&format!(r#"{{"nonce":"{}"}}"#, "n".repeat(65))).is_err());
    }
}
