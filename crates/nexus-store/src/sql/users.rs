//! Accounts.

use nexus_types::ids::UserId;
use nexus_types::timestamps::Timestamp;
use nexus_types::users::{CurrentUser, User};

use crate::{Row, StoreError, Tx};

/// A new account's row.
#[derive(Debug, Clone, Copy)]
pub struct NewUser<'a> {
    /// Its id.
    pub id: UserId,
    /// The name as typed.
    pub username: &'a str,
    /// The name as it must be unique.
    pub folded: &'a str,
    /// The PHC string.
    pub password_hash: &'a str,
    /// Is it an administrator?
    pub admin: bool,
    /// When.
    pub created_at: Timestamp,
}

/// Adds an account; false if the folded name belongs to somebody.
///
/// # Errors
/// Those of the store.
pub async fn insert(tx: &mut Tx<'_>, user: NewUser<'_>) -> Result<bool, StoreError> {
    const INSERT: &str = "INSERT INTO users (id, username, folded, password_hash, admin, created_ms)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (folded) DO NOTHING";
    let args = [
        user.id.into(),
        user.username.into(),
        user.folded.into(),
        user.password_hash.into(),
        user.admin.into(),
        user.created_at.into(),
    ];
    Ok(tx.execute(INSERT, &args).await? == 1)
}

/// Adds the account of a bot, which has no password; false if the folded name belongs to somebody.
///
/// # Errors
/// Those of the store.
pub async fn insert_bot(tx: &mut Tx<'_>, id: UserId, username: &str, folded: &str, created_at: Timestamp) -> Result<bool, StoreError> {
    // '!' is the hash of nothing, as in a Unix password file.
    const INSERT: &str = "INSERT INTO users (id, username, folded, password_hash, admin, bot, created_ms)
        VALUES ($1, $2, $3, '!', 0, 1, $4) ON CONFLICT (folded) DO NOTHING";
    let args = [id.into(), username.into(), folded.into(), created_at.into()];
    Ok(tx.execute(INSERT, &args).await? == 1)
}

/// Reads an account as others see it from three columns: `id, username, bot`.
pub(super) fn user(row: &Row<'_>, first: usize) -> Result<User, StoreError> {
    Ok(User {
        bot: row.get(first + 2)?,
        ..User::new(row.get(first)?, row.get(first + 1)?)
    })
}

/// An account as others see it.
///
/// # Errors
/// Those of the store.
pub async fn load(tx: &mut Tx<'_>, id: UserId) -> Result<Option<User>, StoreError> {
    const LOAD: &str = "SELECT id, username, bot FROM users WHERE id = $1";
    tx.query_opt(LOAD, &[id.into()], |row| user(row, 0)).await
}

/// The account of a folded name as others see it, a person's or a bot's.
///
/// # Errors
/// Those of the store.
pub async fn named(tx: &mut Tx<'_>, folded: &str) -> Result<Option<User>, StoreError> {
    const FIND: &str = "SELECT id, username, bot FROM users WHERE folded = $1";
    tx.query_opt(FIND, &[folded.into()], |row| user(row, 0)).await
}

/// An account as its owner sees it.
///
/// # Errors
/// Those of the store.
pub async fn current(tx: &mut Tx<'_>, id: UserId) -> Result<Option<CurrentUser>, StoreError> {
    const CURRENT: &str = "SELECT id, username, bot, admin FROM users WHERE id = $1";
    tx.query_opt(CURRENT, &[id.into()], |row| {
        Ok(CurrentUser {
            user: user(row, 0)?,
            admin: row.get(3)?,
        })
    })
    .await
}

/// The id and password hash behind a folded name; a bot has none.
///
/// # Errors
/// Those of the store.
pub async fn by_folded_name(tx: &mut Tx<'_>, folded: &str) -> Result<Option<(UserId, String)>, StoreError> {
    const FIND: &str = "SELECT id, password_hash FROM users WHERE folded = $1 AND NOT bot";
    tx.query_opt(FIND, &[folded.into()], |row| Ok((row.get(0)?, row.get(1)?))).await
}

/// The password hash of an account; a bot has none.
///
/// # Errors
/// Those of the store.
pub async fn password_hash(tx: &mut Tx<'_>, id: UserId) -> Result<Option<String>, StoreError> {
    const HASH: &str = "SELECT password_hash FROM users WHERE id = $1 AND NOT bot";
    tx.query_opt(HASH, &[id.into()], |row| row.get(0)).await
}

/// Replaces a password hash; false if it is no longer the one that was checked.
///
/// # Errors
/// Those of the store.
pub async fn set_password_hash(tx: &mut Tx<'_>, id: UserId, checked: &str, hash: &str) -> Result<bool, StoreError> {
    const SET: &str = "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2";
    Ok(tx.execute(SET, &[id.into(), checked.into(), hash.into()]).await? == 1)
}

/// Is there an administrator?
///
/// # Errors
/// Those of the store.
pub async fn admin_exists(tx: &mut Tx<'_>) -> Result<bool, StoreError> {
    const EXISTS: &str = "SELECT id FROM users WHERE admin LIMIT 1";
    Ok(tx.query_opt(EXISTS, &[], |row| row.get::<UserId>(0)).await?.is_some())
}
