//! Beginning a login: what registering, signing in and the setup have in common.

use nexus_store::sql::logins::NewLogin;
use nexus_store::{StoreError, Tx, sql};
use nexus_types::ids::{LoginId, UserId};
use nexus_types::limits::{ACCESS_TOKEN_MS, LOGINS_PER_USER_MAX, SECOND_MS};
use nexus_types::logins::{Granted, Login};
use nexus_types::timestamps::Timestamp;
use nexus_types::users::CurrentUser;

use super::{Logins, RefreshToken, end_all, label, used_after};
use crate::{App, Error, Result};

/// A login that is about to begin.
pub(crate) struct Start {
    /// Its id.
    pub(crate) login: LoginId,
    /// Its first refresh token.
    pub(crate) token: RefreshToken,
    /// When.
    pub(crate) now: Timestamp,
    client: String,
}

impl Start {
    /// Draws the id and the token.
    pub(crate) fn new(app: &App, user_agent: &str) -> Self {
        let login = LoginId(app.clock.next_id());
        Self {
            login,
            token: RefreshToken::first(&app.clock),
            now: app.clock.now(),
            client: label(user_agent),
        }
    }
}

/// Inside a job: writes the login, and ends those that have become too many. Says which.
pub(crate) async fn begin(tx: &mut Tx<'_>, user: UserId, start: &Start) -> Result<Vec<LoginId>, StoreError> {
    let live = sql::logins::live(tx, user, used_after(start.now.0)).await?;
    let ended = end_all(tx, user, &surplus(&live), start.now.0).await?;
    let (family_hash, token_hash) = (start.token.family_hash(), start.token.hash());
    let row = NewLogin {
        id: start.login,
        user,
        client: &start.client,
        family_hash: &family_hash,
        token_hash: &token_hash,
        created_at: start.now,
    };
    sql::logins::insert(tx, row).await?;
    Ok(ended)
}

/// Those that must end so that there is room for one more: the ones unused for longest, which come last.
fn surplus(live: &[Login]) -> Vec<LoginId> {
    live.iter().skip(LOGINS_PER_USER_MAX as usize - 1).map(|login| login.id).collect()
}

impl Logins<'_> {
    /// What a client gets for its login.
    pub(crate) fn grant(&self, user: CurrentUser, login: LoginId, token: &RefreshToken) -> Result<Granted> {
        let signed = self.0.keys.sign_access(user.user.id, login, self.0.clock.now_ms());
        let access_token = signed.map_err(|cause| Error::internal("sign an access token", cause))?;
        Ok(Granted {
            user,
            access_token,
            refresh_token: Some(token.text()),
            expires_in: ACCESS_TOKEN_MS / SECOND_MS,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logins_unused_for_longest_make_room() {
        let login = |id| Login {
            id: LoginId(id),
            created_at: Timestamp(0),
            last_used_at: Timestamp(1_000 - id),
            client: String::new(),
            current: false,
        };
        for (live, expected) in [
            (0, vec![]),
            (LOGINS_PER_USER_MAX - 1, vec![]),
            (LOGINS_PER_USER_MAX + 1, vec![50, 51]),
        ] {
            let live: Vec<Login> = (1..=live).map(login).collect();
            assert_eq!(surplus(&live), expected.into_iter().map(LoginId).collect::<Vec<_>>());
        }
    }
}
