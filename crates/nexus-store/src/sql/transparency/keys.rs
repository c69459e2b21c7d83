//! The cosigners' keys.

use nexus_crypto::hashes::Hash;
use nexus_crypto::tree_heads::{CosignerKey, EndedAt};

use super::whole;
use crate::transparency::StoredKey;
use crate::{StoreError, Tx};

/// Every key, in the order in which they were set.
///
/// # Errors
/// Those of the store.
pub async fn all(tx: &mut Tx<'_>) -> Result<Vec<StoredKey>, StoreError> {
    const ALL: &str = "SELECT cosigner, public_key, from_s, until_s, endorsement, operator, url, ended_size, ended_head
        FROM cosigner_keys ORDER BY place";
    tx.query(ALL, &[], |row| {
        let ended: (Option<i64>, Option<Hash>) = (row.get(7)?, row.get(8)?);
        Ok(StoredKey {
            key: CosignerKey {
                cosigner: row.get(0)?,
                public_key: row.get(1)?,
                from_s: row.get(2)?,
                until_s: row.get(3)?,
                endorsement: row.get(4)?,
                ended_at: ended.0.zip(ended.1).map(|(size, head)| EndedAt {
                    tree_size: size.cast_unsigned(),
                    head,
                }),
            },
            operator: row.get(5)?,
            url: row.get(6)?,
        })
    })
    .await
}

/// Puts these keys in the place of all earlier ones.
///
/// # Errors
/// Those of the store.
pub async fn replace(tx: &mut Tx<'_>, list: &[StoredKey]) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO cosigner_keys (place, cosigner, public_key, from_s, until_s, endorsement, operator, url,
        ended_size, ended_head) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    tx.execute("DELETE FROM cosigner_keys", &[]).await?;
    for (place, StoredKey { key, operator, url }) in (0_i64..).zip(list) {
        let args = [
            place.into(),
            (&key.cosigner).into(),
            key.public_key.as_bytes().into(),
            key.from_s.into(),
            key.until_s.into(),
            key.endorsement.as_ref().into(),
            operator.into(),
            url.as_ref().into(),
            key.ended_at.map(|ended| whole(ended.tree_size)).into(),
            key.ended_at.as_ref().map(|ended| &ended.head).into(),
        ];
        tx.execute(INSERT, &args).await?;
    }
    Ok(())
}
