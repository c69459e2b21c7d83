//! The caller's own account.

use nexus_store::{StoreError, Tx, sql};
use nexus_types::ErrorCode;
use nexus_types::ids::LoginId;
use nexus_types::logins::ChangePassword;
use nexus_types::names::Password;
use nexus_types::users::CurrentUser;

use crate::logins::{Caller, end_all, mark, used_after};
use crate::passwords::Verdict;
use crate::{App, Error, Result};

/// The use cases of a user's own account.
pub struct Users<'a>(pub(crate) &'a App);

impl Users<'_> {
    /// The caller's account.
    ///
    /// # Errors
    /// [`ErrorCode::Unauthorized`] if it is gone.
    pub async fn me(&self, caller: Caller) -> Result<CurrentUser> {
        let job = async move |tx: &mut Tx<'_>| sql::users::current(tx, caller.user).await;
        let user = self.0.db.read::<_, StoreError, _>(job).await?;
        user.ok_or_else(|| ErrorCode::Unauthorized.into())
    }

    /// Changes the caller's password and ends every other login of the account.
    ///
    /// # Errors
    /// [`ErrorCode::BadCredentials`] if the present password is wrong or was changed meanwhile; a field error at `new_password`;
    /// [`ErrorCode::Busy`] if too many passwords are being hashed; [`ErrorCode::Unauthorized`] if the caller's login has ended;
    /// [`ErrorCode::BotsNotAllowed`].
    pub async fn change_password(&self, caller: Caller, change: ChangePassword) -> Result<CurrentUser> {
        let app = self.0;
        let login = caller.require_login()?;
        let new = Password::parse("new_password", &change.new_password)?;
        let Ok(present) = Password::parse("password", &change.password) else {
            return Err(ErrorCode::BadCredentials.into());
        };
        let find = async move |tx: &mut Tx<'_>| sql::users::password_hash(tx, caller.user).await;
        let checked = app.db.read::<_, StoreError, _>(find).await?.ok_or(ErrorCode::Unauthorized)?;
        if app.hasher.verify(present, Some(checked.clone())).await? == Verdict::Wrong {
            return Err(ErrorCode::BadCredentials.into());
        }
        let hash = app.hasher.hash(new).await?;

        let now_ms = app.clock.now_ms();
        let job = async move |tx: &mut Tx<'_>| {
            if !sql::logins::is_live(tx, login, caller.user).await? {
                return Err(Error::refused(ErrorCode::Unauthorized));
            }
            if !sql::users::set_password_hash(tx, caller.user, &checked, &hash).await? {
                return Err(ErrorCode::BadCredentials.into());
            }
            let live = sql::logins::live(tx, caller.user, used_after(now_ms)).await?;
            let others: Vec<LoginId> = live.iter().map(|login| login.id).filter(|id| *id != login).collect();
            let ended = end_all(tx, caller.user, &others, now_ms).await?;
            let user = sql::users::current(tx, caller.user).await?.ok_or(ErrorCode::Unauthorized)?;
            Ok((user, ended))
        };
        let (user, ended) = app.db.write(job).await?;
        mark(app, &ended);
        Ok(user)
    }
}
