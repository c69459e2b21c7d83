//! Every complete subtree of the log, and from them the hash of any part of the tree.

use nexus_crypto::hashes::Hash;
use nexus_crypto::trees::{Node, RightEdge, consistency_path};

/// The hashes by level and index; twice as many as leaves.
#[derive(Default)]
pub(crate) struct Nodes(Vec<Vec<Hash>>);

impl Nodes {
    /// Keeps a subtree that became complete. On each level they come in order.
    pub(crate) fn keep(&mut self, node: Node, hash: Hash) {
        let level = node.level as usize;
        if self.0.len() <= level {
            self.0.resize_with(level + 1, Vec::new);
        }
        self.0[level].push(hash);
    }

    /// The hash of a complete subtree.
    pub(crate) fn at(&self, node: Node) -> Option<Hash> {
        self.0.get(node.level as usize)?.get(usize::try_from(node.index).ok()?).copied()
    }

    /// The hash of some leaves as a subtree of their own. `start` must be a multiple of the width of the largest part.
    pub(crate) fn root_of(&self, start: u64, count: u64) -> Option<Hash> {
        let moved = |node: Node| Node {
            index: node.index + (start >> node.level),
            ..node
        };
        let peaks = RightEdge::nodes(count)
            .into_iter()
            .map(|node| self.at(moved(node)))
            .collect::<Option<_>>()?;
        RightEdge::restore(count, peaks).map(|edge| edge.root())
    }

    /// The proof that the first leaves are the beginning of more of them.
    pub(crate) fn consistency(&self, first: u64, second: u64) -> Option<Vec<Hash>> {
        consistency_path(first, second, |node| self.at(node))
    }
}
