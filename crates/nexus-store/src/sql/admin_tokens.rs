//! Tokens for administrators' routes: programs that read metrics, not people.

use nexus_types::timestamps::Timestamp;

use crate::{StoreError, Tx};

/// Stores a token's hash; false if there are as many as there may be.
///
/// # Errors
/// Those of the store.
pub async fn insert(tx: &mut Tx<'_>, token_hash: &[u8; 32], created_at: Timestamp, most: i64) -> Result<bool, StoreError> {
    const INSERT: &str = "INSERT INTO admin_tokens (token_hash, created_ms)
        SELECT $1, $2 WHERE (SELECT COUNT(*) FROM admin_tokens) < $3";
    Ok(tx.execute(INSERT, &[token_hash.into(), created_at.into(), most.into()]).await? == 1)
}

/// Is this a token's hash?
///
/// # Errors
/// Those of the store.
pub async fn exists(tx: &mut Tx<'_>, token_hash: &[u8; 32]) -> Result<bool, StoreError> {
    const FIND: &str = "SELECT created_ms FROM admin_tokens WHERE token_hash = $1";
    let found = tx.query_opt(FIND, &[token_hash.into()], |row| row.get::<i64>(0)).await?;
    Ok(found.is_some())
}

/// Removes all tokens, and says how many there were.
///
/// # Errors
/// Those of the store.
pub async fn clear(tx: &mut Tx<'_>) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM admin_tokens", &[]).await
}
