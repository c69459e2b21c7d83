//! What is proposed and published as one, and how it makes the tree grow. Pure.

use nexus_crypto::hashes::Hash;
use nexus_crypto::registrations::Registration;
use nexus_crypto::tree_heads::{POLICY, PrevHash, TreeHead, UnsignedHead};
use nexus_crypto::trees::{Node, RightEdge};
use nexus_types::limits::LOG_BATCH_MAX;
use serde::{Deserialize, Serialize};

use crate::StoreError;

/// Registrations that are to be published together, and the heads that say so.
///
/// # Shape
/// `{"first", "registrations": [{"id", "public_key", "timestamp", "rotation"?}], "heads": [{"tree_size", "root", …}]}`
///
/// # Invariant
/// Once proposed: 1 to [`LOG_BATCH_MAX`] registrations; heads with rising sizes, the last of which ends with the last registration;
/// each with its leaves' root and linked to the head before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Leaves before these.
    pub first: u64,
    /// In log order.
    pub registrations: Vec<Registration>,
    /// In order of size.
    pub heads: Vec<UnsignedHead>,
}

impl Batch {
    /// Leaves once it is published.
    pub fn end(&self) -> u64 {
        self.first + self.registrations.len() as u64
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a batch of plain values serialises")
    }

    /// Does it go on from this tree and this head?
    pub(crate) fn check(&self, edge: RightEdge, last: Option<Hash>) -> Result<(), StoreError> {
        let wrong = |cause: &str| Err(StoreError::internal("propose a batch", cause));
        if self.first != edge.size() {
            return wrong("it does not begin where the log ends");
        }
        if self.registrations.len() > LOG_BATCH_MAX || self.heads.len() > LOG_BATCH_MAX {
            return wrong("it is too long");
        }
        grow(edge, last, &self.registrations, self.heads.iter()).map(drop)
    }

    /// Are these its heads, signed?
    pub(crate) fn check_signed(&self, heads: &[TreeHead]) -> Result<(), StoreError> {
        if self.heads.iter().eq(heads.iter().map(|signed| &signed.head)) {
            Ok(())
        } else {
            Err(StoreError::internal(
                "publish a batch",
                "the heads are not those that were proposed",
            ))
        }
    }
}

/// What some leaves add to a tree.
#[derive(Debug)]
pub(crate) struct Grown {
    /// The tree with them.
    pub(crate) edge: RightEdge,
    /// Each with its complete subtrees, the leaf itself first.
    pub(crate) nodes: Vec<(Node, Hash)>,
}

/// Appends leaves, and checks that the heads are theirs: rising sizes up to the last leaf, each with the root at its size, linked.
pub(crate) fn grow<'h>(
    mut edge: RightEdge,
    last: Option<Hash>,
    registrations: &[Registration],
    heads: impl Iterator<Item = &'h UnsignedHead>,
) -> Result<Grown, StoreError> {
    let wrong = |size: u64, cause: &str| {
        Err(StoreError::internal(
            "append to the key log",
            format_args!("the head of {size} leaves {cause}"),
        ))
    };
    if registrations.is_empty() {
        return Err(StoreError::internal("append to the key log", "there is no leaf"));
    }
    let (mut nodes, mut left, mut last) = (Vec::with_capacity(2 * registrations.len()), registrations.iter(), last);
    for head in heads {
        let size = head.tree_size;
        if size <= edge.size() || size - edge.size() > left.len() as u64 {
            return wrong(size, "is not one of these leaves");
        }
        while edge.size() < size {
            let leaf = left.next().expect("as many are left");
            nodes.extend(edge.append(leaf.leaf()));
        }
        if head.root != edge.root() {
            return wrong(size, "has another root");
        }
        if head.prev_hash != PrevHash(last) {
            return wrong(size, "does not link to the head before");
        }
        if head.policy != POLICY {
            return wrong(size, "has another policy than two of three");
        }
        last = Some(head.hash());
    }
    if left.len() == 0 {
        Ok(Grown { edge, nodes })
    } else {
        Err(StoreError::internal("append to the key log", "the last leaf has no head"))
    }
}
