//! Logins. Whether one has expired is decided by who asks: `used_after` is the moment before which an unused login is no longer
//! good.

use nexus_types::ids::{LoginId, UserId};
use nexus_types::limits::{ACCESS_TOKEN_MS, REQUEST_MS_MAX};
use nexus_types::logins::Login;
use nexus_types::timestamps::Timestamp;

use crate::{StoreError, Tx};

/// How long after its end an access token of a login may still be good: a request that was answered meanwhile may have made one a
/// little later.
pub const ENDED_LOGIN_MS: i64 = ACCESS_TOKEN_MS + REQUEST_MS_MAX;

/// A new login's row.
#[derive(Debug, Clone, Copy)]
pub struct NewLogin<'a> {
    /// Its id.
    pub id: LoginId,
    /// Whose.
    pub user: UserId,
    /// What signed in, in words.
    pub client: &'a str,
    /// SHA-256 of what all its refresh tokens share.
    pub family_hash: &'a [u8; 32],
    /// SHA-256 of the first refresh token.
    pub token_hash: &'a [u8; 32],
    /// When.
    pub created_at: Timestamp,
}

/// A login as a refresh token finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub id: LoginId,
    /// Whose.
    pub user: UserId,
    /// SHA-256 of the present refresh token.
    pub token_hash: Vec<u8>,
    /// SHA-256 of the one before it.
    pub previous_hash: Option<Vec<u8>>,
    /// When the present token replaced it.
    pub used_at: Timestamp,
    /// Did it end?
    pub ended: bool,
}

/// Adds a login.
///
/// # Errors
/// Those of the store.
pub async fn insert(tx: &mut Tx<'_>, login: NewLogin<'_>) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO logins (id, user_id, client, family_hash, token_hash, created_ms, used_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $6)";
    let args = [
        login.id.into(),
        login.user.into(),
        login.client.into(),
        login.family_hash.into(),
        login.token_hash.into(),
        login.created_at.into(),
    ];
    tx.execute(INSERT, &args).await.map(drop)
}

/// The login that a refresh token belongs to, also if it ended or the token is an old one.
///
/// # Errors
/// Those of the store.
pub async fn by_family(tx: &mut Tx<'_>, family_hash: &[u8; 32]) -> Result<Option<Found>, StoreError> {
    const FIND: &str = "SELECT id, user_id, token_hash, previous_hash, used_ms, ended_ms IS NOT NULL FROM logins WHERE family_hash = $1";
    tx.query_opt(FIND, &[family_hash.into()], |row| {
        Ok(Found {
            id: row.get(0)?,
            user: row.get(1)?,
            token_hash: row.get(2)?,
            previous_hash: row.get(3)?,
            used_at: row.get(4)?,
            ended: row.get(5)?,
        })
    })
    .await
}

/// Puts a new refresh token in the place of the present one, which becomes the previous one.
///
/// # Errors
/// Those of the store.
pub async fn rotate(tx: &mut Tx<'_>, id: LoginId, next_hash: &[u8; 32], now: Timestamp) -> Result<bool, StoreError> {
    const ROTATE: &str = "UPDATE logins SET previous_hash = token_hash, token_hash = $2, used_ms = $3 WHERE id = $1 AND ended_ms IS NULL";
    Ok(tx.execute(ROTATE, &[id.into(), next_hash.into(), now.into()]).await? == 1)
}

/// The live logins of a user, the one used last first. None of them is marked as current.
///
/// # Errors
/// Those of the store.
pub async fn live(tx: &mut Tx<'_>, user: UserId, used_after: Timestamp) -> Result<Vec<Login>, StoreError> {
    const LIVE: &str = "SELECT id, created_ms, used_ms, client FROM logins
        WHERE user_id = $1 AND used_ms > $2 AND ended_ms IS NULL ORDER BY used_ms DESC, id DESC";
    tx.query(LIVE, &[user.into(), used_after.into()], |row| {
        Ok(Login {
            id: row.get(0)?,
            created_at: row.get(1)?,
            last_used_at: row.get(2)?,
            client: row.get(3)?,
            current: false,
        })
    })
    .await
}

/// Is this a login of this user that has not ended?
///
/// # Errors
/// Those of the store.
pub async fn is_live(tx: &mut Tx<'_>, id: LoginId, user: UserId) -> Result<bool, StoreError> {
    const LIVE: &str = "SELECT id FROM logins WHERE id = $1 AND user_id = $2 AND ended_ms IS NULL";
    Ok(tx
        .query_opt(LIVE, &[id.into(), user.into()], |row| row.get::<LoginId>(0))
        .await?
        .is_some())
}

/// Ends a login of a user; false if there is none or it ended before.
///
/// # Errors
/// Those of the store.
pub async fn end(tx: &mut Tx<'_>, id: LoginId, user: UserId, now: Timestamp) -> Result<bool, StoreError> {
    const END: &str = "UPDATE logins SET ended_ms = $3 WHERE id = $1 AND user_id = $2 AND ended_ms IS NULL";
    Ok(tx.execute(END, &[id.into(), user.into(), now.into()]).await? == 1)
}

/// The logins that ended after a moment.
///
/// # Errors
/// Those of the store.
pub async fn ended_after(tx: &mut Tx<'_>, after: Timestamp) -> Result<Vec<(LoginId, Timestamp)>, StoreError> {
    const ENDED: &str = "SELECT id, ended_ms FROM logins WHERE ended_ms > $1";
    tx.query(ENDED, &[after.into()], |row| Ok((row.get(0)?, row.get(1)?))).await
}

/// Some logins that nobody used since a moment and that have not ended, the one unused longest first.
///
/// # Errors
/// Those of the store.
pub async fn expired(tx: &mut Tx<'_>, used_before: Timestamp, limit: i64) -> Result<Vec<(LoginId, UserId)>, StoreError> {
    const EXPIRED: &str = "SELECT id, user_id FROM logins WHERE used_ms <= $1 AND ended_ms IS NULL ORDER BY used_ms LIMIT $2";
    tx.query(EXPIRED, &[used_before.into(), limit.into()], |row| Ok((row.get(0)?, row.get(1)?)))
        .await
}

/// Deletes some logins that ended so long ago that none of their access tokens is good, and says how many.
///
/// # Errors
/// Those of the store.
pub async fn sweep(tx: &mut Tx<'_>, now_ms: i64, limit: i64) -> Result<u64, StoreError> {
    const ENDED: &str = "DELETE FROM logins WHERE id IN (SELECT id FROM logins WHERE ended_ms <= $1 ORDER BY ended_ms LIMIT $2)";
    tx.execute(ENDED, &[(now_ms - ENDED_LOGIN_MS).into(), limit.into()]).await
}
