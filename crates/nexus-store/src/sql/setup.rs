//! Setup links: the way to the first administrator.

use nexus_types::timestamps::Timestamp;

use crate::{StoreError, Tx};

/// Puts a new link in the place of all earlier ones.
///
/// # Errors
/// Those of the store.
pub async fn replace_link(tx: &mut Tx<'_>, token_hash: &[u8; 32], expires_at: Timestamp) -> Result<(), StoreError> {
    tx.execute("DELETE FROM setup_links", &[]).await?;
    tx.execute(
        "INSERT INTO setup_links (token_hash, expires_ms) VALUES ($1, $2)",
        &[token_hash.into(), expires_at.into()],
    )
    .await
    .map(drop)
}

/// Is this link good?
///
/// # Errors
/// Those of the store.
pub async fn link_is_good(tx: &mut Tx<'_>, token_hash: &[u8; 32], now: Timestamp) -> Result<bool, StoreError> {
    const GOOD: &str = "SELECT expires_ms FROM setup_links WHERE token_hash = $1 AND expires_ms > $2";
    Ok(tx
        .query_opt(GOOD, &[token_hash.into(), now.into()], |row| row.get::<i64>(0))
        .await?
        .is_some())
}

/// Uses a link up; false if it is not good (any more). Of two at once, one gets true.
///
/// # Errors
/// Those of the store.
pub async fn use_link(tx: &mut Tx<'_>, token_hash: &[u8; 32], now: Timestamp) -> Result<bool, StoreError> {
    const USE: &str = "DELETE FROM setup_links WHERE token_hash = $1 AND expires_ms > $2";
    Ok(tx.execute(USE, &[token_hash.into(), now.into()]).await? == 1)
}
