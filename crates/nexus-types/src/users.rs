//! Accounts as others see them.

use serde::{Deserialize, Serialize};

use crate::ids::UserId;

/// A user.
///
/// # Shape
/// Discord's user object; `discriminator` is `"0"`, as for its unique names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// The unique name, as typed.
    pub username: String,
    /// Always `"0"`.
    pub discriminator: String,
    /// The display name, if one was chosen.
    pub global_name: Option<String>,
    /// The avatar's hash, if there is one.
    pub avatar: Option<String>,
    /// Is it a program?
    pub bot: bool,
}

impl User {
    /// A person with a name and nothing else.
    pub fn new(id: UserId, username: String) -> Self {
        Self {
            id,
            username,
            discriminator: "0".into(),
            global_name: None,
            avatar: None,
            bot: false,
        }
    }
}

/// The caller's own account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrentUser {
    /// What others see too.
    #[serde(flatten)]
    pub user: User,
    /// Is the user an administrator of the instance?
    pub admin: bool,
}
