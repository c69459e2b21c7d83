//! Registering, signing in and the logins of a user: the routes that Discord's public API lacks.

use serde::{Deserialize, Serialize};

use crate::ids::LoginId;
use crate::timestamps::Timestamp;
use crate::users::CurrentUser;

/// `POST /auth/register`.
#[derive(Deserialize)]
pub struct Register {
    /// See [`crate::names::Username`].
    pub username: String,
    /// See [`crate::names::Password`].
    pub password: String,
    /// The code of an invite to join at once.
    #[serde(default)]
    pub invite: Option<String>,
}

/// `POST /auth/login`.
#[derive(Deserialize)]
pub struct SignIn {
    /// The user name in any spelling that folds to it.
    pub username: String,
    /// The password.
    pub password: String,
}

/// `POST /auth/refresh`; the web client sends the token as a cookie and an empty object.
#[derive(Deserialize, Default)]
pub struct Refresh {
    /// The refresh token.
    #[serde(default)]
    pub refresh_token: Option<String>,
}

/// `POST /setup`.
#[derive(Deserialize)]
pub struct Setup {
    /// The token of the setup link.
    pub token: String,
    /// The administrator's name.
    pub username: String,
    /// The administrator's password.
    pub password: String,
}

/// `PATCH /users/@me`.
#[derive(Deserialize)]
pub struct ChangePassword {
    /// The present password.
    pub password: String,
    /// The one to have from now on.
    pub new_password: String,
}

/// The answer to register, login, refresh and setup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Granted {
    /// The account.
    pub user: CurrentUser,
    /// A JWT for `Authorization: Bearer` and IDENTIFY.
    pub access_token: String,
    /// Absent where it travels as a cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Life of the access token, in seconds.
    pub expires_in: i64,
}

/// One login in `GET /auth/logins`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Login {
    /// The login's id.
    pub id: LoginId,
    /// When it began.
    pub created_at: Timestamp,
    /// When its refresh token was last used.
    pub last_used_at: Timestamp,
    /// What signed in, in words ("Firefox on Linux").
    pub client: String,
    /// Is it the one that asks?
    pub current: bool,
}

/// `GET /instance`: what a page must know before anybody signs in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Instance {
    /// The instance's name.
    pub name: String,
    /// The version that runs.
    pub version: String,
    /// `open` or `closed`.
    pub registration: String,
    /// Is there no administrator yet?
    pub setup_required: bool,
}
