//! The first administrator, and what a page must know before anybody signs in.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nexus_store::sql::users::NewUser;
use nexus_store::{StoreError, Tx, sql};
use nexus_types::ErrorCode;
use nexus_types::ids::UserId;
use nexus_types::limits::SETUP_LINK_MS;
use nexus_types::logins::{Granted, Instance, Setup};
use nexus_types::timestamps::Timestamp;
use nexus_types::users::{CurrentUser, User};
use sha2::{Digest, Sha256};

use crate::logins::{Start, begin, is_open, mark, parse_account};
use crate::{App, Error, Result};

/// The use cases around the first administrator.
pub struct SetupLinks<'a>(pub(crate) &'a App);

impl SetupLinks<'_> {
    /// Makes the token of a new setup link, or `None` if there is an administrator. Earlier links stop working; this one works for
    /// a day. Only its hash is stored.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn new_link(&self) -> Result<Option<String>> {
        let app = self.0;
        let token = URL_SAFE_NO_PAD.encode(app.clock.random::<32>());
        let (hash, expires_at) = (hash(&token), Timestamp(app.clock.now_ms() + SETUP_LINK_MS));
        let job = async move |tx: &mut Tx<'_>| {
            if sql::users::admin_exists(tx).await? {
                return Ok(false);
            }
            sql::setup::replace_link(tx, &hash, expires_at).await?;
            Ok(true)
        };
        let made = app.db.write::<_, StoreError, _>(job).await?;
        Ok(made.then_some(token))
    }

    /// Makes the first administrator and signs in.
    ///
    /// # Errors
    /// [`ErrorCode::AlreadySetUp`] if there is one; [`ErrorCode::InvalidSetupToken`] if the link is wrong or too old;
    /// field errors; [`ErrorCode::UsernameTaken`]; [`ErrorCode::Busy`].
    pub async fn complete(&self, setup: Setup, client: &str) -> Result<Granted> {
        let app = self.0;
        let token_hash = hash(&setup.token);
        let now = app.clock.now();
        // Nobody without a good link makes us hash a password.
        let look = async move |tx: &mut Tx<'_>| {
            Ok((
                sql::users::admin_exists(tx).await?,
                sql::setup::link_is_good(tx, &token_hash, now).await?,
            ))
        };
        match app.db.read::<_, StoreError, _>(look).await? {
            (true, _) => return Err(ErrorCode::AlreadySetUp.into()),
            (false, false) => return Err(ErrorCode::InvalidSetupToken.into()),
            (false, true) => {}
        }
        let (username, password) = parse_account(&setup.username, &setup.password)?;
        let password_hash = app.hasher.hash(password).await?;

        let account = CurrentUser {
            user: User::new(UserId(app.clock.next_id()), username.as_str().to_owned()),
            admin: true,
        };
        let start = Start::new(app, client);
        let job = async move |tx: &mut Tx<'_>| {
            let used = sql::setup::use_link(tx, &token_hash, start.now).await?;
            if sql::users::admin_exists(tx).await? {
                return Err(Error::refused(ErrorCode::AlreadySetUp));
            }
            if !used {
                return Err(ErrorCode::InvalidSetupToken.into());
            }
            let row = NewUser {
                id: account.user.id,
                username: username.as_str(),
                folded: &username.folded(),
                password_hash: &password_hash,
                admin: account.admin,
                created_at: start.now,
            };
            if !sql::users::insert(tx, row).await? {
                return Err(ErrorCode::UsernameTaken.into());
            }
            let ended = begin(tx, account.user.id, &start).await?;
            Ok((account, start, ended))
        };
        let (account, start, ended) = app.db.write(job).await?;
        mark(app, &ended);
        app.logins().grant(account, start.login, &start.token)
    }

    /// Is there no administrator yet?
    ///
    /// # Errors
    /// Those of the store.
    pub async fn required(&self) -> Result<bool> {
        let exists = self
            .0
            .db
            .read::<_, StoreError, _>(async move |tx: &mut Tx<'_>| sql::users::admin_exists(tx).await)
            .await?;
        Ok(!exists)
    }

    /// What a page must know before anybody signs in.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn instance(&self) -> Result<Instance> {
        let registration = if is_open(self.0).await? { "open" } else { "closed" };
        Ok(Instance {
            name: self.0.settings.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            registration: registration.to_owned(),
            setup_required: self.required().await?,
        })
    }
}

/// A token of 256 random bits needs no slow hash.
fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}
