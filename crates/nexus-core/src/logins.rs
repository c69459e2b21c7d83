//! Logins: registering, signing in, exchanging refresh tokens, signing out, and who a request comes from.
//!
//! A login is one authenticated browser or app of a user. It holds a refresh token, which is exchanged for the next one at each
//! use, and access tokens of a quarter of an hour, which are never stored. Rate limits by address belong to the server, not here.
//!
//! The page of this subsystem is `docs/subsystems/logins.md`.

mod authenticate;
mod begin;
mod clients;
mod end;
mod list;
mod refresh;
mod refresh_tokens;
mod register;
mod sign_in;
mod tokens;

use nexus_types::ids::{LoginId, UserId};
use nexus_types::limits::REFRESH_TOKEN_MS;
use nexus_types::names::{Password, Username};
use nexus_types::timestamps::Timestamp;
use nexus_types::{ErrorCode, FieldErrors};

pub(crate) use begin::{Start, begin};
pub use clients::label;
pub(crate) use end::{end_all, end_expired, mark};
pub(crate) use refresh_tokens::RefreshToken;
pub(crate) use register::is_open;
pub use tokens::Tokens;

use crate::{App, Error, Result};

/// Who a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The user.
    pub user: UserId,
    /// The login that a person's access token was made for; a bot has none.
    pub login: Option<LoginId>,
}

impl Caller {
    /// A person's login. What is for people alone begins with this.
    ///
    /// # Errors
    /// [`ErrorCode::BotsNotAllowed`].
    pub fn require_login(&self) -> Result<LoginId> {
        self.login.ok_or(Error::refused(ErrorCode::BotsNotAllowed))
    }
}

/// The use cases of logins.
pub struct Logins<'a>(pub(crate) &'a App);

/// The moment before which an unused login is no longer good.
pub(crate) fn used_after(now_ms: i64) -> Timestamp {
    Timestamp(now_ms - REFRESH_TOKEN_MS)
}

/// A name and a password for a new account; what is wrong with either is said at once.
pub(crate) fn parse_account(username: &str, password: &str) -> Result<(Username, Password), FieldErrors> {
    match (Username::parse(username), Password::parse("password", password)) {
        (Ok(username), Ok(password)) => Ok((username, password)),
        (Err(mut one), Err(other)) => {
            one.0.extend(other.0);
            Err(one)
        }
        (Err(errors), _) | (_, Err(errors)) => Err(errors),
    }
}
