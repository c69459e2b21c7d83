//! Published tree heads.

use nexus_crypto::hashes::Hash;
use nexus_crypto::tree_heads::{POLICY, PrevHash, TreeHead, UnsignedHead};
use nexus_types::limits::HEADS_PAGE_MAX;

use super::super::{from_json, to_json};
use super::{unsigned, whole};
use crate::transparency::step_start;
use crate::{Row, StoreError, Tx};

/// The text of a statement over heads, in the order that [`head`] reads.
macro_rules! select {
    ($tail:literal) => {
        concat!("SELECT tree_size, root, prev_hash, timestamp_s, signatures FROM tree_heads ", $tail)
    };
}

const AT: &str = select!("WHERE tree_size = $1");
const PAGE: &str = select!("WHERE tree_size < $1 ORDER BY tree_size DESC LIMIT $2");
const NEXT: &str = "SELECT timestamp_s FROM tree_heads WHERE timestamp_s >= $1 ORDER BY timestamp_s, tree_size LIMIT 1";
const SIZE_BEFORE: &str = "SELECT tree_size FROM tree_heads WHERE timestamp_s < $1 ORDER BY timestamp_s DESC, tree_size DESC LIMIT 1";

fn head(row: &Row<'_>) -> Result<TreeHead, StoreError> {
    Ok(TreeHead {
        head: UnsignedHead {
            tree_size: unsigned(row.get(0)?)?,
            root: row.get(1)?,
            prev_hash: PrevHash(row.get(2)?),
            policy: POLICY,
            timestamp: row.get(3)?,
        },
        signatures: from_json(&row.get::<String>(4)?)?,
    })
}

/// Adds a head.
///
/// # Errors
/// Those of the store.
pub async fn insert(tx: &mut Tx<'_>, signed: &TreeHead) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO tree_heads (tree_size, root, prev_hash, timestamp_s, signatures) VALUES ($1, $2, $3, $4, $5)";
    let TreeHead { head, signatures } = signed;
    assert_eq!(head.policy, POLICY, "other policies were refused");
    let signatures = to_json(signatures);
    let args = [
        whole(head.tree_size).into(),
        (&head.root).into(),
        head.prev_hash.0.as_ref().into(),
        head.timestamp.into(),
        (&signatures).into(),
    ];
    tx.execute(INSERT, &args).await.map(drop)
}

/// The head of exactly so many leaves.
///
/// # Errors
/// Those of the store.
pub async fn at(tx: &mut Tx<'_>, size: u64) -> Result<Option<TreeHead>, StoreError> {
    tx.query_opt(AT, &[whole(size).into()], head).await
}

/// What the head after the one of so many leaves links to; none for the empty log.
///
/// # Errors
/// [`StoreError::Internal`] if there is no head of that size; those of the store.
pub(super) async fn hash_at(tx: &mut Tx<'_>, size: u64) -> Result<Option<Hash>, StoreError> {
    if size == 0 {
        return Ok(None);
    }
    let signed = at(tx, size).await?;
    let signed = signed.ok_or_else(|| StoreError::internal("read the newest head", "the published leaves have none"))?;
    Ok(Some(signed.head.hash()))
}

/// Heads, newest first, those of fewer leaves than `before` if it is given.
///
/// # Errors
/// Those of the store.
pub async fn page(tx: &mut Tx<'_>, before: Option<u64>, limit: usize) -> Result<Vec<TreeHead>, StoreError> {
    let args = [before.map_or(i64::MAX, whole).into(), (limit.min(HEADS_PAGE_MAX) as i64).into()];
    tx.query(PAGE, &args, head).await
}

/// Registrations in each step of time that has any. Two steps into an index each.
///
/// # Errors
/// Those of the store.
pub async fn growth(tx: &mut Tx<'_>, since_s: i64, step_s: i64) -> Result<Vec<(i64, u64)>, StoreError> {
    let mut grown = Vec::new();
    let mut at = step_start(since_s, step_s);
    let mut before = tx.query_opt(SIZE_BEFORE, &[at.into()], |row| row.get::<i64>(0)).await?.unwrap_or(0);
    while let Some(next) = tx.query_opt(NEXT, &[at.into()], |row| row.get::<i64>(0)).await? {
        let start = step_start(next, step_s);
        at = start.saturating_add(step_s);
        let size = tx.query_opt(SIZE_BEFORE, &[at.into()], |row| row.get::<i64>(0)).await?.unwrap_or(0);
        grown.push((start, unsigned(size.saturating_sub(before).max(0))?));
        before = size;
    }
    Ok(grown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::plans::check;

    #[test]
    fn no_statement_looks_at_more_than_its_range() {
        check(AT, "SEARCH tree_heads USING INTEGER PRIMARY KEY (rowid=?)");
        check(PAGE, "SEARCH tree_heads USING INTEGER PRIMARY KEY (rowid<?)");
        check(NEXT, "SEARCH tree_heads USING COVERING INDEX tree_heads_time (timestamp_s>?)");
        check(
            SIZE_BEFORE,
            "SEARCH tree_heads USING COVERING INDEX tree_heads_time (timestamp_s<?)",
        );
    }
}
