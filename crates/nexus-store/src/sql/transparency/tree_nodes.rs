//! Complete subtrees. Those of level 0 are the leaves' own hashes and stand with the leaves.

use nexus_crypto::hashes::Hash;
use nexus_crypto::trees::Node;

use super::whole;
use crate::{StoreError, Tx};

const LEAF: &str = "SELECT leaf_hash FROM leaves WHERE leaf_index = $1";
const NODE: &str = "SELECT hash FROM tree_nodes WHERE level = $1 AND node_index = $2";

/// Adds a subtree above the leaves.
///
/// # Errors
/// Those of the store.
pub async fn insert(tx: &mut Tx<'_>, node: Node, hash: &Hash) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO tree_nodes (level, node_index, hash) VALUES ($1, $2, $3)";
    tx.execute(INSERT, &[i64::from(node.level).into(), whole(node.index).into(), hash.into()])
        .await
        .map(drop)
}

/// The hashes of subtrees, in the order asked for.
///
/// # Errors
/// [`StoreError::Internal`] if one is not in the tree; those of the store.
pub async fn load(tx: &mut Tx<'_>, nodes: &[Node]) -> Result<Vec<Hash>, StoreError> {
    let mut hashes = Vec::with_capacity(nodes.len());
    for node in nodes {
        let index = whole(node.index);
        let hash = if node.level == 0 {
            tx.query_opt(LEAF, &[index.into()], |row| row.get(0)).await?
        } else {
            tx.query_opt(NODE, &[i64::from(node.level).into(), index.into()], |row| row.get(0))
                .await?
        };
        hashes.push(hash.ok_or_else(|| StoreError::internal("read a node", format_args!("{node:?} is not in the tree")))?);
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::plans::check;

    #[test]
    fn a_node_is_one_point_lookup() {
        check(LEAF, "SEARCH leaves USING INTEGER PRIMARY KEY (rowid=?)");
        check(NODE, "SEARCH tree_nodes USING PRIMARY KEY (level=? AND node_index=?)");
    }
}
