//! Registering.

use nexus_store::sql::users::NewUser;
use nexus_store::{StoreError, Tx, sql};
use nexus_types::ErrorCode;
use nexus_types::ids::UserId;
use nexus_types::logins::{Granted, Register};
use nexus_types::users::{CurrentUser, User};

use super::{Caller, Logins, Start, begin, mark, parse_account};
use crate::{App, Error, Result};

impl Logins<'_> {
    /// Makes an account and signs in to it.
    ///
    /// An invite is looked at before anything is written, and a bad one refuses the whole. If it goes bad in the moment between
    /// that and the joining, the account stands and has not joined: an error then would say that nothing changed.
    ///
    /// # Errors
    /// [`ErrorCode::RegistrationClosed`], field errors, those of [`crate::invites::Invites::show`], [`ErrorCode::Busy`], and
    /// [`ErrorCode::UsernameTaken`] also for names that only look alike.
    pub async fn register(&self, register: Register, client: &str) -> Result<Granted> {
        let app = self.0;
        if !is_open(app).await? {
            return Err(ErrorCode::RegistrationClosed.into());
        }
        let (username, password) = parse_account(&register.username, &register.password)?;
        if let Some(code) = &register.invite {
            app.invites().show(code).await?;
        }
        let password_hash = app.hasher.hash(password).await?;

        let user = User::new(UserId(app.clock.next_id()), username.as_str().to_owned());
        let account = CurrentUser { user, admin: false };
        let start = Start::new(app, client);
        let caller = Caller {
            user: account.user.id,
            login: Some(start.login),
        };
        let job = async move |tx: &mut Tx<'_>| {
            let row = NewUser {
                id: account.user.id,
                username: username.as_str(),
                folded: &username.folded(),
                password_hash: &password_hash,
                admin: account.admin,
                created_at: start.now,
            };
            if !sql::users::insert(tx, row).await? {
                return Err(Error::refused(ErrorCode::UsernameTaken));
            }
            let ended = begin(tx, account.user.id, &start).await?;
            Ok((account, start, ended))
        };
        let (account, start, ended) = app.db.write(job).await?;
        mark(app, &ended);

        if let Some(code) = &register.invite
            && let Err(error) = app.invites().join(caller, code).await
        {
            tracing::warn!(user = %caller.user, error = &error as &dyn std::error::Error, "a new account could not join with its invite");
        }
        self.grant(account, start.login, &start.token)
    }
}

/// May anybody register at the moment?
pub(crate) async fn is_open(app: &App) -> Result<bool> {
    if !app.settings.registration_open {
        return Ok(false);
    }
    if !app.settings.registration_needs_admin {
        return Ok(true);
    }
    Ok(app
        .db
        .read::<_, StoreError, _>(async move |tx: &mut Tx<'_>| sql::users::admin_exists(tx).await)
        .await?)
}
