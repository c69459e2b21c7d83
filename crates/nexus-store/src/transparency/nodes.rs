//! The upper subtrees in memory: every proof needs some of them, and a complete one never changes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nexus_crypto::hashes::Hash;
use nexus_crypto::trees::Node;
use nexus_types::limits::CACHED_NODES_MAX;

/// From this level on they are kept. Below it there are as many as leaves, and hardly one is asked for twice.
const LEVEL_MIN: u32 = 4;

/// Hashes of complete subtrees that were read before.
#[derive(Default)]
pub(super) struct Nodes(Mutex<HashMap<Node, Hash>>);

impl Nodes {
    /// What is known of these; and those that are not.
    pub(super) fn find(&self, wanted: &[Node]) -> (Vec<Option<Hash>>, Vec<Node>) {
        let known = self.lock();
        let found: Vec<_> = wanted.iter().map(|node| known.get(node).copied()).collect();
        let missing = wanted.iter().zip(&found).filter(|(_, hash)| hash.is_none());
        let missing = missing.map(|(node, _)| *node).collect();
        (found, missing)
    }

    /// Remembers what was read.
    pub(super) fn keep(&self, read: impl Iterator<Item = (Node, Hash)>) {
        let mut known = self.lock();
        for (node, hash) in read.filter(|(node, _)| node.level >= LEVEL_MIN) {
            if known.len() >= CACHED_NODES_MAX {
                // Those that matter are soon back.
                known.clear();
            }
            known.insert(node, hash);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Node, Hash>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_nodes_are_remembered_up_to_a_limit() {
        let nodes = Nodes::default();
        let node = |level: u32, index: u64| Node { level, index };
        let hash = |index: u64| Hash::of(&index.to_be_bytes());
        nodes.keep([(node(4, 1), hash(1)), (node(3, 1), hash(2))].into_iter());
        let (found, missing) = nodes.find(&[node(3, 1), node(4, 1), node(4, 2)]);
        assert_eq!(found, [None, Some(hash(1)), None]);
        assert_eq!(missing, [node(3, 1), node(4, 2)]);
        nodes.keep((0..2 * CACHED_NODES_MAX as u64).map(|index| (node(5, index), hash(index))));
        assert!(nodes.lock().len() <= CACHED_NODES_MAX);
    }
}
