//! Published registrations.

use nexus_crypto::hashes::Hash;
use nexus_crypto::keys::Signature;
use nexus_crypto::registrations::{Id, Registration, Rotation};
use nexus_types::limits::{ID_HISTORY_MAX, LEAVES_PAGE_MAX};

use super::{unsigned, whole};
use crate::transparency::Leaf;
use crate::{Column, ColumnValue, Row, StoreError, Tx};

/// The text of a statement over leaves, in the order that [`leaf`] reads.
macro_rules! select {
    ($tail:literal) => {
        concat!("SELECT leaf_index, id, public_key, timestamp_s, rotation FROM leaves ", $tail)
    };
}

const KNOWN: &str = "SELECT 1 FROM leaves WHERE id = $1 LIMIT 1";
const CURRENT: &str = select!("WHERE id = $1 ORDER BY leaf_index DESC LIMIT 1");
const HISTORY: &str = select!("WHERE id = $1 ORDER BY leaf_index DESC LIMIT $2");
const PAGE: &str = select!("WHERE leaf_index >= $1 ORDER BY leaf_index LIMIT $2");

fn leaf(row: &Row<'_>) -> Result<Leaf, StoreError> {
    Ok(Leaf {
        index: unsigned(row.get(0)?)?,
        registration: Registration {
            id: row.get(1)?,
            public_key: row.get(2)?,
            timestamp_s: row.get(3)?,
            rotation: row.get(4)?,
        },
    })
}

impl Column for Rotation {
    fn column(value: ColumnValue<'_>) -> Result<Self, StoreError> {
        let both = <[u8; 128]>::column(value)?;
        let (old, new) = both.split_first_chunk::<64>().expect("128 bytes begin with 64");
        Ok(Self {
            old: Signature(*old),
            new: Signature(new.try_into().expect("64 bytes are left")),
        })
    }
}

/// Adds a leaf; true if it is its id's first.
///
/// # Errors
/// Those of the store.
pub async fn insert(tx: &mut Tx<'_>, index: u64, registration: &Registration, hash: &Hash) -> Result<bool, StoreError> {
    const INSERT: &str =
        "INSERT INTO leaves (leaf_index, id, public_key, timestamp_s, rotation, leaf_hash) VALUES ($1, $2, $3, $4, $5, $6)";
    let Registration {
        id,
        public_key,
        timestamp_s,
        rotation,
    } = registration;
    let known = tx.query_opt(KNOWN, &[id.as_str().into()], |_| Ok(())).await?;
    let rotation = rotation.map(|Rotation { old, new }| [old.0, new.0].concat());
    let args = [
        whole(index).into(),
        id.as_str().into(),
        public_key.into(),
        (*timestamp_s).into(),
        rotation.as_deref().into(),
        hash.into(),
    ];
    tx.execute(INSERT, &args).await?;
    Ok(known.is_none())
}

/// The newest leaf of an id.
///
/// # Errors
/// Those of the store.
pub async fn current(tx: &mut Tx<'_>, id: &Id) -> Result<Option<Leaf>, StoreError> {
    tx.query_opt(CURRENT, &[id.as_str().into()], leaf).await
}

/// The newest leaves of an id, oldest of them first.
///
/// # Errors
/// Those of the store.
pub async fn history(tx: &mut Tx<'_>, id: &Id) -> Result<Vec<Leaf>, StoreError> {
    let args = [id.as_str().into(), (ID_HISTORY_MAX as i64).into()];
    let mut leaves = tx.query(HISTORY, &args, leaf).await?;
    leaves.reverse();
    Ok(leaves)
}

/// Leaves in log order.
///
/// # Errors
/// Those of the store.
pub async fn page(tx: &mut Tx<'_>, from: u64, limit: usize) -> Result<Vec<Leaf>, StoreError> {
    let args = [whole(from).into(), (limit.min(LEAVES_PAGE_MAX) as i64).into()];
    tx.query(PAGE, &args, leaf).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::plans::check;

    #[test]
    fn no_statement_looks_at_more_than_its_range() {
        check(KNOWN, "SEARCH leaves USING COVERING INDEX leaves_id (id=?)");
        check(CURRENT, "SEARCH leaves USING INDEX leaves_id (id=?)");
        check(HISTORY, "SEARCH leaves USING INDEX leaves_id (id=?)");
        check(PAGE, "SEARCH leaves USING INTEGER PRIMARY KEY (rowid>?)");
    }
}
