//! Ending logins. Whoever ends one appends the event in the same write, so that its sockets close on every node.

use nexus_store::{StoreError, Tx, sql};
use nexus_types::ErrorCode;
use nexus_types::events::Event;
use nexus_types::ids::{LoginId, UserId};
use nexus_types::timestamps::Timestamp;

use super::{Caller, Logins, RefreshToken, used_after};
use crate::{App, Error, Result, events};

/// Inside a job: ends those of these logins that belong to the user and have not ended, and says which they were.
///
/// # Invariant
/// After the commit they are handed to [`mark`], so that their access tokens are refused at once.
pub(crate) async fn end_all(tx: &mut Tx<'_>, user: UserId, logins: &[LoginId], now_ms: i64) -> Result<Vec<LoginId>, StoreError> {
    let mut ended = vec![];
    for &login in logins {
        if sql::logins::end(tx, login, user, Timestamp(now_ms)).await? {
            events::append(
                tx,
                now_ms,
                &Event::LoginEnd {
                    user_id: user,
                    login_id: login,
                },
            )
            .await?;
            ended.push(login);
        }
    }
    Ok(ended)
}

/// Inside a job: ends some logins that nobody used for as long as a refresh token lasts, so that a socket still open under one closes.
/// Says how many. Their access tokens died long ago.
pub(crate) async fn end_expired(tx: &mut Tx<'_>, now_ms: i64, limit: i64) -> Result<usize, StoreError> {
    let expired = sql::logins::expired(tx, used_after(now_ms), limit).await?;
    for (login, user) in &expired {
        end_all(tx, *user, &[*login], now_ms).await?;
    }
    Ok(expired.len())
}

/// After the commit: refuses the access tokens of ended logins from now on.
pub(crate) fn mark(app: &App, ended: &[LoginId]) {
    let now_ms = app.clock.now_ms();
    for &login in ended {
        app.tokens.ended(login, now_ms);
    }
}

impl Logins<'_> {
    /// Ends the caller's own login. Once more does no harm.
    ///
    /// # Errors
    /// [`ErrorCode::BotsNotAllowed`].
    pub async fn sign_out(&self, caller: Caller) -> Result<()> {
        let (login, now_ms) = (caller.require_login()?, self.0.clock.now_ms());
        let job = async move |tx: &mut Tx<'_>| end_all(tx, caller.user, &[login], now_ms).await;
        let _ended: Vec<LoginId> = self.0.db.write(job).await?;
        // Also one that had ended: the answer to its first end may have been lost, and with it this.
        mark(self.0, &[login]);
        Ok(())
    }

    /// Ends the login of a refresh token, for a client whose access token has expired. A token of no login is fine too: then there
    /// is nothing to end.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sign_out_with(&self, token: &str) -> Result<()> {
        let Some(token) = RefreshToken::parse(token) else { return Ok(()) };
        let (family, now_ms) = (token.family_hash(), self.0.clock.now_ms());
        let job = async move |tx: &mut Tx<'_>| {
            let Some(found) = sql::logins::by_family(tx, &family).await? else {
                return Ok(vec![]);
            };
            end_all(tx, found.user, &[found.id], now_ms).await
        };
        let ended: Vec<LoginId> = self.0.db.write::<_, StoreError, _>(job).await?;
        mark(self.0, &ended);
        Ok(())
    }

    /// Ends one of the caller's logins.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownLogin`] if it has ended or is somebody else's; which one is not said. [`ErrorCode::Unauthorized`] if the
    /// caller's own has ended meanwhile. [`ErrorCode::BotsNotAllowed`].
    pub async fn end(&self, caller: Caller, login: LoginId) -> Result<()> {
        let (own, now_ms) = (caller.require_login()?, self.0.clock.now_ms());
        let job = async move |tx: &mut Tx<'_>| {
            if !sql::logins::is_live(tx, own, caller.user).await? {
                return Err(Error::refused(ErrorCode::Unauthorized));
            }
            let ended = end_all(tx, caller.user, &[login], now_ms).await?;
            if ended.is_empty() {
                Err(ErrorCode::UnknownLogin.into())
            } else {
                Ok(ended)
            }
        };
        let ended: Vec<LoginId> = self.0.db.write(job).await?;
        mark(self.0, &ended);
        Ok(())
    }
}
