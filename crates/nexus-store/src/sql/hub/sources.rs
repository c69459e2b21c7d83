//! Who may send events.

use nexus_types::hub::Pattern;

use super::Rotation;
use crate::sql::{from_json, to_json};
use crate::{StoreError, Tx};

/// What a source may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// The types it may send.
    pub patterns: Vec<Pattern>,
    /// May it read events?
    pub reads: bool,
    /// Must it sign the time too?
    pub demands_timestamp: bool,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSource {
    /// Its name.
    pub name: String,
    /// What it signs with.
    pub secret: Vec<u8>,
    /// What it signed with before.
    pub previous: Option<Vec<u8>>,
    /// Until when that is good.
    pub previous_until_ms: Option<i64>,
    /// When it was added.
    pub created_ms: i64,
    /// When its secret was made.
    pub rotated_ms: i64,
    /// What it may do.
    pub rights: Rights,
}

/// Adds a source; false if there is one of that name.
///
/// # Errors
/// Those of the store.
pub async fn insert(tx: &mut Tx<'_>, name: &str, secret: &[u8], rights: &Rights, now_ms: i64) -> Result<bool, StoreError> {
    const INSERT: &str = "INSERT INTO hub_sources (name, secret, created_ms, rotated_ms, patterns, reads, demands_timestamp)
        VALUES ($1, $2, $3, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING";
    let patterns = to_json(&rights.patterns);
    let args = [
        name.into(),
        secret.into(),
        now_ms.into(),
        (&patterns).into(),
        rights.reads.into(),
        rights.demands_timestamp.into(),
    ];
    Ok(tx.execute(INSERT, &args).await? == 1)
}

/// Every source, by name.
///
/// # Errors
/// Those of the store.
pub async fn all(tx: &mut Tx<'_>) -> Result<Vec<StoredSource>, StoreError> {
    const ALL: &str = "SELECT name, secret, previous, previous_until_ms, created_ms, rotated_ms, patterns, reads, demands_timestamp
        FROM hub_sources ORDER BY name";
    tx.query(ALL, &[], |row| {
        Ok(StoredSource {
            name: row.get(0)?,
            secret: row.get(1)?,
            previous: row.get(2)?,
            previous_until_ms: row.get(3)?,
            created_ms: row.get(4)?,
            rotated_ms: row.get(5)?,
            rights: Rights {
                patterns: from_json(&row.get::<String>(6)?)?,
                reads: row.get(7)?,
                demands_timestamp: row.get(8)?,
            },
        })
    })
    .await
}

/// How many there are.
///
/// # Errors
/// Those of the store.
pub async fn count(tx: &mut Tx<'_>) -> Result<i64, StoreError> {
    let count = tx.query_opt("SELECT COUNT(*) FROM hub_sources", &[], |row| row.get(0)).await?;
    Ok(count.unwrap_or(0))
}

/// Gives a source another secret; false if there is none of that name.
///
/// # Errors
/// Those of the store.
pub async fn rotate(tx: &mut Tx<'_>, name: &str, rotation: Rotation<'_>) -> Result<bool, StoreError> {
    const ROTATE: &str = "UPDATE hub_sources SET secret = $2, previous = $3, previous_until_ms = $4, rotated_ms = $5 WHERE name = $1";
    let args = [
        name.into(),
        rotation.secret.into(),
        rotation.previous.into(),
        rotation.previous_until_ms.into(),
        rotation.rotated_ms.into(),
    ];
    Ok(tx.execute(ROTATE, &args).await? == 1)
}

/// Changes what a source may do; false if there is none of that name.
///
/// # Errors
/// Those of the store.
pub async fn update_rights(tx: &mut Tx<'_>, name: &str, rights: &Rights) -> Result<bool, StoreError> {
    const UPDATE: &str = "UPDATE hub_sources SET patterns = $2, reads = $3, demands_timestamp = $4 WHERE name = $1";
    let patterns = to_json(&rights.patterns);
    let args = [
        name.into(),
        (&patterns).into(),
        rights.reads.into(),
        rights.demands_timestamp.into(),
    ];
    Ok(tx.execute(UPDATE, &args).await? == 1)
}

/// Removes a source; false if there is none of that name. Its events stay.
///
/// # Errors
/// Those of the store.
pub async fn remove(tx: &mut Tx<'_>, name: &str) -> Result<bool, StoreError> {
    Ok(tx.execute("DELETE FROM hub_sources WHERE name = $1", &[name.into()]).await? == 1)
}
