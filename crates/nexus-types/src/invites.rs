//! Invites.

use serde::{Deserialize, Serialize};

use crate::errors::FieldErrors;
use crate::ids::{ChannelId, GuildId};
use crate::limits::{INVITE_AGE_S_MAX, INVITE_USES_MAX};
use crate::timestamps::Timestamp;
use crate::users::User;

/// An invite.
///
/// # Shape
/// Discord's invite object with its metadata; both the short guild and channel are always there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// The code of the link.
    pub code: String,
    /// 0, a guild invite.
    #[serde(rename = "type")]
    pub kind: i64,
    /// Where it leads.
    pub guild: InviteGuild,
    /// Where it leads.
    pub channel: InviteChannel,
    /// Who made it.
    pub inviter: User,
    /// Members of the guild, when the invite is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approximate_member_count: Option<i64>,
    /// How often it was used.
    pub uses: i64,
    /// How often it may be used; 0 for no limit.
    pub max_uses: i64,
    /// Life in seconds; 0 for ever.
    pub max_age: i64,
    /// Always false.
    pub temporary: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
}

/// The guild of an invite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteGuild {
    /// The guild's id.
    pub id: GuildId,
    /// Its name.
    pub name: String,
    /// Always null for now.
    pub icon: Option<String>,
}

/// The channel of an invite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteChannel {
    /// The channel's id.
    pub id: ChannelId,
    /// Its name.
    pub name: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: i64,
}

/// `POST /channels/{id}/invites`.
#[derive(Deserialize, Default)]
pub struct CreateInvite {
    /// Life in seconds, default a day; 0 for ever.
    #[serde(default)]
    pub max_age: Option<i64>,
    /// Uses, default and 0 for no limit.
    #[serde(default)]
    pub max_uses: Option<i64>,
}

/// How long and how often an invite is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Life in seconds; 0 for ever.
    pub max_age_s: i64,
    /// Uses; 0 for no limit.
    pub max_uses: i64,
}

impl CreateInvite {
    /// # Errors
    /// Field errors at `max_age` and `max_uses`.
    pub fn terms(&self) -> Result<Terms, FieldErrors> {
        let terms = Terms {
            max_age_s: self.max_age.unwrap_or(24 * 60 * 60),
            max_uses: self.max_uses.unwrap_or(0),
        };
        let mut errors = FieldErrors::default();
        if !(0..=INVITE_AGE_S_MAX).contains(&terms.max_age_s) {
            errors.add("max_age", "NUMBER_TYPE_MAX", format!("Must be between 0 and {INVITE_AGE_S_MAX}."));
        }
        if !(0..=INVITE_USES_MAX).contains(&terms.max_uses) {
            errors.add("max_uses", "NUMBER_TYPE_MAX", format!("Must be between 0 and {INVITE_USES_MAX}."));
        }
        if errors.0.is_empty() { Ok(terms) } else { Err(errors) }
    }
}
