//! Tokens for administrators' routes, such as the metrics: for programs, not for people. Only their hashes are stored.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nexus_store::{StoreError, Tx, sql};
use nexus_types::ErrorCode;
use nexus_types::limits::ADMIN_TOKENS_MAX;
use sha2::{Digest, Sha256};

use crate::clock::Clock;
use crate::{App, Error, Result};

/// Begins every such token, so that a scanner for secrets knows one when it sees it.
const PREFIX: &str = "nxa_";
/// Longer texts are not looked at.
const TOKEN_BYTES_MAX: usize = 128;

/// The use cases of administrators' tokens.
pub struct AdminTokens<'a>(pub(crate) &'a App);

impl AdminTokens<'_> {
    /// Checks a token.
    ///
    /// # Errors
    /// [`ErrorCode::Unauthorized`], or those of the store.
    pub async fn verify(&self, token: &str) -> Result<()> {
        verify(&self.0.db, token).await
    }
}

/// Does it look like such a token?
pub fn is_one(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// Checks a token where there is no application, such as in a process without communities.
///
/// # Errors
/// As [`AdminTokens::verify`].
pub async fn verify(db: &nexus_store::Db, token: &str) -> Result<()> {
    if !is_one(token) || token.len() > TOKEN_BYTES_MAX {
        return Err(ErrorCode::Unauthorized.into());
    }
    let hash = hash(token);
    let known = db
        .read::<_, StoreError, _>(async move |tx: &mut Tx<'_>| sql::admin_tokens::exists(tx, &hash).await)
        .await?;
    if known { Ok(()) } else { Err(ErrorCode::Unauthorized.into()) }
}

/// Makes a token. It is shown once, here.
///
/// # Errors
/// [`ErrorCode::TooManyAdminTokens`], or those of the store.
pub async fn create(db: &nexus_store::Db, clock: &Clock) -> Result<String> {
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(clock.random::<32>()));
    let (hash, now) = (hash(&token), clock.now());
    let made = db
        .write::<_, StoreError, _>(async move |tx: &mut Tx<'_>| sql::admin_tokens::insert(tx, &hash, now, ADMIN_TOKENS_MAX).await)
        .await?;
    if made {
        Ok(token)
    } else {
        Err(Error::refused(ErrorCode::TooManyAdminTokens))
    }
}

/// Ends all tokens, and says how many there were.
///
/// # Errors
/// Those of the store.
pub async fn revoke_all(db: &nexus_store::Db) -> Result<u64> {
    Ok(db
        .write::<_, StoreError, _>(async |tx: &mut Tx<'_>| sql::admin_tokens::clear(tx).await)
        .await?)
}

/// A token of 256 random bits needs no slow hash.
fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}
