//! Roles.

use serde::{Deserialize, Serialize};

use crate::ids::RoleId;
use crate::permissions::Permissions;

/// A role of a guild.
///
/// # Shape
/// Discord's role object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// The role's id; @everyone has its guild's.
    pub id: RoleId,
    /// Its name.
    pub name: String,
    /// A hue for names, 0 for none.
    pub color: i64,
    /// Are its members listed apart?
    pub hoist: bool,
    /// Always null for now.
    pub icon: Option<String>,
    /// Always null for now.
    pub unicode_emoji: Option<String>,
    /// Its height: higher beats lower; @everyone is 0.
    pub position: i64,
    /// What it grants.
    pub permissions: Permissions,
    /// Does a program own it?
    pub managed: bool,
    /// May anybody mention it?
    pub mentionable: bool,
    /// Discord's flags; 0.
    pub flags: i64,
}

impl Role {
    /// A plain role.
    pub fn new(id: RoleId, name: String, position: i64, permissions: Permissions) -> Self {
        Self {
            id,
            name,
            color: 0,
            hoist: false,
            icon: None,
            unicode_emoji: None,
            position,
            permissions,
            managed: false,
            mentionable: false,
            flags: 0,
        }
    }
}
