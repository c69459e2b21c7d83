//! Proofs for readers: made from stored nodes, O(log n) of them.

use std::collections::HashMap;

use nexus_crypto::hashes::Hash;
use nexus_crypto::trees::{Node, consistency_path, inclusion_path};
use nexus_types::ErrorCode;
use serde::Serialize;

use super::Log;
use crate::errors::{Error, Result};

/// That a leaf stands at its index of the tree of a size (RFC 9162, section 2.1.3).
///
/// # Shape
/// `{"leaf_index", "tree_size", "leaf_hash", "path": [base64]}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the contract's names")]
pub struct Inclusion {
    pub leaf_index: u64,
    pub tree_size: u64,
    pub leaf_hash: Hash,
    pub path: Vec<Hash>,
}

/// That a tree is the beginning of another (RFC 9162, section 2.1.4).
///
/// # Shape
/// `{"first", "second", "path": [base64]}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the contract's names")]
pub struct Consistency {
    pub first: u64,
    pub second: u64,
    pub path: Vec<Hash>,
}

impl Log {
    /// Proves that a leaf is in the tree of a published size.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownLeaf`], or those of the store.
    pub async fn inclusion(&self, leaf_index: u64, tree_size: u64) -> Result<Inclusion> {
        if leaf_index >= tree_size || tree_size > self.counts().leaves {
            return Err(Error::refused(ErrorCode::UnknownLeaf));
        }
        let leaf = Node {
            level: 0,
            index: leaf_index,
        };
        let mut wanted = vec![leaf];
        inclusion_path(leaf_index, tree_size, |node| {
            wanted.push(node);
            Some(Hash::EMPTY)
        });
        let nodes = self.nodes(wanted).await?;
        let path = inclusion_path(leaf_index, tree_size, |node| nodes.get(&node).copied());
        Ok(Inclusion {
            leaf_index,
            tree_size,
            leaf_hash: nodes[&leaf],
            path: path.ok_or_else(missing)?,
        })
    }

    /// Proves that the tree of one published size is the beginning of that of another.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownLeaf`], or those of the store.
    pub async fn consistency(&self, first: u64, second: u64) -> Result<Consistency> {
        if first == 0 || first > second || second > self.counts().leaves {
            return Err(Error::refused(ErrorCode::UnknownLeaf));
        }
        let mut wanted = vec![];
        consistency_path(first, second, |node| {
            wanted.push(node);
            Some(Hash::EMPTY)
        });
        let nodes = self.nodes(wanted).await?;
        let path = consistency_path(first, second, |node| nodes.get(&node).copied());
        Ok(Consistency {
            first,
            second,
            path: path.ok_or_else(missing)?,
        })
    }

    async fn nodes(&self, wanted: Vec<Node>) -> Result<HashMap<Node, Hash>> {
        let hashes = self.0.store.nodes(wanted.clone()).await?;
        if hashes.len() != wanted.len() {
            return Err(missing());
        }
        Ok(wanted.into_iter().zip(hashes).collect())
    }
}

fn missing() -> Error {
    Error::internal("make a proof", "a node of the published tree is not stored")
}
