//! Members: users in a guild.

use serde::{Deserialize, Serialize};

use crate::ids::RoleId;
use crate::timestamps::Timestamp;
use crate::users::User;

/// A member.
///
/// # Shape
/// Discord's guild member object. `user` is absent inside a message, whose `author` it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<User>,
    /// Always null for now.
    pub nick: Option<String>,
    /// Always null for now.
    pub avatar: Option<String>,
    /// Roles without @everyone.
    pub roles: Vec<RoleId>,
    /// When the member joined.
    pub joined_at: Timestamp,
    /// Always null.
    pub premium_since: Option<Timestamp>,
    /// Voice state; false for now.
    pub deaf: bool,
    /// Voice state; false for now.
    pub mute: bool,
    /// Discord's flags; 0.
    pub flags: i64,
    /// Always false.
    pub pending: bool,
}

impl Member {
    /// A member with nothing but its roles and the time it joined.
    pub fn new(user: Option<User>, roles: Vec<RoleId>, joined_at: Timestamp) -> Self {
        Self {
            user,
            nick: None,
            avatar: None,
            roles,
            joined_at,
            premium_since: None,
            deaf: false,
            mute: false,
            flags: 0,
            pending: false,
        }
    }
}
